"""What both modules share about 3D Slicer: nodes and arrays, layouts, tables, child processes."""
