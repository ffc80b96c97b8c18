"""What both modules share about the scene: volumes, segments, tables, layouts, packages. No Qt."""
