"""The Python part of the application that modules derive from, written anew for the host."""
