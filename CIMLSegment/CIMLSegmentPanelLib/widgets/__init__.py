"""The widgets of the CIMLSegment panel."""
