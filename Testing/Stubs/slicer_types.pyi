# Forms that Slicer makes at run time and does not name.
from collections.abc import Callable
from typing import Any, Protocol

class WrappedParameters:
    """What `parameterNodeWrapper` adds to a class."""

    parameterNode: Any
    def __init__(self, parameterNode: Any, prefix: str | None = None) -> None: ...
    def connectGui(self, gui: UiForm) -> int: ...
    def disconnectGui(self, tag: int | None) -> None: ...
    def AddObserver(
        self, event: int | str, callback: Callable[..., object], priority: float = 0.0
    ) -> int: ...
    def RemoveObserver(self, tag: int) -> None: ...

class UiForm(Protocol):
    """The widgets of a `.ui` file by name, as `childWidgetVariables` returns them."""

    def __getattr__(self, name: str) -> Any: ...
