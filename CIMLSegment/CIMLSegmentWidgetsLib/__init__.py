"""Parts of the CIMLSegment panel."""
