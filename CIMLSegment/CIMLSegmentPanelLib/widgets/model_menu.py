"""The button *Included* at the field of a model: the models that come with CrossModal."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from slicer.i18n import tr as _

from CIMLSegmentLib.model.shipped_models import shipped_models
from CIMLSegmentPanelLib.nodes.model_summary import read_model_summary
from MultimodalImagingLib.errors import CrossModalError
from MultimodalWidgetsLib.button_menu import ButtonMenu


class ModelMenu(ButtonMenu[str]):
    """Offers the folders of the models; one that cannot be read says why."""

    @property
    def problem(self) -> str:
        """Why there is nothing to choose; empty if there is."""
        return "" if shipped_models() else _("No model came with this copy of CrossModal.")

    def fill(self) -> None:
        """Add the models."""
        for name, folder in shipped_models().items():
            self._addModel(name, folder)

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
