"""Room that is kept for what comes and goes, so that nothing moves below the mouse."""

from __future__ import annotations

import qt


class PanelRoom(qt.QObject):
    """Gives a panel the height that its texts need at its width.

    Where a panel is shown for the second time, Qt takes the height that it had at that width
    before: Slicer keeps the layout item of the first time, and only that one is told of changes.
    """

    def __init__(self, panel: qt.QWidget) -> None:
        """Follow the widget of a module."""
        qt.QObject.__init__(self)
        self._panel = panel
        panel.installEventFilter(self)

    def stop(self) -> None:
        """Let go of the panel."""
        self._panel.removeEventFilter(self)

    def eventFilter(self, _watched: qt.QObject, event: qt.QEvent) -> bool:
        """Give it the height, whenever its layout, its width or what is shown changes."""
        if event.type() in (qt.QEvent.LayoutRequest, qt.QEvent.Resize, qt.QEvent.Show):
            height = self._panel.heightForWidth(self._panel.width)
            if height != self._panel.minimumHeight:
                self._panel.setMinimumHeight(max(height, 0))
        return False


def keepRoom(*widgets: qt.QWidget) -> None:
    """Let widgets keep their room while they are hidden."""
    for widget in widgets:
        policy = widget.sizePolicy
        policy.setRetainSizeWhenHidden(True)
        widget.setSizePolicy(policy)


def reserveLines(lines: int, *labels: qt.QLabel) -> None:
    """Give labels the room of some lines together; what is longer scrolls inside it.

    Args:
        lines: Number of lines, in the font of the labels.
        labels: Neighbors in the box layout of their parent; the place of the first one becomes
            that of all.
    """
    strut = qt.QLabel("\n".join(" " * lines))  # follows the font
    strut.setSizePolicy(qt.QSizePolicy.Fixed, qt.QSizePolicy.Fixed)
    box = qt.QWidget()
    box.setSizePolicy(qt.QSizePolicy.Ignored, qt.QSizePolicy.Fixed)
    area = _scrollArea()
    _place(labels, box)
    row = qt.QHBoxLayout(box)
    for widget in (area, strut):
        row.addWidget(widget)
    contents = qt.QWidget()
    column = qt.QVBoxLayout(contents)
    for layout in (row, column):
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
    for label in labels:
        policy = label.sizePolicy
        policy.setHorizontalPolicy(qt.QSizePolicy.Ignored)
        label.setSizePolicy(policy)
        column.addWidget(label)
    column.addStretch(1)
    area.setWidget(contents)


def reserveRows(table: qt.QTableView, rows: int) -> None:
    """Give a table the room of some rows and its header, whatever it holds."""
    header = table.horizontalHeader().sizeHint.height()
    height = rows * table.verticalHeader().defaultSectionSize
    table.setFixedHeight(header + height + 2 * table.frameWidth)


def _scrollArea() -> qt.QScrollArea:
    area = qt.QScrollArea()
    area.setWidgetResizable(True)
    area.setFrameShape(qt.QFrame.NoFrame)
    area.setHorizontalScrollBarPolicy(qt.Qt.ScrollBarAlwaysOff)
    area.setFocusPolicy(qt.Qt.NoFocus)
    area.setSizePolicy(qt.QSizePolicy.Ignored, qt.QSizePolicy.Ignored)
    return area


def _place(labels: tuple[qt.QLabel, ...], box: qt.QWidget) -> None:
    """Put a box where the first label is, and take the labels out."""
    layout = labels[0].parentWidget().layout()
    layout.insertWidget(layout.indexOf(labels[0]), box)
    for label in labels:
        layout.removeWidget(label)
