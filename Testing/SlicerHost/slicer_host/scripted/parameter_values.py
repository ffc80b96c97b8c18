"""How values are kept in a parameter node, with the same text as the application writes."""

from __future__ import annotations

import enum
import types
import typing
from collections.abc import Callable, MutableSequence
from typing import Any

import slicer


class Validator:
    """A condition on values: not below the minimum, not above the maximum."""

    minimum: float | None = None
    maximum: float | None = None

    def validate(self, value: Any) -> None:
        """Raise ValueError for a value that is not allowed."""
        if self.minimum is not None and value < self.minimum:
            msg = f"Value must be within range: at least {self.minimum}, is {value}"
            raise ValueError(msg)
        if self.maximum is not None and value > self.maximum:
            msg = f"Value must be within range: at most {self.maximum}, is {value}"
            raise ValueError(msg)


class WithinRange(Validator):
    def __init__(self, minimum: float, maximum: float) -> None:
        self.minimum, self.maximum = minimum, maximum


class Minimum(Validator):
    def __init__(self, minimum: float) -> None:
        self.minimum = minimum


class ObservedList(MutableSequence[Any]):
    """List of a parameter, which writes itself back into the node when it is changed."""

    def __init__(self, values: list[Any], save: Callable[[list[Any]], None]) -> None:
        self._values, self._save = values, save

    def __getitem__(self, index: Any) -> Any:
        return self._values[index]

    def __len__(self) -> int:
        return len(self._values)

    def __eq__(self, other: object) -> bool:
        return list(self) == (list(other) if isinstance(other, ObservedList) else other)

    __hash__ = None  # type: ignore[assignment]

    def __setitem__(self, index: Any, value: Any) -> None:
        self._change(lambda values: values.__setitem__(index, value))

    def __delitem__(self, index: Any) -> None:
        self._change(lambda values: values.__delitem__(index))

    def insert(self, index: int, value: Any) -> None:
        self._change(lambda values: values.insert(index, value))

    def _change(self, change: Callable[[list[Any]], Any]) -> None:
        values = list(self._values)
        change(values)
        self._save(values)
        self._values = values


class Serializer:
    """Keeps a value as text under the parameter's name."""

    def __init__(self, kind: Any) -> None:
        self.kind = kind
        self.accepted: Any = (int, float) if kind is float else kind
        self.accepts_none = False

    def validate(self, value: Any) -> None:
        """Raise an error for a value of another kind."""
        if value is None and not self.accepts_none:
            msg = "Value must not be None"
            raise ValueError(msg)
        if value is not None and not isinstance(value, self.accepted):
            msg = f"Value must be of type '{self.accepted}', is type '{type(value)}': '{value}'"
            raise TypeError(msg)

    def default(self) -> Any:
        return self.kind()

    def isIn(self, node: Any, name: str) -> bool:
        return bool(node.HasParameter(name))

    def write(self, node: Any, name: str, value: Any) -> None:
        node.SetParameter(name, str(value))

    def read(self, node: Any, name: str) -> Any:
        text = node.GetParameter(name)
        return text == "True" if self.kind is bool else self.kind(text)


class EnumSerializer(Serializer):
    def default(self) -> Any:
        return next(iter(self.kind))

    def write(self, node: Any, name: str, value: Any) -> None:
        node.SetParameter(name, value.name)

    def read(self, node: Any, name: str) -> Any:
        return self.kind[node.GetParameter(name)]


class NodeSerializer(Serializer):
    """Keeps a node as a reference, so that it is found again in a reloaded scene.

    A node of one of several classes is kept under `name.index`; the index is that of its class.
    """

    def __init__(self, kind: Any) -> None:
        super().__init__(kind)
        self.kinds = typing.get_args(kind)
        self.accepted = self.kinds or kind
        self.accepts_none = not self.kinds or type(None) in self.kinds

    def _names(self, name: str) -> list[str]:
        return [f"{name}.{index}" for index in range(len(self.kinds))] or [name]

    def default(self) -> None:
        return None

    def isIn(self, node: Any, name: str) -> bool:
        return any(node.HasParameter(one) for one in self._names(name))

    def write(self, node: Any, name: str, value: Any) -> None:
        names = self._names(name)
        fits = (i for i, kind in enumerate(self.kinds or [self.kind]) if isinstance(value, kind))
        with slicer.util.NodeModify(node):
            for one in names:
                node.UnsetParameter(one)
                node.RemoveNodeReferenceIDs(one)
            found = names[next(fits, 0)]
            node.SetParameter(found, "True" if value is None and self.kinds else "")
            if value is not None:
                node.SetNodeReferenceID(found, value.GetID())

    def read(self, node: Any, name: str) -> Any:
        found = (one for one in self._names(name) if node.HasParameter(one))
        return node.GetNodeReference(next(found))


class ListSerializer(Serializer):
    """Keeps each item under `name.index`, and the length under `name.len`."""

    def __init__(self, kind: Any) -> None:
        super().__init__(kind)
        self.accepted = (list, ObservedList)
        self.item = serializer_for(typing.get_args(kind)[0])

    def default(self) -> list[Any]:
        return []

    def isIn(self, node: Any, name: str) -> bool:
        return bool(node.HasParameter(f"{name}.len"))

    def write(self, node: Any, name: str, value: Any) -> None:
        for one in value:
            self.item.validate(one)
        with slicer.util.NodeModify(node):
            old = int(node.GetParameter(f"{name}.len") or 0)
            node.SetParameter(f"{name}.len", str(len(value)))
            for index, one in enumerate(value):
                self.item.write(node, f"{name}.{index}", one)
            for index in range(len(value), old):
                node.UnsetParameter(f"{name}.{index}")

    def read(self, node: Any, name: str) -> ObservedList:
        count = int(node.GetParameter(f"{name}.len") or 0)
        values = [self.item.read(node, f"{name}.{index}") for index in range(count)]
        return ObservedList(values, lambda items: self.write(node, name, items))


def serializer_for(kind: Any) -> Serializer:
    """Return the serializer of a field's type.

    Raises:
        TypeError: If the host does not imitate fields of this type.
    """
    if kind in (bool, int, float, str):
        return Serializer(kind)
    if typing.get_origin(kind) is list:
        return ListSerializer(kind)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return EnumSerializer(kind)
    if node_classes(kind):
        return NodeSerializer(kind)
    msg = f"Unable to create serializer for type: {kind} (the host offers a part of the types only)"
    raise TypeError(msg)


def node_classes(kind: Any) -> tuple[type, ...]:
    """Return the node classes of a type or a union, empty if there are others beside `None`."""
    is_union = typing.get_origin(kind) in {typing.Union, types.UnionType}
    parts = [one for one in typing.get_args(kind) if one is not type(None)] if is_union else [kind]
    is_node = all(isinstance(p, type) and issubclass(p, slicer.vtkMRMLNode) for p in parts)
    return tuple(parts) if is_node else ()
