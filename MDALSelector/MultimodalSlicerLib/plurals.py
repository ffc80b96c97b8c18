"""The forms of a text that counts things. Must not import Slicer or Qt."""

from __future__ import annotations


def byNumber(n: int, one: str, more: str) -> str:
    """Choose the form of a text by a number; each form is translated as a whole.

    Args:
        n: The number.
        one: The text if it is one.
        more: The text otherwise.
    """
    return one if n == 1 else more
