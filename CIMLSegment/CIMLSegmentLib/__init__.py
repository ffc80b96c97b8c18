"""CIML: segmentation with primary and auxiliary modalities, and who told what. No Slicer, no Qt."""
