"""Trained models on disk: description, weights, and MONAI bundles. Nothing is executed."""
