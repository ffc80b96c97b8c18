"""Tasks: labels, regions, sub-tasks, and how their outputs become one label map."""
