"""Inspection: what is in a cohort, as data and as tables for a terminal."""
