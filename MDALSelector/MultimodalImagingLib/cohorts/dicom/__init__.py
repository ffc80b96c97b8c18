"""DICOM files as a cohort: headers, volumes, SUV, and patients who stay unnamed."""
