"""Parts of sentences: lists and counts of names."""

from __future__ import annotations

from collections.abc import Sequence


def listed(names: Sequence[str], *, most: int = 6, separator: str = ", ") -> str:
    """Write the first names of a list, and how many more there are: `a, b and 3 more`."""
    rest = len(names) - most
    return separator.join(names[:most]) + (f" and {rest} more" if rest > 0 else "")


def joined(names: Sequence[str]) -> str:
    """Join names as in a sentence: `a, b and c`."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def counted(n: int, noun: str) -> str:
    """Count things: `1 case`, `2 cases`."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
