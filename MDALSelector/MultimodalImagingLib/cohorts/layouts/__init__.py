"""The folder layouts that are understood, one file each; `detection` finds the one of a folder."""
