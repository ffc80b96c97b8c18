"""Images: voxel grids in space, image files, and the checks of their headers."""
