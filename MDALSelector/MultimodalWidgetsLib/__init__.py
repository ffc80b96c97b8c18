"""Parts of the panels that both modules use. They know Qt; what they show is handed to them."""
