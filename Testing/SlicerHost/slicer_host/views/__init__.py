"""Stand-ins for the views: real VTK windows off the screen, shown as pictures."""
