"""CIML: segmentation that shows what each modality contributes. No Slicer, no Qt."""
