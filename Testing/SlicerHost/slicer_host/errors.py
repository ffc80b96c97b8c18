"""Collects what the real application would only print, so that tests can fail by it."""

from __future__ import annotations

import contextlib
import re
import sys
import traceback
from collections.abc import Iterator
from typing import Any


class HostGapError(Exception):
    """The real application has this, the host does not imitate it (yet)."""


class RefusalError(AttributeError):
    """The real application refuses this, or only complains on its console."""


_collected: list[BaseException] = []


def report(error: BaseException) -> None:
    """Remember an exception that a Qt slot or a VTK observer raised, and print its traceback."""
    _collected.append(error)
    traceback.print_exception(error)


def drain() -> list[BaseException]:
    """Return the remembered exceptions and forget them."""
    found = list(_collected)
    _collected.clear()
    return found


@contextlib.contextmanager
def expected(kind: type[BaseException], match: str = "") -> Iterator[None]:
    """Expect one exception of this kind in a slot or observer, and take it off the record."""
    drain()
    yield
    found = drain()
    if len(found) != 1 or not isinstance(found[0], kind) or not re.search(match, str(found[0])):
        msg = f"Expected one {kind.__name__} with '{match}' in a slot or observer, found {found}."
        raise AssertionError(msg)


def install_hook() -> None:
    """Route exceptions that Qt and VTK print through `sys.excepthook` to `report`."""

    def hook(kind: type[BaseException], error: BaseException | None, trace: Any) -> None:
        report((error or kind()).with_traceback(trace))

    sys.excepthook = hook
