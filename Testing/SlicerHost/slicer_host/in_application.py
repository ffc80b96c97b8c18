"""Lets the fixtures of `pytest_plugin` run inside the real application."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any


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


def messages() -> Any:
    """Return a record of messages that stays empty: the application shows none while testing."""
    from collections import deque

    return SimpleNamespace(
        messages=[], answers=deque(), files=deque(), installs=[], clear=lambda: None
    )
