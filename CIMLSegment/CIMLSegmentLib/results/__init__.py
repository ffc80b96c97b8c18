"""Results: label maps, maps and contributions on disk, their evaluation and their report."""
