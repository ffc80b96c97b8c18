"""Pictures of windows, panels and views."""

from __future__ import annotations

from typing import Any

from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication, QWidget

from slicer_host.views.picture import Picture


def grab(widget: QWidget, *, rounds: int = 3) -> QImage:
    """Draw a widget with all views in it and return the picture.

    Args:
        widget: A window, a panel or a view (of PySide6, or wrapped).
        rounds: How often events are handled before, so that layouts and views settle.
    """
    raw: Any = getattr(widget, "_raw", widget)
    for _ in range(rounds):
        QApplication.processEvents()
    views = [raw] if isinstance(raw, Picture) else raw.findChildren(Picture)
    for view in views:
        if view.isVisible():
            view.forceRender()
    QApplication.processEvents()
    return raw.grab().toImage()
