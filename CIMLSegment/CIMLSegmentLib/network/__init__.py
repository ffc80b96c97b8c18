"""The network: encoders, decoders, gates, their settings, and baselines to compare with."""
