"""How values are kept in a parameter node, with the same text as the application writes."""

from __future__ import annotations

import enum
import pathlib
import types
import typing
from typing import Any

import slicer

from slicer_host.scripted.parameter_node_wrapper.observed_list import ObservedList
from slicer_host.scripted.parameter_node_wrapper.validators import IsInstance, NotNone, Validator

PATHS = (
    pathlib.Path, pathlib.PosixPath, pathlib.WindowsPath,
    pathlib.PurePath, pathlib.PurePosixPath, pathlib.PureWindowsPath,
)  # fmt: skip


class Serializer:
    """Keeps a value as text under the parameter's name."""

    def __init__(self, kind: Any) -> None:
        self.kind = kind

    def validators(self) -> list[Validator]:
        return [NotNone(), IsInstance(self.kind)]

    def default(self) -> Any:
        return self.kind()

    def isIn(self, node: Any, name: str) -> bool:
        return bool(node.HasParameter(name))

    def write(self, node: Any, name: str, value: Any) -> None:
        node.SetParameter(name, self.text(value))

    def read(self, node: Any, name: str) -> Any:
        return self.value(node.GetParameter(name))

    def text(self, value: Any) -> str:
        return str(value)

    def value(self, text: str) -> Any:
        return self.kind(text)


class NumberSerializer(Serializer):
    def validators(self) -> list[Validator]:
        return [NotNone(), IsInstance((int, float) if self.kind is float else int)]

    def default(self) -> Any:
        return 0


class BoolSerializer(Serializer):
    def text(self, value: bool) -> str:
        return "True" if value else "False"

    def value(self, text: str) -> bool:
        return text == "True"


class EnumSerializer(Serializer):
    def default(self) -> Any:
        return next(iter(self.kind))

    def text(self, value: enum.Enum) -> str:
        return value.name

    def value(self, text: str) -> Any:
        return self.kind[text]


class NodeSerializer(Serializer):
    """Keeps a node as a reference, so that it is found again in a reloaded scene."""

    def validators(self) -> list[Validator]:
        return [IsInstance(self.kind)]

    def default(self) -> None:
        return None

    def write(self, node: Any, name: str, value: Any) -> None:
        node.SetParameter(name, "")
        node.SetNodeReferenceID(name, value.GetID() if value is not None else None)

    def read(self, node: Any, name: str) -> Any:
        return node.GetNodeReference(name)


class NodeUnionSerializer(Serializer):
    """Keeps a node of one of several classes under `name.index`; the index is that of its class."""

    def validators(self) -> list[Validator]:
        wanted = IsInstance(tuple(self.kind))
        return [wanted] if type(None) in self.kind else [NotNone(), wanted]

    def default(self) -> None:
        return None

    def isIn(self, node: Any, name: str) -> bool:
        return any(node.HasParameter(f"{name}.{index}") for index in range(len(self.kind)))

    def write(self, node: Any, name: str, value: Any) -> None:
        names = [f"{name}.{index}" for index in range(len(self.kind))]
        with slicer.util.NodeModify(node):
            for one in names:
                node.UnsetParameter(one)
                node.RemoveNodeReferenceIDs(one)
            if value is None:
                BoolSerializer(bool).write(node, names[self.kind.index(type(None))], True)
            else:
                found = next(i for i, kind in enumerate(self.kind) if isinstance(value, kind))
                NodeSerializer(self.kind[found]).write(node, names[found], value)

    def read(self, node: Any, name: str) -> Any:
        index = next(i for i in range(len(self.kind)) if node.HasParameter(f"{name}.{i}"))
        return node.GetNodeReference(f"{name}.{index}")


class ListSerializer(Serializer):
    """Keeps each item under `name.index`, and the length under `name.len`."""

    def __init__(self, kind: Any, item: Serializer) -> None:
        super().__init__(kind)
        self.item = item

    def validators(self) -> list[Validator]:
        return [NotNone(), IsInstance((list, ObservedList))]

    def default(self) -> list[Any]:
        return []

    def isIn(self, node: Any, name: str) -> bool:
        return bool(node.HasParameter(f"{name}.len"))

    def write(self, node: Any, name: str, value: Any) -> None:
        values = list(value)
        for one in values:
            for validator in self.item.validators():
                validator.validate(one)
        with slicer.util.NodeModify(node):
            old = int(node.GetParameter(f"{name}.len") or 0)
            node.SetParameter(f"{name}.len", str(len(values)))
            for index, one in enumerate(values):
                self.item.write(node, f"{name}.{index}", one)
            for index in range(len(values), old):
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
    if kind is bool:
        return BoolSerializer(kind)
    if kind in (int, float):
        return NumberSerializer(kind)
    if kind is str or kind in PATHS:
        return Serializer(kind)
    if typing.get_origin(kind) is list:
        return ListSerializer(kind, serializer_for(typing.get_args(kind)[0]))
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return EnumSerializer(kind)
    if isinstance(kind, type) and issubclass(kind, slicer.vtkMRMLNode):
        return NodeSerializer(kind)
    if typing.get_origin(kind) in {typing.Union, types.UnionType} and node_classes(kind):
        return NodeUnionSerializer(typing.get_args(kind))
    msg = f"Unable to create serializer for type: {kind} (the host offers a part of the types only)"
    raise TypeError(msg)


def node_classes(kind: Any) -> tuple[type, ...]:
    """Return the node classes of a type or a union, empty if there are others beside `None`."""
    parts = [part for part in typing.get_args(kind) or (kind,) if part is not type(None)]
    is_node = all(isinstance(p, type) and issubclass(p, slicer.vtkMRMLNode) for p in parts)
    return tuple(parts) if is_node else ()
