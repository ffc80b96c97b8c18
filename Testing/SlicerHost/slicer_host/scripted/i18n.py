"""`slicer.i18n`: the host has no translations, the functions return their text."""

from __future__ import annotations


def translate(context: str, text: str) -> str:
    """Return the text."""
    return text


def tr(text: str) -> str:
    """Return the text; only a string may be translated."""
    if not isinstance(text, str):
        msg = f"expected string or bytes-like object, got {type(text).__name__!r}"
        raise TypeError(msg)
    return text
