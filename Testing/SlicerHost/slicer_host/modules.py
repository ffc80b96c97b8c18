"""Stand-ins for modules, their widgets and the module manager."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import slicer
from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QVBoxLayout, QWidget

from slicer_host import errors
from slicer_host.pythonqt.wrapper import wrap


class qSlicerLoadableModule(QObject):
    """A module of the application of which the host has only the logic."""

    def __init__(self, name: str, logic: Any = None) -> None:
        super().__init__()
        self._name, self._logic = name, logic
        self.setObjectName(name)

    def name(self) -> str:
        return self._name

    def title(self) -> str:
        return self._name

    def path(self) -> str:
        return ""

    def logic(self) -> Any:
        return self._logic

    def mrmlScene(self) -> Any:
        return slicer.mrmlScene

    def widgetRepresentation(self) -> QWidget | None:
        return None

    def isHidden(self) -> bool:
        return False


class qSlicerScriptedLoadableModuleWidget(QWidget):
    """Panel of a scripted module."""

    mrmlSceneChanged = Signal(object)

    def __init__(self, module: qSlicerScriptedLoadableModule) -> None:
        super().__init__()
        self._module, self._self = module, None
        self._isEntered = False
        self.setObjectName(f"{module.name()}ModuleWidget")
        QVBoxLayout(self)

    def create(self) -> None:
        """Make the Python object of the panel and set it up."""
        name = f"{self._module.name()}Widget"
        source = sys.modules[self._module.name()]
        self._self = getattr(source, name)(wrap(self))
        setattr(slicer.modules, name, self._self)
        self._self.setup()

    def reload(self) -> None:
        self.create()

    def self(self) -> Any:
        return self._self

    def moduleName(self) -> str:
        return self._module.name()

    def module(self) -> Any:
        return self._module

    def isEntered(self) -> bool:
        return self._isEntered

    def enter(self) -> None:
        self._isEntered = True
        _call(self._self, "enter")

    def exit(self) -> None:
        self._isEntered = False
        _call(self._self, "exit")

    def setMRMLScene(self, scene: Any) -> None:
        self.mrmlSceneChanged.emit(scene)


def _call(target: Any, name: str) -> None:
    try:
        getattr(target, name, lambda: None)()
    except BaseException as error:  # noqa: BLE001 - the application prints it, tests fail
        errors.report(error)


class qSlicerScriptedLoadableModule(QObject):
    """A module written in Python."""

    host_names = ("hasWidget", "load")

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._widget: qSlicerScriptedLoadableModuleWidget | None = None
        self._values: dict[str, Any] = {
            "title": "", "categories": [], "dependencies": [], "contributors": [], "helpText": "",
            "acknowledgementText": "", "icon": QIcon(), "hidden": False, "index": -1,
            "associatedNodeTypes": [], "extensions": {},
        }  # fmt: skip
        self._logic = slicer.vtkSlicerScriptedLoadableModuleLogic()
        self.setObjectName(path.stem)

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
        if hasattr(self._instance, "setup"):
            self._instance.setup()

    def name(self) -> str:
        return self._path.stem

    def path(self) -> str:
        return str(self._path)

    def logic(self) -> Any:
        return self._logic

    def mrmlScene(self) -> Any:
        return slicer.mrmlScene

    def isInstalled(self) -> bool:
        return False

    isBuiltIn = isInstalled

    def hasWidget(self) -> bool:
        """Say whether the module has a panel."""
        return hasattr(sys.modules[self.name()], f"{self.name()}Widget")

    def widgetRepresentation(self) -> QWidget | None:
        if self._widget is None and self.hasWidget():
            self._widget = qSlicerScriptedLoadableModuleWidget(self)
            self._widget.create()
        return self._widget

    def createNewWidgetRepresentation(self) -> QWidget:
        widget = qSlicerScriptedLoadableModuleWidget(self)
        widget.create()
        return widget


def _add_value(getter: str, name: str) -> None:
    def get(self: Any) -> Any:
        return self._values[name]

    def put(self: Any, value: Any) -> None:
        self._values[name] = list(value) if isinstance(value, tuple) else value

    setattr(qSlicerScriptedLoadableModule, getter, get)
    setattr(qSlicerScriptedLoadableModule, f"set{name[0].upper()}{name[1:]}", put)


for _name in (
    "title", "categories", "dependencies", "contributors", "helpText", "acknowledgementText",
    "icon", "index", "associatedNodeTypes", "extensions",
):  # fmt: skip
    _add_value(_name, _name)
_add_value("isHidden", "hidden")


class qSlicerModuleFactoryManager(QObject):
    """Knows which modules there are."""

    def __init__(self, manager: qSlicerModuleManager) -> None:
        super().__init__(manager)
        self._manager = manager

    def registeredModuleNames(self) -> list[str]:
        return self._manager.modulesNames()

    instantiatedModuleNames = loadedModuleNames = registeredModuleNames

    def isRegistered(self, name: str) -> bool:
        return name in self._manager.modulesNames()

    isInstantiated = isLoaded = isRegistered


class qSlicerModuleManager(QObject):
    """All modules by name."""

    host_names = ("add", "load", "unload")

    moduleLoaded = Signal(str)
    moduleAboutToBeUnloaded = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._modules: dict[str, QObject] = {}
        self._factory = qSlicerModuleFactoryManager(self)

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
        self.moduleLoaded.emit(module.name())

    def module(self, name: str) -> QObject | None:
        return self._modules.get(name)

    def modulesNames(self) -> list[str]:
        return list(self._modules)

    def factoryManager(self) -> qSlicerModuleFactoryManager:
        return self._factory

    def unload(self) -> None:
        """Tell every module that it goes, as at the end of the application."""
        for name in self._modules:
            self.moduleAboutToBeUnloaded.emit(name)
