"""The button that goes on with the open case in another module; hidden if none is installed."""

from __future__ import annotations

from functools import partial

from MultimodalSlicerLib.neighbours import installedNeighbours
from MultimodalWidgetsLib.button_menu import ButtonMenu


class NeighbourMenu(ButtonMenu[str]):
    """Offers the modules that are installed, by their names."""

    def update(self) -> None:
        """Show the button if there is something to offer."""
        self._button.setVisible(bool(installedNeighbours()))

    def fill(self) -> None:
        """Add the modules that are installed now."""
        for name, title in installedNeighbours().items():
            self._menu.addAction(title).connect("triggered()", partial(self._chosen, name))
