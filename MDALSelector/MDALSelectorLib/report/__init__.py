"""The report of a selection run: one self-contained HTML page."""
