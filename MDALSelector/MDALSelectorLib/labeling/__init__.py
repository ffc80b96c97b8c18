"""The labeling loop in numbers: what the labels brought, what they cost, whether to go on."""
