"""The row of the local PMI map: whether it is shown, of which modalities, how opaque, and where."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import slicer
from slicer.i18n import tr as _

from MDALSelectorPanelLib.nodes.case_maps import CaseMaps, caseMaps, pairsTitle
from MDALSelectorPanelLib.nodes.pmi_overlay import PMIOverlay
from MDALSelectorPanelLib.nodes.ranking_nodes import RankingNodes
from MultimodalImagingLib.errors import CrossModalError
from MultimodalSlicerLib.case_loader import CaseLoader
from MultimodalSlicerLib.selection_parameters import MDALSelectorParameterNode
from MultimodalWidgetsLib.room import reserveLines
from MultimodalWidgetsLib.signal import Signal
from MultimodalWidgetsLib.widget_additions import showText

if TYPE_CHECKING:
    from slicer_types import UiForm


class MapSection:
    """Follows the open case and what the user chose.

    Attributes:
        changed: Emitted when the user chose other modalities.
    """

    def __init__(
        self, ui: UiForm, overlay: PMIOverlay, loader: CaseLoader, ranking: RankingNodes
    ) -> None:
        """Take the widgets of the `.ui` file.

        Args:
            ui: Holds them by name.
            overlay: Shows the maps.
            loader: Knows the open case.
            ranking: Knows the run.
        """
        self.changed = Signal()
        self._overlay, self._loader, self._ranking = overlay, loader, ranking
        self._label, self._choice = ui.mapLabel, ui.mapComboBox
        reserveLines(3, ui.mapLabel)
        widgets = (ui.showMapCheckBox, ui.mapComboBox, ui.mapOpacitySlider)
        self._toolTips = {widget: widget.toolTip for widget in widgets}
        self._case: tuple[str, str] | None = None
        self._maps = CaseMaps("")
        self._shown: tuple[str, ...] | None = None
        self._choice.connect("activated(int)", lambda _index: self.changed.emit())

    @property
    def problem(self) -> str:
        """Why the slices cannot go to the least fit; empty if they can."""
        if self._maps.problem:
            return self._maps.problem
        return "" if self._overlay.node is not None else _("Show the map first.")

    def follow(self, parameters: MDALSelectorParameterNode) -> None:
        """Show the map that is wanted now, or none; one that was deleted by hand stays away."""
        case = (self._ranking.run, self._loader.caseID)
        if case != self._case:
            self._case = case
            self._use(caseMaps(*case))
        self._tellChoice()
        image = next(iter(self._loader.volumes().values()), None)
        if image is None or self._maps.problem or not parameters.showsMap:
            self._hide()
            return
        wanted = (*case, self._choice.currentText, image.GetID())
        if wanted != self._shown:
            self._shown = wanted
            self._show(image, parameters.mapOpacity)
        elif self._overlay.node is None:
            self._hide()
            parameters.showsMap = False
        else:
            self._overlay.setOpacity(parameters.mapOpacity)

    def forget(self) -> None:
        """Forget what was shown in a scene that is about to be closed."""
        self._hide()
        self._use(caseMaps("", ""))
        self._case = None

    def _show(self, image: slicer.vtkMRMLScalarVolumeNode, opacity: float) -> None:
        pairs = self._maps.choices()[self._choice.currentIndex]
        try:
            showText(self._label, self._overlay.show(self._maps, pairs, image, opacity))
        except CrossModalError as error:
            self._hide()
            self._use(replace(self._maps, problem=str(error)))

    def _hide(self) -> None:
        if self._shown is not None:
            self._shown = None
            self._overlay.remove()
        showText(self._label, self._maps.problem if self._maps.caseID else "")

    def _use(self, maps: CaseMaps) -> None:
        """Offer the maps of a case, the same modalities as before if it has them."""
        self._maps, before = maps, self._choice.currentText
        self._choice.clear()
        self._choice.addItems([pairsTitle(pairs) for pairs in maps.choices()])
        self._choice.setCurrentIndex(max(self._choice.findText(before), 0))
        for widget, toolTip in self._toolTips.items():
            widget.setEnabled(not maps.problem)
            widget.toolTip = maps.problem or toolTip
        showText(self._label, maps.problem if maps.caseID else "")

    def _tellChoice(self) -> None:
        """Add to the tool tip what is chosen: a narrow panel cuts it off."""
        if not self._maps.problem:
            tip = self._toolTips[self._choice]
            self._choice.toolTip = "\n".join((tip, self._choice.currentText))
