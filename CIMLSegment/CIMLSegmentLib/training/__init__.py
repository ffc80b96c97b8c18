"""Training: labelled cases, patches, losses, steps, validation, and resuming."""
