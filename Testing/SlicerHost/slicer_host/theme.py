"""Light and dark palettes, as the application's styles have them."""

from __future__ import annotations

from typing import Any

from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QStyleFactory

DARK = {
    "Window": "#323232", "WindowText": "#ffffff", "Base": "#1e1e1e", "AlternateBase": "#323232",
    "ToolTipBase": "#ffffdc", "ToolTipText": "#000000", "Text": "#ffffff", "Button": "#323232",
    "ButtonText": "#ffffff", "BrightText": "#ff0000", "Link": "#2a82da", "Highlight": "#2a82da",
    "HighlightedText": "#ffffff", "PlaceholderText": "#9a9a9a",
}  # fmt: skip


def apply(application: Any, *, dark: bool) -> None:
    """Give the application a light or a dark palette."""
    application.setStyle(QStyleFactory.create("Fusion"))
    palette = application.style().standardPalette()
    if dark:
        palette = QPalette()
        for role, color in DARK.items():
            palette.setColor(getattr(QPalette.ColorRole, role), QColor(color))
        for role in ("WindowText", "Text", "ButtonText"):
            group = QPalette.ColorGroup.Disabled
            palette.setColor(group, getattr(QPalette.ColorRole, role), QColor("#7f7f7f"))
    application.setPalette(palette)
