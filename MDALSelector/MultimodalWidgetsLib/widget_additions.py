"""What path fields, labels and tables need beyond what they do by themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import qt

PATH_SIGNALS = ("currentPathChanged(QString)", "validInputChanged(bool)")


def followPath(edit: Any, changed: Callable[[str], None]) -> None:
    """Call a function with the path whenever it changes, also when the field was emptied.

    A `ctkPathLineEdit` tells paths only. That it was emptied shows in its input, which is not
    valid any more.
    """

    def tell(_value: object) -> None:
        changed(edit.currentPath)

    for signal in PATH_SIGNALS:
        edit.connect(signal, tell)


def rememberPath(edit: Any) -> None:
    """Offer the path again next time, without a signal: the field is emptied for a moment."""
    wasBlocked = edit.blockSignals(True)
    edit.addCurrentPathToHistory()
    edit.blockSignals(wasBlocked)


def handleEvents() -> None:
    """Draw what has changed and let jobs go on; clicks and keys wait."""
    qt.QApplication.processEvents(qt.QEventLoop.ExcludeUserInputEvents)


def setNoneDisplay(selector: Any, text: str) -> None:
    """Name the empty entry of a `qMRMLNodeComboBox`; what is chosen stays chosen.

    The entry is made anew, and where it was the chosen one, the first node would be.
    """
    if selector.noneDisplay == text:
        return
    chosen, wasBlocked = selector.currentNodeID, selector.blockSignals(True)
    selector.noneDisplay = text
    selector.setCurrentNodeID(chosen)
    selector.blockSignals(wasBlocked)


def showText(label: qt.QLabel, text: str) -> None:
    """Show a text; an empty one takes no room."""
    label.setText(text)
    label.setVisible(bool(text))


class PathLabel(qt.QObject):
    """Shows a path in a label: the middle is left out where it is too long; the tool tip is whole.

    The label needs no width of its own.
    """

    def __init__(self, label: qt.QLabel) -> None:
        qt.QObject.__init__(self, label)
        self._label, self._text = label, ""
        label.setSizePolicy(qt.QSizePolicy.Ignored, qt.QSizePolicy.Preferred)
        label.installEventFilter(self)

    def show(self, path: Path | None) -> None:
        """Show another path, or none."""
        self._text = "" if path is None else str(path)
        self._label.toolTip = self._text
        self._fit()

    def eventFilter(self, _watched: qt.QObject, event: qt.QEvent) -> bool:
        """Fit the text anew when the label is resized."""
        if event.type() == qt.QEvent.Resize:
            self._fit()
        return False

    def _fit(self) -> None:
        metrics = self._label.fontMetrics()
        text = metrics.elidedText(self._text, qt.Qt.ElideMiddle, self._label.width)
        if self._label.text != text:
            self._label.setText(text)


def showChoice(selector: qt.QWidget, toolTip: str) -> None:
    """Add to the tool tip of a selector of nodes the name that is chosen: it may be cut off."""
    node = selector.currentNode()
    name = "" if node is None else node.GetName() or ""
    selector.toolTip = "\n".join(text for text in (toolTip, name) if text)


def fitColumns(view: qt.QTableView, columns: Sequence[int]) -> None:
    """Make columns as wide as what is in them; the last one takes what is left, if there is."""
    header = view.horizontalHeader()
    header.setStretchLastSection(False)
    for column in columns:
        view.resizeColumnToContents(column)
    width = sum(header.sectionSize(column) for column in columns)
    header.setStretchLastSection(width < view.viewport().width)
