"""Cases, cohorts, volumes and their geometry; shared by both modules.

Imports numpy and SimpleITK at most: no torch, no Slicer, no Qt.
"""
