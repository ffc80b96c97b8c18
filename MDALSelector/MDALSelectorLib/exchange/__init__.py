"""The record of a cohort for other people and other programs: exports, imports, lists, status."""
