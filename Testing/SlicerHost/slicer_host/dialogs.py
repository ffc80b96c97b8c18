"""Qt classes that would block or leave the test's folder: they answer at once and keep a record."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets

from slicer_host import errors
from slicer_host.pythonqt.conversion import to_qt
from slicer_host.pythonqt.enums import enum_value
from slicer_host.record import record

Buttons = QtWidgets.QMessageBox.StandardButton


class QMessageBox(QtWidgets.QMessageBox):
    """Message box that answers with the prepared or the default button."""

    def exec(self) -> int:
        """Record the text and return the answer."""
        if record.interactive:
            return super().exec()
        record.messages.append(
            f"{self.text()}\n{self.informativeText()}\n{self.detailedText()}".strip()
        )
        answer = to_qt(record.answer(self._default()))
        chosen = self.button(Buttons(int(answer)))
        if chosen is not None:
            self.buttonClicked.emit(chosen)
        self.setResult(int(answer))
        self.finished.emit(int(answer))
        return int(answer)

    exec_ = exec

    def open(self) -> None:
        """Show without waiting."""
        self.exec()

    def show(self) -> None:
        """Record the text instead of opening a window."""
        if record.interactive:
            super().show()
        else:
            record.messages.append(self.text())

    def _default(self) -> int:
        button = self.defaultButton()
        standard = self.standardButton(button) if button is not None else Buttons.NoButton
        if standard == Buttons.NoButton:
            offered = [b for b in Buttons if b.name and self.standardButtons() & b]
            standard = offered[0] if offered else Buttons.Ok
        return int(standard)


def _static_box(kind: str, default: Buttons) -> Callable[..., int]:
    def show(parent: Any, title: str, text: str, *rest: Any) -> int:
        if record.interactive:
            function = getattr(QtWidgets.QMessageBox, kind)
            return enum_value(function(to_qt(parent), title, text, *map(_button, rest)))
        record.messages.append(str(text))
        return int(record.answer(rest[1] if len(rest) > 1 else default))

    return show


def _button(value: Any) -> Any:
    return Buttons(int(value))


QMessageBox.host_static = {
    "information": _static_box("information", Buttons.Ok),
    "warning": _static_box("warning", Buttons.Ok),
    "critical": _static_box("critical", Buttons.Ok),
    "question": _static_box("question", Buttons.Yes),
}


class QFileDialog(QtWidgets.QFileDialog):
    """File dialog whose static functions return the prepared path, as a string."""


def _file_function(kind: str, *, several: bool = False) -> Callable[..., Any]:
    def ask(parent: Any = None, *rest: Any) -> Any:
        if record.interactive:
            result = getattr(QtWidgets.QFileDialog, kind)(to_qt(parent), *map(to_qt, rest))
            result = result[0] if isinstance(result, tuple) else result
        else:
            result = record.files.popleft() if record.files else ""
        return tuple([result] if isinstance(result, str) else result) if several else result

    return ask


QFileDialog.host_static = {
    "getExistingDirectory": _file_function("getExistingDirectory"),
    "getOpenFileName": _file_function("getOpenFileName"),
    "getOpenFileNames": _file_function("getOpenFileNames", several=True),
    "getSaveFileName": _file_function("getSaveFileName"),
}


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


class QMenu(QtWidgets.QMenu):
    """Menu that is not waited for: the prepared answer is the text of the chosen entry."""

    def exec(self, *arguments: Any) -> Any:
        """Trigger and return the chosen action."""
        if record.interactive:
            return super().exec(*arguments)
        entries = {action.text().replace("&", ""): action for action in self.actions()}
        chosen = entries.get(record.answer(None))
        if chosen is not None and chosen.isEnabled():
            chosen.trigger()
            return chosen
        return None

    exec_ = popup = exec


class QInputDialog(QtWidgets.QInputDialog):
    """Input dialog whose static functions return the prepared answer, without a second value."""


def _input(kind: str, place: int, default: Any) -> Callable[..., Any]:
    def ask(parent: Any, title: str, label: str, *rest: Any) -> Any:
        if record.interactive:
            function = getattr(QtWidgets.QInputDialog, kind)
            return function(to_qt(parent), title, label, *map(to_qt, rest))[0]
        record.messages.append(label)
        return record.answer(rest[place] if len(rest) > place else default)

    return ask


QInputDialog.host_static = {
    "getText": _input("getText", 1, ""),
    "getInt": _input("getInt", 0, 0),
    "getDouble": _input("getDouble", 0, 0.0),
    "getItem": _input("getItem", 9, ""),
}


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


QTimer.host_static = {"singleShot": _single_shot}


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


QDesktopServices.host_static = {"openUrl": _open_url}


class QUiLoader(QtUiTools.QUiLoader):
    """Loads .ui files with the stand-ins of the host, and refuses what a real class has not."""

    def load(self, device: Any, parent: Any = None) -> Any:
        """Return the widget that the open file describes."""
        from slicer_host import ui_loader

        text = (
            device.readAll().data().decode()
            if hasattr(device, "readAll")
            else Path(device).read_text()
        )
        return ui_loader.load(text, parent)


_REPLACED = (
    QMessageBox,
    QFileDialog,
    QDialog,
    QMenu,
    QInputDialog,
    QTimer,
    QSettings,
    QDesktopServices,
    QUiLoader,
)
REPLACEMENTS: dict[str, type] = {kind.__name__: kind for kind in _REPLACED}
