"""Qt classes that would block or leave the test's folder: they answer at once and keep a record."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets

from slicer_host import errors
from slicer_host.pythonqt.conversion import to_qt
from slicer_host.record import record

ESCAPE = "Escape"  # an answer: the key, whatever button that is
Buttons = QtWidgets.QMessageBox.StandardButton


class QMessageBox(QtWidgets.QMessageBox):
    """Message box that answers with the prepared or the default button."""

    def exec(self) -> int:
        """Record the text and return the answer."""
        if record.interactive:
            return super().exec()
        texts = (self.text(), self.informativeText(), self.detailedText())
        record.messages.append("\n".join(texts).strip())
        prepared = record.answer(self._default())
        answer = self._escape() if prepared == ESCAPE else int(to_qt(prepared))
        chosen = self.button(Buttons(answer))
        if chosen is not None:
            self.buttonClicked.emit(chosen)
        self.done(answer)
        return answer

    exec_ = open = exec

    def show(self) -> None:
        """Record the text instead of opening a window."""
        if record.interactive:
            super().show()
        else:
            record.messages.append(self.text())

    def _escape(self) -> int:
        """The button that the key Escape and the cross of the window press; 0 if there is none."""
        button = self.escapeButton()
        return 0 if button is None else int(self.standardButton(button))

    def _default(self) -> int:
        button = self.defaultButton()
        standard = self.standardButton(button) if button is not None else Buttons.NoButton
        if standard == Buttons.NoButton:
            offered = [b for b in Buttons if b.name and self.standardButtons() & b]
            standard = offered[0] if offered else Buttons.Ok
        return int(standard)


class ctkMessageBox(QMessageBox):
    """What `slicer.util` makes its message boxes of."""


class QFileDialog(QtWidgets.QFileDialog):
    """File dialog whose static functions return the prepared path, as a string."""


def _file_function(kind: str) -> Callable[..., str]:
    def ask(parent: Any = None, *rest: Any) -> str:
        if not record.interactive:
            return record.file()
        result = getattr(QtWidgets.QFileDialog, kind)(to_qt(parent), *map(to_qt, rest))
        return result[0] if isinstance(result, tuple) else result

    return ask


class QDialog(QtWidgets.QDialog):
    """Dialog that is not waited for: it gives the prepared answer, or is rejected."""

    def exec(self) -> int:
        """Record the title and return the answer."""
        if record.interactive:
            return super().exec()
        record.messages.append(self.windowTitle())
        self.done(int(record.answer(0)))
        return self.result()

    exec_ = exec


def _unanswered(name: str) -> Callable[..., None]:
    """Refuse a call that would wait for ever."""

    def refuse(*_: Any) -> None:
        msg = f"The host does not answer {name} yet."
        raise errors.HostGapError(msg)

    return refuse


class QMenu(QtWidgets.QMenu):
    """Menu that can be shown, but not waited for."""

    exec = exec_ = _unanswered("QMenu.exec")


class QInputDialog(QtWidgets.QInputDialog):
    """Input dialog that gives the prepared text, or is closed with the key Escape."""

    def exec(self) -> int:
        """Record the question and return the answer."""
        if record.interactive:
            return super().exec()
        record.messages.append(self.labelText())
        prepared = record.answer(ESCAPE)
        if prepared == ESCAPE:
            self.reject()
        else:
            self.setTextValue(prepared)
            self.accept()
        return self.result()

    exec_ = exec


class QTimer(QtCore.QTimer):
    """Timer whose single shots report the exceptions of what they call."""


def _single_shot(milliseconds: int, *target: Any) -> None:
    function = target[-1]
    if isinstance(function, str):
        function = getattr(target[0], function.strip("()0123456789"))

    def run() -> None:
        try:
            function()
        except BaseException as error:  # noqa: BLE001 - reported, and the test fails
            errors.report(error)

    QtCore.QTimer.singleShot(int(milliseconds), run)


class QSettings(QtCore.QSettings):
    """Settings in the file of the running host, never in the user's own."""

    path: ClassVar[str] = ""

    def __init__(self, *arguments: Any) -> None:
        if len(arguments) == 2 and isinstance(arguments[1], QtCore.QSettings.Format):
            super().__init__(*arguments)
        else:
            super().__init__(QSettings.path, QtCore.QSettings.Format.IniFormat)


class QDesktopServices(QtGui.QDesktopServices):
    """Opens nothing, keeps the addresses."""


def _open_url(url: Any) -> bool:
    record.messages.append(f"open {to_qt(url).toString()}")
    return True


class QUiLoader(QtUiTools.QUiLoader):
    """Loads .ui files with the stand-ins of the host, and refuses what a real class has not."""

    def load(self, device: Any, parent: Any = None) -> Any:
        """Return the widget that the open file describes."""
        from slicer_host import ui_loader

        is_open = hasattr(device, "readAll")
        text = device.readAll().data().decode() if is_open else Path(device).read_text()
        return ui_loader.load(text, parent)


BOXES = ("information", "warning", "critical", "question")
QMessageBox.host_static = {name: _unanswered(f"QMessageBox.{name}") for name in BOXES}
FILES = ("getExistingDirectory", "getOpenFileName", "getSaveFileName")
QFileDialog.host_static = {name: _file_function(name) for name in FILES}
QFileDialog.host_static["getOpenFileNames"] = _unanswered("QFileDialog.getOpenFileNames")
INPUTS = ("getText", "getInt", "getDouble", "getItem", "getMultiLineText")
QInputDialog.host_static = {name: _unanswered(f"QInputDialog.{name}") for name in INPUTS}
QTimer.host_static = {"singleShot": _single_shot}
QDesktopServices.host_static = {"openUrl": _open_url}

_REPLACED = (
    QMessageBox, QFileDialog, QDialog, QMenu, QInputDialog, QTimer, QSettings, QDesktopServices,
    QUiLoader,
)  # fmt: skip
REPLACEMENTS: dict[str, type] = {kind.__name__: kind for kind in _REPLACED}
