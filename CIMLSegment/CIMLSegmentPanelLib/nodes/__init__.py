"""What CIMLSegment does with the scene: inputs, results, overlays. Imports no Qt."""
