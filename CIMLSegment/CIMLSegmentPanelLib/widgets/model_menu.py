"""The button *Included* at the field of a model: the models that come with CrossModal."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import qt
from slicer.i18n import tr as _

from CIMLSegmentLib.model.shipped_models import shipped_models
from CIMLSegmentPanelLib.nodes.model_summary import read_model_summary
from MultimodalImagingLib.errors import CrossModalError


class ModelMenu:
    """Shows the list below a button; a model that cannot be read says why."""

    def __init__(self, button: qt.QToolButton, chosen: Callable[[str], None]) -> None:
        """Follow a button.

        Args:
            button: Shows the list below itself.
            chosen: Receives the folder of the model that the user picks.
        """
        self._button, self._chosen = button, chosen
        self._menu = qt.QMenu(button)
        self._menu.setToolTipsVisible(True)

    @property
    def problem(self) -> str:
        """Why there is nothing to choose; empty if there is."""
        return "" if shipped_models() else _("No model came with this copy of CrossModal.")

    def show(self) -> None:
        """Show the list."""
        self._menu.clear()
        for name, folder in shipped_models().items():
            self._addModel(name, folder)
        self._menu.popup(self._button.mapToGlobal(qt.QPoint(0, self._button.height)))

    def _addModel(self, name: str, folder: Path) -> None:
        action = self._menu.addAction(name)
        try:
            task = read_model_summary(folder).task
        except CrossModalError as error:
            action.setEnabled(False)
            action.setToolTip(str(error))
            return
        text, toolTip = _("{name} ({modalities})"), _("{description} Research only.")
        action.setText(text.format(name=name, modalities=", ".join(task.modalities)))
        action.setToolTip(toolTip.format(description=task.description))
        action.connect("triggered()", partial(self._chosen, str(folder)))
