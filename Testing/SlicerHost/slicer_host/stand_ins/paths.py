"""Stand-in for the path editor of CTK."""

from __future__ import annotations

import fnmatch
import re
from pathlib import Path

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QSizePolicy,
    QToolButton,
    QWidget,
)

from slicer_host import dialogs
from slicer_host.errors import RefusalError
from slicer_host.record import record
from slicer_host.stand_ins import stored

HISTORY = 5
FILES = 0x002
WRITABLE = 0x020


@stored(filters=0x003, label="", nameFilters=(), options=0)
class ctkPathLineEdit(QWidget):
    """Editable path with history and a browse button."""

    currentPathChanged = Signal(str)
    validInputChanged = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._box = QComboBox(self, editable=True)
        self._browse = QToolButton(self, text="...")
        self._key = ""
        self._wasValid = False
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._box, 1)
        layout.addWidget(self._browse)
        self.setFocusProxy(self._box)
        # As CTK does by its own size hint: the path itself asks for no room.
        policy = QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        self._box.setSizeAdjustPolicy(policy)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._browse.clicked.connect(lambda: self.browse())
        self._box.editTextChanged.connect(self._onEdited)

    def comboBox(self) -> QComboBox:
        return self._box

    def minimumContentsLength(self) -> int:
        return self._box.minimumContentsLength()

    def setMinimumContentsLength(self, length: int) -> None:
        self._box.setMinimumContentsLength(length)

    def currentPath(self) -> str:
        return self._box.currentText()

    def setCurrentPath(self, path: str) -> None:
        self._box.setEditText(path)

    def _onEdited(self, path: str) -> None:
        valid = accepts_name(self.nameFilters(), path)
        if valid:
            self.currentPathChanged.emit(path)
        if valid != self._wasValid:
            self._wasValid = valid
            self.validInputChanged.emit(valid)

    def browse(self) -> None:
        path = self._ask() if record.interactive else self._answer()
        if path:
            self.setCurrentPath(path)

    def _answer(self) -> str:
        """Return the prepared path; refuse what the dialog could not return: file or folder."""
        path, wants_file = record.file(), bool(self.filters() & FILES)
        if path and Path(path).exists() and Path(path).is_dir() == wants_file:
            kind = "file" if wants_file else "folder"
            msg = f"The dialog of '{self.objectName()}' asks for a {kind}, and got {path}."
            raise RefusalError(msg)
        return path

    def _ask(self) -> str:
        if not self.filters() & FILES:
            return QFileDialog.getExistingDirectory(self, self.label(), self.currentPath())
        saves = self.filters() & WRITABLE
        ask = QFileDialog.getSaveFileName if saves else QFileDialog.getOpenFileName
        return ask(self, self.label(), self.currentPath(), ";;".join(self.nameFilters()))[0]

    def _fullKey(self) -> str:
        return f"ctkPathLineEdit/{self._key or self.objectName()}"

    def _history(self) -> list[str]:
        value = dialogs.QSettings().value(self._fullKey())
        return [value] if isinstance(value, str) else list(value or [])

    def addCurrentPathToHistory(self) -> None:
        path = self.currentPath()
        if not path:
            return
        known = [item for item in self._history() if item != path]
        dialogs.QSettings().setValue(self._fullKey(), [path, *known])
        row = self._box.findText(path)
        if row >= 0:
            self._box.removeItem(row)
        while self._box.count() >= HISTORY:
            self._box.removeItem(self._box.count() - 1)
        self._box.insertItem(0, path)
        self._box.setCurrentIndex(0)

    def retrieveHistory(self) -> None:
        path = self.currentPath()
        with QSignalBlocker(self):
            self._box.clear()
            self._box.addItems(self._history()[:HISTORY])
            if path:
                self.setCurrentPath(path)
            else:
                self._box.setCurrentIndex(-1)
        if not path:
            self._box.setCurrentIndex(0)

    def settingKey(self) -> str:
        return self._key

    def setSettingKey(self, key: str) -> None:
        self._key = key
        self.retrieveHistory()


def accepts_name(filters: list[str], path: str) -> bool:
    """Say whether a path fits one of the patterns in name filters; none: all but the empty one."""
    patterns = [
        pattern
        for text in filters
        for pattern in (re.search(r"\(([^)]*)\)", text) or re.match(r"(.*)", text))[1].split()
    ]
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns or ["?*"])
