"""Operators of value classes that PythonQt knows."""

from __future__ import annotations

from typing import Any

from slicer_host.pythonqt.conversion import to_python, to_qt


class _Arithmetic:
    def __add__(self, other: Any) -> Any:
        return to_python(self._raw + to_qt(other))

    def __sub__(self, other: Any) -> Any:
        return to_python(self._raw - to_qt(other))

    def __mul__(self, other: Any) -> Any:
        return to_python(self._raw * to_qt(other))


class _Bytes:
    def __len__(self) -> int:
        return len(self._raw)

    def __str__(self) -> str:
        return repr(self._raw.data())

    def data(self) -> bytes:
        """Return the bytes."""
        return bytes(self._raw.data())


class _ModelIndex:
    def __lt__(self, other: Any) -> bool:
        return bool(self._raw < to_qt(other))


class _Item:
    def __lt__(self, other: Any) -> bool:
        return bool(type(self)._raw_type.__lt__(self._raw, to_qt(other)))


VALUE_MIXINS: dict[str, type] = {
    "QPoint": _Arithmetic,
    "QPointF": _Arithmetic,
    "QSize": _Arithmetic,
    "QSizeF": _Arithmetic,
    "QByteArray": _Bytes,
    "QModelIndex": _ModelIndex,
    "QTableWidgetItem": _Item,
    "QTreeWidgetItem": _Item,
    "QListWidgetItem": _Item,
    "QStandardItem": _Item,
}
