"""Estimation: pointwise mutual information of a cohort's modalities, cross-fitted by patient."""
