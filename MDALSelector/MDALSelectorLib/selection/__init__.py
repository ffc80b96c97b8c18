"""Selection: from scores to a ranking with reasons, caveats, and the run folder that keeps it."""
