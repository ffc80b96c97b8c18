"""Stand-ins for modules, their widgets and the module manager."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import slicer
from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from slicer_host import errors
from slicer_host.pythonqt.wrapper import wrap
from slicer_host.stand_ins import stored


class qSlicerLoadableModule(QObject):
    """A module of the application of which the host has only the logic."""

    def __init__(self, name: str, logic: Any) -> None:
        super().__init__()
        self._name, self._logic = name, logic

    def name(self) -> str:
        return self._name

    def logic(self) -> Any:
        return self._logic

    def widgetRepresentation(self) -> QWidget | None:
        return None


class qSlicerScriptedLoadableModuleWidget(QWidget):
    """Panel of a scripted module."""

    def __init__(self, module: qSlicerScriptedLoadableModule) -> None:
        super().__init__()
        self._name, self._self = module.name(), None
        self._isEntered = False
        self.setObjectName(f"{self._name}ModuleWidget")
        QVBoxLayout(self)
        self.reload()

    def reload(self) -> None:
        """Make the Python object of the panel, anew where there was one, and set it up."""
        name = f"{self._name}Widget"
        self._self = getattr(sys.modules[self._name], name)(wrap(self))
        setattr(slicer.modules, name, self._self)
        self._self.setup()

    def self(self) -> Any:
        return self._self

    def isEntered(self) -> bool:
        return self._isEntered

    def enter(self) -> None:
        self._isEntered = True
        _call(self._self, "enter")

    def exit(self) -> None:
        self._isEntered = False
        _call(self._self, "exit")


def _call(target: Any, name: str) -> None:
    try:
        getattr(target, name, lambda: None)()
    except BaseException as error:  # noqa: BLE001 - the application prints it, tests fail
        errors.report(error)


@stored(
    title="", categories=(), dependencies=(), contributors=(), helpText="", acknowledgementText="",
    icon=None, hidden=False,
)  # fmt: skip
class qSlicerScriptedLoadableModule(QObject):
    """A module written in Python."""

    host_names = ("load",)

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._widget: qSlicerScriptedLoadableModuleWidget | None = None

    def load(self) -> None:
        """Import the file and make its module object."""
        name = self._path.stem
        if str(self._path.parent) not in sys.path:
            sys.path.append(str(self._path.parent))
        spec = importlib.util.spec_from_file_location(name, self._path)
        source = importlib.util.module_from_spec(spec)
        sys.modules[name] = source
        spec.loader.exec_module(source)
        self._instance = getattr(source, name)(wrap(self))
        setattr(slicer.modules, f"{name}Instance", self._instance)

    def name(self) -> str:
        return self._path.stem

    def path(self) -> str:
        return str(self._path)

    def widgetRepresentation(self) -> QWidget:
        if self._widget is None:
            self._widget = qSlicerScriptedLoadableModuleWidget(self)
        return self._widget


class qSlicerModuleManager(QObject):
    """All modules by name."""

    host_names = ("add", "load", "unload")

    moduleAboutToBeUnloaded = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._modules: dict[str, QObject] = {}

    def add(self, module: Any) -> None:
        """Make the module known under its name."""
        self._modules[module.name()] = module
        setattr(slicer.modules, module.name().lower(), wrap(module))
        setattr(slicer.moduleNames, module.name(), module.name())

    def load(self, path: Path) -> None:
        """Load a scripted module; its dependencies must be there already."""
        module = qSlicerScriptedLoadableModule(path)
        self.add(module)
        module.load()
        missing = [name for name in module.dependencies() if name not in self._modules]
        if missing:
            msg = f"Module {module.name()} depends on {', '.join(missing)}, which is not loaded."
            raise RuntimeError(msg)

    def module(self, name: str) -> QObject | None:
        return self._modules.get(name)

    def modulesNames(self) -> list[str]:
        return list(self._modules)

    def unload(self) -> None:
        """Tell every module that it goes, as at the end of the application."""
        for name in self._modules:
            self.moduleAboutToBeUnloaded.emit(name)
