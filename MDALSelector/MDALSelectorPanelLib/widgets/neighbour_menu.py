"""The button that goes on with the open case in another module; hidden if none is installed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import qt

from MultimodalSlicerLib.neighbours import installedNeighbours


class NeighbourMenu:
    """Offers the modules that are installed."""

    def __init__(self, button: qt.QPushButton, chosen: Callable[[str], None]) -> None:
        """Follow a button.

        Args:
            button: Shows the modules below itself.
            chosen: Receives the name of the module that the user picks.
        """
        self._button, self._chosen = button, chosen
        self._menu = qt.QMenu(button)

    def update(self) -> None:
        """Show the button if there is something to offer."""
        self._button.setVisible(bool(installedNeighbours()))

    def show(self) -> None:
        """Show the modules that are installed now."""
        self._menu.clear()
        for name, title in installedNeighbours().items():
            self._menu.addAction(title).connect("triggered()", partial(self._chosen, name))
        self._menu.popup(self._button.mapToGlobal(qt.QPoint(0, self._button.height)))
