"""The record of a cohort, and files and folders that are written whole or not at all."""
