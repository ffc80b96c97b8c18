"""Inference: cases through a trained model in windows, to labels and maps."""
