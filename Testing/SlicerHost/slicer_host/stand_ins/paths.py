"""Stand-ins for path editors of CTK."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QComboBox, QFileDialog, QHBoxLayout, QPushButton, QToolButton, QWidget

from slicer_host import dialogs

HISTORY = 10
DIRECTORIES, FILES = 0x001, 0x002
READABLE, WRITABLE = 0x010, 0x020


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
        valid = self._isValid(path)
        if valid != self._wasValid:
            self._wasValid = valid
            self.validInputChanged.emit(valid)
        self.currentPathChanged.emit(path)

    def _isValid(self, path: str) -> bool:
        if not path:
            return False
        is_directory, is_file = Path(path).is_dir(), Path(path).is_file()
        wanted = (self._filters & DIRECTORIES and is_directory) or (
            self._filters & FILES and is_file
        )
        return bool(wanted)

    def browse(self) -> None:
        if dialogs.record.interactive:
            path = self._ask()
        else:
            path = dialogs.record.files.popleft() if dialogs.record.files else ""
        if path:
            self.setCurrentPath(path)

    def _ask(self) -> str:
        if self._filters & FILES:
            if self._filters & WRITABLE and not self._filters & READABLE:
                return QFileDialog.getSaveFileName(self, self._label, self.currentPath())[0]
            names = ";;".join(self._nameFilters)
            return QFileDialog.getOpenFileName(self, self._label, self.currentPath(), names)[0]
        return QFileDialog.getExistingDirectory(self, self._label, self.currentPath())

    def addCurrentPathToHistory(self) -> None:
        path = self.currentPath()
        if not self._key or not path:
            return
        settings = dialogs.QSettings()
        known = [item for item in _as_list(settings.value(self._key)) if item != path]
        settings.setValue(self._key, [path, *known][:HISTORY])
        self.retrieveHistory()

    def retrieveHistory(self) -> None:
        if not self._key:
            return
        path = self.currentPath()
        blocked = self._box.blockSignals(True)
        self._box.clear()
        known = _as_list(dialogs.QSettings().value(self._key))
        self._box.addItems(known)
        self._box.blockSignals(blocked)
        self._box.setEditText(path or (known[0] if known else ""))

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


def _as_list(value: Any) -> list[str]:
    if value is None:
        return []
    return [value] if isinstance(value, str) else list(value)


class ctkDirectoryButton(QWidget):
    """Button that shows a directory and asks for another."""

    directoryChanged = Signal(str)
    directorySelected = Signal(str)

    def __init__(self, *arguments: Any) -> None:
        parents = [argument for argument in arguments if isinstance(argument, QWidget)]
        texts = [argument for argument in arguments if isinstance(argument, str)]
        super().__init__((parents or [None])[0])
        self._button = QPushButton(self)
        self._directory, self._text, self._caption = str(Path.cwd()), "", ""
        self._options = 1
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._button)
        self._button.clicked.connect(lambda: self.browse())
        self.setDirectory((texts or ["."])[0])

    def directory(self) -> str:
        return self._directory

    def setDirectory(self, directory: str) -> None:
        path = str(Path(directory).absolute())
        changed, self._directory = path != self._directory, path
        self._button.setText(self._text or path)
        if changed:
            self.directoryChanged.emit(path)

    def browse(self) -> None:
        if dialogs.record.interactive:
            path = QFileDialog.getExistingDirectory(self, self._caption, self._directory)
        else:
            path = dialogs.record.files.popleft() if dialogs.record.files else ""
        if path:
            self.setDirectory(path)
            self.directorySelected.emit(path)

    def caption(self) -> str:
        return self._caption

    def setCaption(self, caption: str) -> None:
        self._caption = caption

    def text(self) -> str:
        return self._text

    def setText(self, text: str) -> None:
        self._text = text
        self._button.setText(text or self._directory)

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
