"""The class decorator `parameterNodeWrapper`."""

from __future__ import annotations

import typing
from dataclasses import dataclass
from typing import Any

import slicer
import vtk

from slicer_host.scripted.parameter_node_wrapper.connectors import GuiConnector, createGuiConnector
from slicer_host.scripted.parameter_node_wrapper.serializers import Serializer, serializer_for
from slicer_host.scripted.parameter_node_wrapper.validators import Default, Validator

SlicerParameterNamePropertyName = "SlicerParameterName"


@dataclass(frozen=True)
class Parameter:
    """One field: name, type, serializer, validators, default."""

    name: str
    datatype: Any
    serializer: Serializer
    validators: tuple[Validator, ...]
    default: Default

    def write(self, node: Any, value: Any) -> None:
        """Check the value and keep it in the node."""
        for validator in self.validators:
            validator.validate(value)
        self.serializer.write(node, self.name, value)

    def read(self, node: Any) -> Any:
        """Return the value from the node."""
        if not self.serializer.isIn(node, self.name):
            self.write(node, self.default.value)
        return self.serializer.read(node, self.name)


def _parameter(owner: type, name: str, datatype: Any) -> Parameter:
    arguments = typing.get_args(datatype) if hasattr(datatype, "__metadata__") else (datatype,)
    serializer = serializer_for(arguments[0])
    notes = [note() if isinstance(note, type) else note for note in arguments[1:]]
    validators = [note for note in notes if isinstance(note, Validator)]
    defaults = [note for note in notes if isinstance(note, Default)]
    if hasattr(owner, name):
        default = Default(getattr(owner, name))
    else:
        default = defaults[0] if defaults else Default(serializer.default())
    return Parameter(name, datatype, serializer, (*serializer.validators(), *validators), default)


class WrapperMethods:
    """Methods of every wrapped class."""

    allParameters: dict[str, Parameter]

    def __init__(self, parameterNode: Any, prefix: str | None = None) -> None:
        self.parameterNode = parameterNode
        self._guis: dict[int, tuple[dict[str, GuiConnector], int]] = {}
        self._nextTag = 0
        self._updating = False
        for parameter in self.allParameters.values():
            if not parameter.serializer.isIn(parameterNode, parameter.name):
                parameter.write(parameterNode, parameter.default.value)

    def _known(self, name: str) -> Parameter:
        if name not in self.allParameters:
            known = "".join(f"\n    {one}," for one in self.allParameters)
            msg = (
                f"Cannot find a param with the given name: {name}\n  Found parameters [{known}\n  ]"
            )
            raise ValueError(msg)
        return self.allParameters[name]

    def getValue(self, name: str) -> Any:
        return self._known(name).read(self.parameterNode)

    def setValue(self, name: str, value: Any) -> None:
        self._known(name).write(self.parameterNode, value)

    def default(self, name: str) -> Default:
        return self._known(name).default

    def dataType(self, name: str) -> Any:
        return self._known(name).datatype

    def connectGui(self, gui: Any) -> int:
        import qt

        is_widget = getattr(gui, "isWidgetType", lambda: False)()
        widgets = gui.findChildren(qt.QWidget) if is_widget else gui.__dict__.values()
        names = [(one.property(SlicerParameterNamePropertyName), one) for one in widgets]
        return self.connectParametersToGui({name: one for name, one in names if name})

    def connectParametersToGui(self, mapping: dict[str, Any]) -> int:
        for name in mapping:
            self._known(name)
        connectors = {
            name: one
            if isinstance(one, GuiConnector)
            else createGuiConnector(one, self.dataType(name))
            for name, one in mapping.items()
        }
        for name, connector in connectors.items():
            connector.write(self.getValue(name))
            connector.onChanged(self._writer(name, connector))
        observer = self.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: self._updateGui())
        tag, self._nextTag = self._nextTag, self._nextTag + 1
        self._guis[tag] = (connectors, observer)
        return tag

    def _writer(self, name: str, connector: GuiConnector) -> Any:
        def write() -> None:
            with slicer.util.NodeModify(self):
                if not self._updating:
                    self.setValue(name, connector.read())

        return write

    def _updateGui(self) -> None:
        if self._updating:
            return
        self._updating = True
        try:
            with slicer.util.NodeModify(self):
                for connectors, _ in list(self._guis.values()):
                    for name, connector in connectors.items():
                        connector.write(self.getValue(name))
        finally:
            self._updating = False

    def disconnectGui(self, tag: Any) -> None:
        if tag in self._guis:
            connectors, observer = self._guis.pop(tag)
            for connector in connectors.values():
                connector.onChanged(None)
            self.RemoveObserver(observer)

    def StartModify(self) -> int:
        return self.parameterNode.StartModify()

    def EndModify(self, wasModified: int) -> None:
        self.parameterNode.EndModify(wasModified)

    def AddObserver(self, event: Any, callback: Any, priority: float = 0.0) -> int:
        return self.parameterNode.AddObserver(event, callback, priority)

    def RemoveObserver(self, tag: int) -> None:
        self.parameterNode.RemoveObserver(tag)

    def Modified(self) -> None:
        self.parameterNode.Modified()


def _property(parameter: Parameter) -> property:
    return property(
        lambda self: parameter.read(self.parameterNode),
        lambda self, value: parameter.write(self.parameterNode, value),
    )


def _wrap(owner: type) -> type:
    hints = typing.get_type_hints(owner, include_extras=True)
    parameters = {name: _parameter(owner, name, kind) for name, kind in hints.items()}
    for name in vars(WrapperMethods):
        is_reserved = not name.startswith("__") and hasattr(owner, name)
        if is_reserved or name in parameters:
            msg = f"Cannot use reserved name '{name}' in a parameterNodeWrapper"
            raise ValueError(msg)
    for name, parameter in parameters.items():
        setattr(owner, name, _property(parameter))
    for name, value in vars(WrapperMethods).items():
        if name == "__init__" or not name.startswith("__"):
            setattr(owner, name, value)
    owner.allParameters = parameters
    owner._is_parameter_node_wrapper = True
    return owner


def isParameterNodeWrapper(classOrObject: Any) -> bool:
    """Say whether the class or object comes from `parameterNodeWrapper`."""
    return bool(getattr(classOrObject, "_is_parameter_node_wrapper", False))


def parameterNodeWrapper(classtype: type | None = None) -> Any:
    """Make a class with annotated fields into a typed view of a parameter node."""
    return _wrap if classtype is None else _wrap(classtype)
