"""The menu of a table's row, by right click or the menu key; Return does what a double click does.

Esc closes the menu and does nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import qt

RETURN_KEYS = (qt.Qt.Key_Return, qt.Qt.Key_Enter)


@dataclass(frozen=True)
class MenuEntry:
    """What can be done with a row.

    Attributes:
        text: What the menu says.
        call: Does it.
        problem: Why it cannot be done now; empty if it can.
    """

    text: str
    call: Callable[[], None]
    problem: str = ""


class RowMenu:
    """Offers entries for the current row of a table; the first is what Return does."""

    def __init__(self, view: qt.QTableView, entries: Callable[[], Sequence[MenuEntry]]) -> None:
        """Follow a table.

        Args:
            view: The table.
            entries: Returns what can be done with the current row.
        """
        self._view, self._entries = view, entries
        self._menu = qt.QMenu(view)
        self._menu.setToolTipsVisible(True)
        view.setContextMenuPolicy(qt.Qt.CustomContextMenu)
        view.connect("customContextMenuRequested(QPoint)", self._onRequested)
        self._keys = _ReturnKey(view, self.chooseFirst)

    def _onRequested(self, position: qt.QPoint) -> None:
        """Show the menu, unless the click was beside the rows."""
        entries = self._entries() if self._view.indexAt(position).isValid() else ()
        if not entries:
            return
        self._menu.clear()
        for entry in entries:
            action = self._menu.addAction(entry.text)
            action.setEnabled(not entry.problem)
            action.setToolTip(entry.problem or entry.text)
            action.connect("triggered()", entry.call)
        self._menu.setDefaultAction(self._menu.actions()[0])
        self._menu.popup(self._view.viewport().mapToGlobal(position))

    def chooseFirst(self) -> None:
        """Do what the first entry does, if that can be done."""
        for entry in self._entries()[:1]:
            if not entry.problem:
                entry.call()


class _ReturnKey(qt.QObject):
    """Calls a function when Return is pressed in a table."""

    def __init__(self, view: qt.QTableView, pressed: Callable[[], None]) -> None:
        qt.QObject.__init__(self, view)
        self._pressed = pressed
        view.installEventFilter(self)

    def eventFilter(self, _watched: qt.QObject, event: qt.QEvent) -> bool:
        if event.type() != qt.QEvent.KeyPress or event.key() not in RETURN_KEYS:
            return False
        self._pressed()
        return True
