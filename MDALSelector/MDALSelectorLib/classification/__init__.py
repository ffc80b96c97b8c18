"""Cohorts whose label is a class per case: a small classifier, and how far it holds."""
