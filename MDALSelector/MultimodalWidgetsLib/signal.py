"""Tells functions that something happened. All widgets use it; it needs nothing, not even Qt."""

from __future__ import annotations

from collections.abc import Callable


class Signal:
    """A list of functions that are called together; disconnecting one twice is harmless."""

    def __init__(self) -> None:
        self._functions: list[Callable[..., None]] = []

    def connect(self, function: Callable[..., None]) -> None:
        """Call a function on every `emit`."""
        self._functions.append(function)

    def disconnect(self, function: Callable[..., None]) -> None:
        """Stop calling a function."""
        if function in self._functions:
            self._functions.remove(function)

    def emit(self, *arguments: object) -> None:
        """Call all functions that are connected now."""
        for function in tuple(self._functions):
            function(*arguments)
