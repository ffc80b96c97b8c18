"""Stand-ins for path editors of CTK."""

from __future__ import annotations

import fnmatch
import re
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QComboBox, QFileDialog, QHBoxLayout, QPushButton, QToolButton, QWidget

from slicer_host import dialogs
from slicer_host.errors import RefusalError

HISTORY = 5
FILES = 0x002
WRITABLE = 0x020


class ctkPathLineEdit(QWidget):
    """Editable path with history and a browse button."""

    currentPathChanged = Signal(str)
    validInputChanged = Signal(bool)

    def __init__(self, *arguments: Any) -> None:
        parents = [argument for argument in arguments if isinstance(argument, QWidget)]
        super().__init__((parents or [None])[0])
        self._box = QComboBox(self, editable=True)
        self._browse = QToolButton(self, text="...")
        self._filters, self._options, self._label, self._key = 0x003, 0, "", ""
        self._nameFilters: list[str] = []
        self._wasValid = False
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._box, 1)
        layout.addWidget(self._browse)
        self.setFocusProxy(self._box)
        self._box.setMinimumContentsLength(8)
        self._box.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self._browse.clicked.connect(lambda: self.browse())
        self._box.editTextChanged.connect(self._onEdited)

    def comboBox(self) -> QComboBox:
        return self._box

    def currentPath(self) -> str:
        return self._box.currentText()

    def setCurrentPath(self, path: str) -> None:
        self._box.setEditText(path)

    def _onEdited(self, path: str) -> None:
        valid = accepts_name(self._nameFilters, path)
        if valid:
            self.currentPathChanged.emit(path)
        if valid != self._wasValid:
            self._wasValid = valid
            self.validInputChanged.emit(valid)

    def browse(self) -> None:
        if dialogs.record.interactive:
            path = self._ask()
        else:
            path = dialogs.record.files.popleft() if dialogs.record.files else ""
            self._refuse(path)
        if path:
            self.setCurrentPath(path)

    def _refuse(self, path: str) -> None:
        """Refuse what the dialog could not return: with `Files` it asks for a file only."""
        wants_file = bool(self._filters & FILES)
        if path and Path(path).exists() and Path(path).is_dir() == wants_file:
            kind = "file" if wants_file else "folder"
            msg = f"The dialog of '{self.objectName()}' asks for a {kind}, and got {path}."
            raise RefusalError(msg)

    def _ask(self) -> str:
        if not self._filters & FILES:
            return QFileDialog.getExistingDirectory(self, self._label, self.currentPath())
        names = ";;".join(self._nameFilters)
        saves = self._filters & WRITABLE
        ask = QFileDialog.getSaveFileName if saves else QFileDialog.getOpenFileName
        return ask(self, self._label, self.currentPath(), names)[0]

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
        blocked = self.blockSignals(True)
        self._box.clear()
        self._box.addItems(self._history()[:HISTORY])
        if path:
            self.setCurrentPath(path)
        else:
            self._box.setCurrentIndex(-1)
        self.blockSignals(blocked)
        if not path:
            self._box.setCurrentIndex(0)

    def settingKey(self) -> str:
        return self._key

    def setSettingKey(self, key: str) -> None:
        self._key = key
        self.retrieveHistory()

    def filters(self) -> int:
        return self._filters

    def setFilters(self, filters: int) -> None:
        self._filters = int(filters)

    def options(self) -> int:
        return self._options

    def setOptions(self, options: int) -> None:
        self._options = int(options)

    def label(self) -> str:
        return self._label

    def setLabel(self, label: str) -> None:
        self._label = label

    def nameFilters(self) -> list[str]:
        return self._nameFilters

    def setNameFilters(self, filters: list[str]) -> None:
        self._nameFilters = list(filters)

    def showBrowseButton(self) -> bool:
        return not self._browse.isHidden()

    def setShowBrowseButton(self, visible: bool) -> None:
        self._browse.setVisible(visible)

    def showHistoryButton(self) -> bool:
        return True

    def setShowHistoryButton(self, visible: bool) -> None:
        """Accept: the arrow of the combo box stays."""

    def minimumContentsLength(self) -> int:
        return self._box.minimumContentsLength()

    def setMinimumContentsLength(self, length: int) -> None:
        self._box.setMinimumContentsLength(length)

    def sizeAdjustPolicy(self) -> int:
        return 2

    def setSizeAdjustPolicy(self, policy: int) -> None:
        """Accept: the host always adjusts to the minimum contents length."""


def accepts_name(filters: list[str], path: str) -> bool:
    """Say whether a path fits one of the patterns in name filters; none: all but the empty one."""
    patterns = [
        pattern
        for text in filters
        for pattern in (re.search(r"\(([^)]*)\)", text) or re.match(r"(.*)", text))[1].split()
    ]
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns or ["?*"])


class ctkDirectoryButton(QWidget):
    """Button that shows a directory and asks for another."""

    directoryChanged = Signal(str)
    directorySelected = Signal(str)

    def __init__(self, *arguments: Any) -> None:
        parents = [argument for argument in arguments if isinstance(argument, QWidget)]
        texts = [argument for argument in arguments if isinstance(argument, str)]
        super().__init__((parents or [None])[0])
        self._button = QPushButton(self)
        self._directory, self._text, self._caption = (texts or ["."])[0], "", ""
        self._options = 1
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._button)
        self._button.clicked.connect(lambda: self.browse())
        self._show()

    def directory(self) -> str:
        return self._directory

    def setDirectory(self, directory: str) -> None:
        path = str(Path(directory).absolute())
        changed = path != str(Path(self._directory).absolute())
        if changed:
            self._directory = path
            self._show()
        self.directorySelected.emit(path)
        if changed:
            self.directoryChanged.emit(path)

    def _show(self) -> None:
        self._button.setText(self._text or str(Path(self._directory).absolute()))

    def browse(self) -> None:
        if dialogs.record.interactive:
            path = QFileDialog.getExistingDirectory(self, self._caption, self._directory)
        else:
            path = dialogs.record.files.popleft() if dialogs.record.files else ""
        if path:
            self.setDirectory(path)

    def caption(self) -> str:
        return self._caption

    def setCaption(self, caption: str) -> None:
        self._caption = caption

    def text(self) -> str:
        return self._text

    def setText(self, text: str) -> None:
        self._text = text
        self._show()

    def icon(self) -> QIcon:
        return self._button.icon()

    def setIcon(self, icon: QIcon) -> None:
        self._button.setIcon(icon)

    def options(self) -> int:
        return self._options

    def setOptions(self, options: int) -> None:
        self._options = int(options)

    def elideMode(self) -> Any:
        return Qt.TextElideMode.ElideNone

    def setElideMode(self, mode: Any) -> None:
        """Accept: the host does not elide."""
