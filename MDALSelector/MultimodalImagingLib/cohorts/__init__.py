"""Cohorts: from a folder to cases, their modalities, labels, and every problem found."""
