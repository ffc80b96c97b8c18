"""MDAL: which cases of a multimodal cohort to label next. Imports no Slicer and no Qt."""
