"""Training: labeled cases, patches, losses, steps, validation, and resuming."""
