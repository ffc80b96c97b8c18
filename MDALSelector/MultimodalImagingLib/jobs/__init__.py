"""Jobs: progress, events, logs, cancellation, and what the command lines share."""
