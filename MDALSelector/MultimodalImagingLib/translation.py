"""Marks texts of the libraries' tables that the panels translate; both algorithm libraries do."""

from __future__ import annotations


def QT_TRANSLATE_NOOP(context: str, text: str) -> str:  # noqa: N802 - lupdate knows this name
    """Return a text as it is; Qt's `lupdate` extracts it for translators.

    Commands and reports show the text in English. Panels show `slicer.i18n.translate(context,
    text)`.

    Args:
        context: What the texts of a table belong to; a literal.
        text: A literal.
    """
    del context
    return text
