"""Small drawings for table cells: bars and colored dots."""

from __future__ import annotations

import qt

BAR_SIZE = (40, 10)
BAR_COLOR = (86, 140, 200)
TRACK_ALPHA = 70
DOT_SIZE = 12


def bar(fraction: float) -> qt.QPixmap:
    """Draw a horizontal bar that is filled up to a fraction of 0 to 1."""
    width, height = BAR_SIZE
    filled = round(min(max(fraction, 0.0), 1.0) * width)
    pixmap = _transparent(width, height)
    painter = qt.QPainter()
    painter.begin(pixmap)
    painter.fillRect(0, 0, width, height, qt.QColor(128, 128, 128, TRACK_ALPHA))
    painter.fillRect(0, 0, filled, height, qt.QColor(*BAR_COLOR))
    painter.end()
    return pixmap


def dot(color: tuple[float, float, float]) -> qt.QPixmap:
    """Draw a round dot in a color of 0 to 1 per channel."""
    pixmap = _transparent(DOT_SIZE, DOT_SIZE)
    painter = qt.QPainter()
    painter.begin(pixmap)
    painter.setRenderHint(qt.QPainter.Antialiasing)
    painter.setPen(qt.QPen(qt.QColor(0, 0, 0, 120)))
    painter.setBrush(qt.QBrush(qt.QColor(*(round(255 * channel) for channel in color))))
    painter.drawEllipse(1, 1, DOT_SIZE - 3, DOT_SIZE - 3)
    painter.end()
    return pixmap


def _transparent(width: int, height: int) -> qt.QPixmap:
    pixmap = qt.QPixmap(width, height)
    pixmap.fill(qt.QColor(0, 0, 0, 0))
    return pixmap
