"""A list of choices below a button, made anew whenever it is shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

import qt

Choice = TypeVar("Choice")


class ButtonMenu(Generic[Choice]):
    """Shows choices below a button; what they are, a subclass knows."""

    def __init__(self, button: qt.QAbstractButton, chosen: Callable[[Choice], None]) -> None:
        """Follow a button.

        Args:
            button: Shows the choices below itself.
            chosen: Receives what the user picks.
        """
        self._button, self._chosen = button, chosen
        self._menu = qt.QMenu(button)
        self._menu.setToolTipsVisible(True)

    def show(self) -> None:
        """Show the choices that there are now."""
        self._menu.clear()
        self.fill()
        self._menu.popup(self._button.mapToGlobal(qt.QPoint(0, self._button.height)))

    def fill(self) -> None:
        """Add the choices to the menu."""
        raise NotImplementedError
