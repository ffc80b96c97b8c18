"""Which nodes a node selector offers, and which actions."""

from __future__ import annotations

from typing import Any


class NodeFilter:
    """The properties of a node selector; `_refresh` and `_updateExtraItems` show them."""

    host_names = ("initializeFilter",)

    def initializeFilter(self) -> None:
        """Set the defaults of the real class."""
        self._scene: Any = None
        self._types: list[str] = []
        self._hiddenTypes: list[str] = []
        self._attributes: dict[tuple[str, str], Any] = {}
        self._labels: dict[str, str] = {}
        self._baseName = ""
        self._noneDisplay = "None"
        self._flags = {
            "none": False, "add": True, "remove": True, "edit": False, "rename": False,
            "children": True, "hidden": False, "select": True,
        }  # fmt: skip

    def _refresh(self) -> None:
        raise NotImplementedError

    def _updateExtraItems(self) -> None:
        raise NotImplementedError

    def _nodes(self) -> list[Any]:
        if self._scene is None:
            return []
        nodes = self._scene.GetNodes()
        found = [nodes.GetItemAsObject(index) for index in range(nodes.GetNumberOfItems())]
        return [node for node in found if self._accepts(node)]

    def _accepts(self, node: Any) -> bool:
        if node.GetHideFromEditors() and not self._flags["hidden"]:
            return False
        if any(node.IsA(name) for name in self._hiddenTypes):
            return False
        return any(self._acceptsAs(node, name) for name in self._types)

    def _acceptsAs(self, node: Any, name: str) -> bool:
        fits = node.IsA(name) if self._flags["children"] else node.GetClassName() == name
        wanted = [(key[1], value) for key, value in self._attributes.items() if key[0] == name]
        return fits and all(_has_attribute(node, key, value) for key, value in wanted)

    def _actions(self) -> list[str]:
        if self._scene is None:
            return []
        label = self.nodeTypeLabel(self._types[0] if len(self._types) == 1 else "")
        actions = []
        if self._flags["rename"]:
            actions.append(f"Rename current {label}")
        if self._flags["edit"]:
            actions.append(f"Edit current {label}")
        if self._flags["add"]:
            actions += [f"Create new {self.nodeTypeLabel(name)}" for name in self._types]
        if self._flags["remove"]:
            actions.append(f"Delete current {label}")
        return actions

    def nodeTypeLabel(self, name: str) -> str:
        if name in self._labels:
            return self._labels[name]
        label = self._scene.GetTypeDisplayNameByClassName(name) if self._scene and name else ""
        return label or "node"

    def setNodeTypeLabel(self, label: str, name: str) -> None:
        self._labels[name] = label
        self._updateExtraItems()

    def addAttribute(self, kind: str, name: str, value: Any = None) -> None:
        self._attributes[kind, name] = value
        self._refresh()

    def removeAttribute(self, kind: str, name: str) -> None:
        self._attributes.pop((kind, name), None)
        self._refresh()

    def nodeTypes(self) -> list[str]:
        return list(self._types)

    def setNodeTypes(self, types: list[str]) -> None:
        self._types = [name for name in types if name]
        self._refresh()

    def hideChildNodeTypes(self) -> list[str]:
        return list(self._hiddenTypes)

    def setHideChildNodeTypes(self, types: list[str]) -> None:
        self._hiddenTypes = list(types)
        self._refresh()

    def noneDisplay(self) -> str:
        return self._noneDisplay

    def setNoneDisplay(self, text: str) -> None:
        self._noneDisplay = text
        self._updateExtraItems()

    def baseName(self) -> str:
        return self._baseName

    def setBaseName(self, name: str) -> None:
        self._baseName = name

    def sizeAdjustPolicy(self) -> int:
        return 2

    def setSizeAdjustPolicy(self, policy: int) -> None:
        """Accept: the host always adjusts to the minimum contents length."""


def _has_attribute(node: Any, key: str, value: Any) -> bool:
    found = node.GetAttribute(key)
    return found is not None and (value is None or found == str(value))


def _add_flag(name: str, getter: str, setter: str) -> None:
    def get(self: Any) -> bool:
        return self._flags[name]

    def put(self: Any, value: bool) -> None:
        self._flags[name] = bool(value)
        self._refresh()

    setattr(NodeFilter, getter, get)
    setattr(NodeFilter, setter, put)


FLAGS = {
    "none": "noneEnabled",
    "add": "addEnabled",
    "remove": "removeEnabled",
    "edit": "editEnabled",
    "rename": "renameEnabled",
    "children": "showChildNodeTypes",
    "hidden": "showHidden",
    "select": "selectNodeUponCreation",
}
for _name, _getter in FLAGS.items():
    _add_flag(_name, _getter, f"set{_getter[0].upper()}{_getter[1:]}")
