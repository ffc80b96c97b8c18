"""Which widgets can be bound to which types of parameters, and how."""

from __future__ import annotations

import dataclasses
import enum
import typing
from collections.abc import Callable
from typing import Any

from slicer_host.scripted.parameter_node_wrapper.serializers import PATHS, node_classes
from slicer_host.scripted.parameter_node_wrapper.validators import (
    Choice,
    Maximum,
    Minimum,
    WithinRange,
)


@dataclasses.dataclass
class Decimals:
    """Number of decimals that a bound widget shows."""

    value: int


@dataclasses.dataclass
class SingleStep:
    """Step of a bound widget."""

    value: float


class GuiConnector:
    """Binds a widget: `read` and `write` its value, and tell when it changed."""

    signal = ""

    def __init__(self, widget: Any, annotations: list[Any], kind: Any) -> None:
        self._widget, self._kind, self._callback = widget, kind, None
        self.prepare(annotations)

    def prepare(self, annotations: list[Any]) -> None:
        """Set limits and items of the widget."""

    def widget(self) -> Any:
        return self._widget

    def onChanged(self, callback: Callable[[], None] | None) -> None:
        if self._callback is not None and self.signal:
            getattr(self._widget, self.signal).disconnect(self.changed)
        self._callback = callback
        if callback is not None and self.signal:
            getattr(self._widget, self.signal).connect(self.changed)

    def changed(self) -> None:
        if self._callback:
            self._callback()

    def read(self) -> Any:
        raise NotImplementedError

    def write(self, value: Any) -> None:
        raise NotImplementedError


class CheckConnector(GuiConnector):
    signal = "toggled"

    def prepare(self, annotations: list[Any]) -> None:
        if self._widget.className() != "QCheckBox":
            self._widget.checkable = True

    def read(self) -> bool:
        return self._widget.checked

    def write(self, value: bool) -> None:
        self._widget.checked = value


class NumberConnector(GuiConnector):
    signal = "valueChanged"

    def prepare(self, annotations: list[Any]) -> None:
        name = self._widget.className()
        for note in annotations:
            if isinstance(note, Decimals):
                self._widget.decimals = note.value
            if isinstance(note, SingleStep):
                self._widget.singleStep = note.value
        low, high = _limits(annotations)
        if name in {"QSlider", "ctkSliderWidget", "qMRMLSliderWidget"} and None in (low, high):
            msg = f"Cannot have a connection to {name} where the type is unbounded."
            raise RuntimeError(msg)
        if self._kind is int and name not in {"QSlider", "QSpinBox"}:
            self._widget.decimals = 0
        if name in {"QSlider", "QSpinBox"}:
            low, high = (-(2**31) if low is None else low), (2**31 - 1 if high is None else high)
        self._widget.minimum = float("-inf") if low is None else low
        self._widget.maximum = float("inf") if high is None else high

    def read(self) -> Any:
        return int(self._widget.value) if self._kind is int else self._widget.value

    def write(self, value: Any) -> None:
        self._widget.value = value


def _limits(annotations: list[Any]) -> tuple[Any, Any]:
    low = high = None
    for note in annotations:
        if isinstance(note, WithinRange | Minimum):
            low = note.minimum
        if isinstance(note, WithinRange | Maximum):
            high = note.maximum
    return low, high


class ChoiceConnector(GuiConnector):
    """Combo box: texts of a Choice, or the labels of an Enum."""

    signal = "currentIndexChanged"

    def prepare(self, annotations: list[Any]) -> None:
        if isinstance(self._kind, type) and issubclass(self._kind, enum.Enum):
            label = getattr(self._kind, "label", lambda one: one.name)
            self._values = {label(one): one for one in self._kind}
        else:
            choices = [note for note in annotations if isinstance(note, Choice)]
            if not choices:
                msg = "ComboBoxToStringableConnector requires the Choice annotation to be used."
                raise RuntimeError(msg)
            self._values = {str(one): one for one in choices[0].choices}
        self._widget.clear()
        for text in self._values:
            self._widget.addItem(text)

    def read(self) -> Any:
        return list(self._values.values())[self._widget.currentIndex]

    def write(self, value: Any) -> None:
        values = list(self._values.values())
        if value not in values:
            msg = f"Unable to find value {value} in choices {values}"
            raise ValueError(msg)
        self._widget.currentIndex = values.index(value)


class TextConnector(GuiConnector):
    signal = "textChanged"

    def read(self) -> str:
        return self._widget.text

    def write(self, value: str) -> None:
        if value != self._widget.text:
            self._widget.text = value


class LabelConnector(TextConnector):
    signal = ""


class PlainTextConnector(GuiConnector):
    signal = "textChanged"

    def read(self) -> str:
        return self._widget.plainText

    def write(self, value: str) -> None:
        if value != self._widget.plainText:
            self._widget.plainText = value


class PathConnector(GuiConnector):
    signal, attribute = "currentPathChanged", "currentPath"

    def read(self) -> Any:
        return self._kind(getattr(self._widget, self.attribute))

    def write(self, value: Any) -> None:
        setattr(self._widget, self.attribute, str(value))


class DirectoryConnector(PathConnector):
    signal, attribute = "directoryChanged", "directory"


class NodeConnector(GuiConnector):
    signal = "currentNodeChanged"

    def prepare(self, annotations: list[Any]) -> None:
        """Make one node of each class for its name, which an abstract class refuses."""
        self._widget.nodeTypes = [kind().GetClassName() for kind in node_classes(self._kind)]

    def read(self) -> Any:
        return self._widget.currentNode()

    def write(self, value: Any) -> None:
        self._widget.setCurrentNode(value)


NUMBERS = (
    "QDoubleSpinBox",
    "ctkSliderWidget",
    "qMRMLSliderWidget",
    "ctkDoubleSpinBox",
    "qMRMLSpinBox",
)
_registered: list[Any] = []


def parameterNodeGuiConnector(kind: Any = None) -> Any:
    """Register a connector class with `canRepresent(widget, datatype)` and `create`."""

    def register(one: Any) -> Any:
        _registered.append(one)
        return one

    return register if kind is None else register(kind)


def createGuiConnector(widget: Any, datatype: Any) -> Any:
    """Return the connector between a widget and a possibly annotated type."""
    for one in _registered:
        if one.canRepresent(widget, datatype):
            return one.create(widget, datatype)
    arguments = typing.get_args(datatype) if hasattr(datatype, "__metadata__") else (datatype,)
    kind, annotations = arguments[0], list(arguments[1:])
    name = widget.className()
    found = _connector(name, kind)
    if found is None:
        msg = f"Unable to create GUI connector from datatype '{datatype}' to widget type '{name}'."
        raise RuntimeError(msg)
    return found(widget, annotations, kind)


def _connector(widget: str, kind: Any) -> type[GuiConnector] | None:
    for kinds, widgets, connector in (
        (
            (bool,),
            ("QCheckBox", "ctkCheckBox", "QPushButton", "ctkCheckablePushButton"),
            CheckConnector,
        ),
        ((int,), ("QSlider", "QSpinBox"), NumberConnector),
        ((int, float), NUMBERS, NumberConnector),
        ((int, float, str, bool), ("QComboBox", "ctkComboBox"), ChoiceConnector),
        ((str,), ("QLineEdit",), TextConnector),
        ((str,), ("QLabel",), LabelConnector),
        ((str,), ("QTextEdit",), PlainTextConnector),
        (PATHS, ("ctkPathLineEdit",), PathConnector),
        (PATHS, ("ctkDirectoryButton",), DirectoryConnector),
    ):
        if kind in kinds and widget in widgets:
            return connector
    is_class = isinstance(kind, type)
    if is_class and issubclass(kind, enum.Enum) and widget in ("QComboBox", "ctkComboBox"):
        return ChoiceConnector
    is_node = is_class or typing.get_origin(kind) is typing.Union
    if is_node and node_classes(kind) and widget == "qMRMLNodeComboBox":
        return NodeConnector
    return None
