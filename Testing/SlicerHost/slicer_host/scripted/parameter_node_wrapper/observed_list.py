"""A list that writes itself back into the parameter node when it is changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableSequence
from typing import Any


class ObservedList(MutableSequence[Any]):
    """List of a parameter."""

    def __init__(self, values: list[Any], save: Callable[[list[Any]], None]) -> None:
        self._values, self._save = values, save

    def __getitem__(self, index: Any) -> Any:
        return self._values[index]

    def __setitem__(self, index: Any, value: Any) -> None:
        self._change(lambda values: values.__setitem__(index, value))

    def __delitem__(self, index: Any) -> None:
        self._change(lambda values: values.__delitem__(index))

    def insert(self, index: int, value: Any) -> None:
        self._change(lambda values: values.insert(index, value))

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values)

    def __eq__(self, other: object) -> bool:
        return self._values == (other._values if isinstance(other, ObservedList) else other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"ObservedList({self._values})"

    def _change(self, change: Callable[[list[Any]], Any]) -> None:
        values = list(self._values)
        change(values)
        self._save(values)
        self._values = values
