"""Tool tips of widgets, which the application makes rich text so that long ones are wrapped."""

from __future__ import annotations

from typing import Any

from PySide6.QtGui import Qt
from PySide6.QtWidgets import QWidget


def make_rich(widget: Any) -> None:
    """Convert a tool tip that is plain text, as `ctkToolTipTrapper` does; other objects keep it."""
    if not isinstance(widget, QWidget):
        return
    text = widget.toolTip()
    if text and not Qt.mightBeRichText(text):
        widget.setToolTip(Qt.convertFromPlainText(text, Qt.WhiteSpaceMode.WhiteSpaceNormal))
