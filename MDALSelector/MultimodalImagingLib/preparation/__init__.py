"""Preparation: comparable arrays on one grid per case, computed once and cached."""
