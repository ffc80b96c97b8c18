"""Which widgets can be bound to which types of parameters, and how."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from typing import Any

from slicer_host.scripted.parameter_values import Validator, node_classes

SLIDERS = {"QSlider", "ctkSliderWidget"}
INTEGERS = {"QSlider", "QSpinBox"}


class GuiConnector:
    """Binds a widget: `read` and `write` its value, and tell when it changed."""

    signal, attribute = "", ""

    def __init__(self, widget: Any, kind: Any, notes: Iterable[Any]) -> None:
        self._widget, self._kind = widget, kind
        self._callback: Callable[[], None] | None = None
        self.prepare(notes)

    def prepare(self, notes: Iterable[Any]) -> None:
        """Set limits and items of the widget."""

    def onChanged(self, callback: Callable[[], None] | None) -> None:
        signal = getattr(self._widget, self.signal)
        if self._callback is not None:
            signal.disconnect(self.changed)
        self._callback = callback
        if callback is not None:
            signal.connect(self.changed)

    def changed(self) -> None:
        self._callback()

    def read(self) -> Any:
        return getattr(self._widget, self.attribute)

    def write(self, value: Any) -> None:
        if value != self.read():
            setattr(self._widget, self.attribute, value)


class CheckConnector(GuiConnector):
    signal, attribute = "toggled", "checked"


class TextConnector(GuiConnector):
    signal, attribute = "textChanged", "text"


class NumberConnector(GuiConnector):
    signal, attribute = "valueChanged", "value"

    def prepare(self, notes: Iterable[Any]) -> None:
        name, low, high = self._widget.className(), None, None
        for note in notes:
            if isinstance(note, Validator):
                low = note.minimum if low is None else low
                high = note.maximum if high is None else high
        if name in SLIDERS and None in (low, high):
            msg = f"Cannot have a connection to {name} where the type is unbounded."
            raise RuntimeError(msg)
        if self._kind is int and name not in INTEGERS:
            self._widget.decimals = 0
        least, most = (-(2**31), 2**31 - 1) if name in INTEGERS else (float("-inf"), float("inf"))
        self._widget.minimum = least if low is None else low
        self._widget.maximum = most if high is None else high

    def read(self) -> Any:
        return self._kind(super().read())


class EnumConnector(GuiConnector):
    """Combo box with the labels of an Enum."""

    signal = "currentIndexChanged"

    def prepare(self, notes: Iterable[Any]) -> None:
        label = getattr(self._kind, "label", lambda one: one.name)
        self._values = list(self._kind)
        self._widget.clear()
        for one in self._values:
            self._widget.addItem(label(one))

    def read(self) -> Any:
        return self._values[self._widget.currentIndex]

    def write(self, value: Any) -> None:
        self._widget.currentIndex = self._values.index(value)


class NodeConnector(GuiConnector):
    signal = "currentNodeChanged"

    def prepare(self, notes: Iterable[Any]) -> None:
        """Make one node of each class for its name, which an abstract class refuses."""
        self._widget.nodeTypes = [kind().GetClassName() for kind in node_classes(self._kind)]

    def read(self) -> Any:
        return self._widget.currentNode()

    def write(self, value: Any) -> None:
        self._widget.setCurrentNode(value)


BINDINGS: dict[Any, tuple[set[str], type[GuiConnector]]] = {
    bool: ({"QCheckBox"}, CheckConnector),
    int: ({"QSlider", "QSpinBox", "QDoubleSpinBox", "ctkSliderWidget"}, NumberConnector),
    float: ({"QDoubleSpinBox", "ctkSliderWidget"}, NumberConnector),
    str: ({"QLineEdit"}, TextConnector),
    enum.Enum: ({"QComboBox"}, EnumConnector),
    "node": ({"qMRMLNodeComboBox"}, NodeConnector),
}


def connector(widget: Any, kind: Any, notes: Iterable[Any]) -> GuiConnector:
    """Return the connector between a widget and a type with its annotations."""
    is_enum = isinstance(kind, type) and issubclass(kind, enum.Enum)
    key = "node" if node_classes(kind) else enum.Enum if is_enum else kind
    widgets, found = BINDINGS.get(key, (set(), GuiConnector))
    if widget.className() not in widgets:
        msg = (
            f"Unable to create GUI connector from datatype '{kind}' to widget type"
            f" '{widget.className()}'."
        )
        raise RuntimeError(msg)
    return found(widget, kind, notes)
