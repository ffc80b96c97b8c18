"""Keeps None, True and False alive on Python 3.11."""

from __future__ import annotations

import ctypes
import sys


def protect_constants() -> None:
    """Raise the reference counts of the constants out of reach.

    PySide6 6.12 releases None once too often, for example in `QComboBox.itemData` of a role without
    a value and after every Python slot that returns None. From Python 3.12 on that does no harm
    (None is immortal there); 3.11 ends with "deallocating None" after some thousand calls.
    """
    if sys.version_info >= (3, 12):
        return
    for constant in (None, True, False):
        ctypes.c_ssize_t.from_address(id(constant)).value += 1 << 40
