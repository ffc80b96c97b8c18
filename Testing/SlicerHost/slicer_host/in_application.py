"""Lets the fixtures of `pytest_plugin` run inside the real application."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from slicer_host.record import record


def is_real_application() -> bool:
    """Say whether this process is 3D Slicer itself."""
    try:
        import slicer
    except ImportError:
        return False
    return hasattr(slicer, "app") and "slicer_host" not in type(slicer).__module__


class RealApplication:
    """What the tests need of the host, done by the application."""

    def __init__(self) -> None:
        import slicer

        from slicer_host import errors

        self.core = SimpleNamespace(scene=slicer.mrmlScene)
        self.application = SimpleNamespace(processEvents=slicer.app.processEvents)
        self.window = slicer.util.mainWindow()
        self.folder = Path(tempfile.mkdtemp(prefix="slicer-tests-"))
        self.modules = SimpleNamespace(module=slicer.app.moduleManager().module)
        errors.install_hook()
        record_messages()
        self._answering = answer_boxes()

    def load(self, *paths: Path) -> None:
        """Load modules that are not loaded yet from their `.py` files."""
        import qt
        import slicer

        factory = slicer.app.moduleManager().factoryManager()
        for path in paths:
            if not factory.isRegistered(path.stem):
                factory.registerModule(qt.QFileInfo(str(path)))
        names = [path.stem for path in paths if not factory.isLoaded(path.stem)]
        if names and not factory.loadModules(names):
            msg = f"The application could not load {', '.join(names)}."
            raise RuntimeError(msg)

    def settle(self) -> None:
        """Handle all events that wait."""
        self.application.processEvents()

    def complete(self) -> None:
        """Nothing to do: the application has started."""

    def close(self) -> None:
        """Remove the folder of the tests; the runner ends the application."""
        shutil.rmtree(self.folder, ignore_errors=True)


class _Application:
    """The application, but it shows what it would show to a user: `messages` records it."""

    def __init__(self, real: Any) -> None:
        self._real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def testingEnabled(self) -> bool:
        """Say what the running test wants."""
        return record.testing


def record_messages() -> None:
    """Let message boxes and file dialogs that Python opens be recorded and answered."""
    import qt
    import slicer

    slicer.app = _Application(slicer.app)
    slicer.util._messageDisplay = _display
    slicer.util.messageBox = _message_box
    slicer.util.delayDisplay = _message_box
    names = ("getExistingDirectory", "getOpenFileName", "getSaveFileName")
    qt.QFileDialog = SimpleNamespace(**dict.fromkeys(names, _file))
    qt.QDesktopServices = SimpleNamespace(openUrl=_open)


def answer_boxes() -> Any:
    """Answer message boxes that are waited for, as the host does; return what must be kept."""
    import qt

    timer = qt.QTimer()
    timer.setInterval(10)
    timer.connect("timeout()", _answer_box)
    timer.start()
    return timer


def _answer_box() -> None:
    import qt
    import slicer

    box = slicer.app.activeModalWidget()
    if record.interactive or box is None or not box.visible:
        return
    if box.className() == "QInputDialog":
        _answer_question(box)
    if box.className() != "QMessageBox":
        return
    texts = (box.text, box.informativeText, box.detailedText)
    record.messages.append("\n".join(texts).strip())
    prepared = record.answer(None)
    if prepared == "Escape":
        for kind in (qt.QEvent.KeyPress, qt.QEvent.KeyRelease):
            qt.QCoreApplication.sendEvent(
                box, qt.QKeyEvent(kind, qt.Qt.Key_Escape, qt.Qt.NoModifier)
            )
        return
    button = box.defaultButton() if prepared is None else box.button(prepared)
    (button or box.buttons()[0]).click()


def _answer_question(dialog: Any) -> None:
    """Give the prepared text, or close the dialog."""
    record.messages.append(dialog.labelText())
    prepared = record.answer("Escape")
    if prepared == "Escape":
        dialog.reject()
        return
    dialog.setTextValue(prepared)
    dialog.accept()


def _display(_level: int, text: str, _testing: Any, *_: Any, **keywords: Any) -> Any:
    return _message_box(text, **keywords)


def _message_box(text: str, *_: Any, **keywords: Any) -> int:
    parts = (text, keywords.get("informativeText", ""), keywords.get("detailedText", ""))
    record.messages.append("\n".join(map(str, parts)).strip())
    buttons = int(keywords.get("standardButtons") or 0x400)
    return int(record.answer(buttons & -buttons))  # the first button, as in the host


def _open(url: Any) -> bool:
    record.messages.append(f"open {url.toString()}")
    return True


def _file(*_: Any) -> str:
    return record.files.popleft() if record.files else ""
