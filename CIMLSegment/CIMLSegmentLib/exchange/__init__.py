"""Cases, labels and results for other programs, and back from them. Imports no torch."""
