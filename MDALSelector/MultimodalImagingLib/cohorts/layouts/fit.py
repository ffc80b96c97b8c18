"""How sure a layout is that a folder has it."""

from __future__ import annotations

from enum import IntEnum


class Fit(IntEnum):
    """The surest layout is taken; two that are declared are one too many."""

    NONE = 0
    INFERRED = 1  # by names and levels; a manifest in the folder comes before
    SEEN = 2  # plain to see
    DECLARED = 3  # the cohort describes itself
