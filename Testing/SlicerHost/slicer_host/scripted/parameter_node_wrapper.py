"""`slicer.parameterNodeWrapper`: the part of it that the host offers.

Fields may be bool, int, float, str, an Enum, a node class, a union of node classes (with None), and
lists of bool, int, float or str; annotations may be WithinRange and Minimum. Everything else is
refused when the class is made.
"""

from __future__ import annotations

import typing
from dataclasses import dataclass
from typing import Any

import slicer
import vtk

from slicer_host.errors import HostGapError
from slicer_host.scripted.parameter_values import (
    Minimum,
    Serializer,
    Validator,
    WithinRange,
    serializer_for,
)
from slicer_host.scripted.parameter_widgets import GuiConnector, connector

__all__ = ["Minimum", "WithinRange", "parameterNodeWrapper"]

MISSING = {
    "Choice", "Decimals", "Default", "Exclude", "GuiConnector", "IsInstance", "Maximum", "NotNone",
    "SingleStep", "Validator", "createGuiConnector", "isParameterNodeWrapper",
    "parameterNodeGuiConnector", "parameterPack",
}  # fmt: skip
RESERVED = {
    "AddObserver", "EndModify", "Modified", "RemoveObserver", "StartModify", "connectGui",
    "connectParametersToGui", "dataType", "default", "disconnectGui", "getValue", "setValue",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in MISSING:
        msg = f"The host does not imitate parameterNodeWrapper.{name} yet."
        raise HostGapError(msg)
    raise AttributeError(name)


@dataclass(frozen=True)
class Parameter:
    """One field: name, type, annotations, serializer, default."""

    name: str
    kind: Any
    notes: tuple[Any, ...]
    serializer: Serializer
    default: Any

    def write(self, node: Any, value: Any) -> None:
        """Check the value and keep it in the node."""
        for check in (self.serializer, *self.notes):
            check.validate(value)
        self.serializer.write(node, self.name, value)

    def read(self, node: Any) -> Any:
        """Return the value from the node."""
        if not self.serializer.isIn(node, self.name):
            self.write(node, self.default)
        return self.serializer.read(node, self.name)

    def asProperty(self) -> property:
        return property(
            lambda owner: self.read(owner.parameterNode),
            lambda owner, value: self.write(owner.parameterNode, value),
        )


def _parameter(owner: type, name: str, datatype: Any) -> Parameter:
    arguments = typing.get_args(datatype) if hasattr(datatype, "__metadata__") else (datatype,)
    serializer, notes = serializer_for(arguments[0]), arguments[1:]
    if not all(isinstance(note, Validator) for note in notes):
        msg = f"The host does not imitate the annotations of '{name}': {notes}."
        raise HostGapError(msg)
    default = getattr(owner, name) if hasattr(owner, name) else serializer.default()
    return Parameter(name, arguments[0], notes, serializer, default)


class WrapperMethods:
    """Methods of every wrapped class."""

    allParameters: dict[str, Parameter]

    def __init__(self, parameterNode: Any) -> None:
        self.parameterNode = parameterNode
        self._guis: dict[int, dict[str, GuiConnector]] = {}
        self._isUpdating = False
        for parameter in self.allParameters.values():
            parameter.read(parameterNode)

    def connectGui(self, gui: Any) -> int:
        is_widget = hasattr(gui, "findChildren")
        children = gui.findChildren("QWidget") if is_widget else vars(gui).values()
        named = [(one.property("SlicerParameterName"), one) for one in children]
        widgets = {name: widget for name, widget in named if name}
        for name in widgets:
            if name not in self.allParameters:
                msg = f"Cannot find a param with the given name: {name}"
                raise ValueError(msg)
        connectors = {}
        for name, widget in widgets.items():
            parameter = self.allParameters[name]
            connectors[name] = connector(widget, parameter.kind, parameter.notes)
        for name, one in connectors.items():
            one.write(getattr(self, name))
            one.onChanged(self._writer(name, one))
        tag = self.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: self._updateGui())
        self._guis[tag] = connectors
        return tag

    def _writer(self, name: str, one: GuiConnector) -> Any:
        def write() -> None:
            if not self._isUpdating:
                with slicer.util.NodeModify(self):
                    setattr(self, name, one.read())

        return write

    def _updateGui(self) -> None:
        if self._isUpdating:
            return
        self._isUpdating = True
        try:
            with slicer.util.NodeModify(self):
                for connectors in list(self._guis.values()):
                    for name, one in connectors.items():
                        one.write(getattr(self, name))
        finally:
            self._isUpdating = False

    def disconnectGui(self, tag: Any) -> None:
        if tag in self._guis:
            for one in self._guis.pop(tag).values():
                one.onChanged(None)
            self.RemoveObserver(tag)

    def StartModify(self) -> int:
        return self.parameterNode.StartModify()

    def EndModify(self, wasModified: int) -> None:
        self.parameterNode.EndModify(wasModified)

    def AddObserver(self, event: Any, callback: Any, priority: float = 0.0) -> int:
        return self.parameterNode.AddObserver(event, callback, priority)

    def RemoveObserver(self, tag: int) -> None:
        self.parameterNode.RemoveObserver(tag)


def parameterNodeWrapper(owner: type) -> type:
    """Make a class with annotated fields into a typed view of a parameter node."""
    hints = typing.get_type_hints(owner, include_extras=True)
    for name in RESERVED:
        if name in hints or hasattr(owner, name):
            msg = f"Cannot use reserved name '{name}' in a parameterNodeWrapper"
            raise ValueError(msg)
    owner.allParameters = {name: _parameter(owner, name, kind) for name, kind in hints.items()}
    for name, parameter in owner.allParameters.items():
        setattr(owner, name, parameter.asProperty())
    for name, value in vars(WrapperMethods).items():
        if name == "__init__" or (callable(value) and not name.startswith("__")):
            setattr(owner, name, value)
    return owner
