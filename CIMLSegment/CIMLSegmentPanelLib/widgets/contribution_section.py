"""The section Modality contributions: the matrix, and the map of the cell that was clicked."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import qt
import slicer
from slicer.i18n import tr as _

from CIMLSegmentLib.results.segmentation_result import Contribution, Influence
from CIMLSegmentPanelLib.nodes.map_browser import Cell, MapBrowser, MapView, mapHint, mapView
from CIMLSegmentPanelLib.nodes.result_facts import (
    ResultFacts,
    isResult,
    resultContributions,
    resultFacts,
    resultInfluences,
)
from CIMLSegmentPanelLib.nodes.result_segments import segmentRows
from CIMLSegmentPanelLib.nodes.segmentation_parameters import CIMLSegmentParameterNode, MapKind
from CIMLSegmentPanelLib.widgets.share_matrix import ShareMatrix
from MultimodalSlicerLib.plurals import byNumber
from MultimodalWidgetsLib.room import keepRoom, reserveLines
from MultimodalWidgetsLib.signal import Signal
from MultimodalWidgetsLib.widget_additions import showText

if TYPE_CHECKING:
    from slicer_types import UiForm

INFLUENCE = "influence"


class ContributionSection:
    """Connects the matrix to the maps.

    Attributes:
        changed: Emitted when another map or none is shown.
        matrix: The matrix.
    """

    def __init__(
        self,
        ui: UiForm,
        browser: MapBrowser,
        parameters: Callable[[], CIMLSegmentParameterNode | None],
    ) -> None:
        """Connect the widgets.

        Args:
            ui: Holds the widgets of the `.ui` file by name.
            browser: Shows the maps.
            parameters: Returns what the user chose; `None` while the panel is not shown.
        """
        self.changed = Signal()
        self.matrix = ShareMatrix(ui.shareTable)
        self.matrix.picked.connect(self.onCellPicked)
        self._ui, self._browser, self._parameters = ui, browser, parameters
        self._shownView: MapView | None = None
        self._shownKind: MapKind | None = None
        self._choiceTip = ui.mapKindComboBox.toolTip
        keepRoom(ui.sharePage)
        reserveLines(4, ui.mapHintLabel)
        reserveLines(2, ui.overlayLabel)
        showText(ui.overlayLabel, "")

    def show(self, node: slicer.vtkMRMLSegmentationNode | None) -> None:
        """Show the matrix of another result."""
        facts = resultFacts(node) if isResult(node) else None
        self._leaveOutInfluence(facts)
        contributions = [] if facts is None else self._contributions(node)
        titles = {row.segmentID: row.name for row in segmentRows(node)}
        missing = () if facts is None else facts.missing
        self.matrix.show(contributions, titles=titles, missing=missing)
        self._markShown(node)
        if self._browser.shown is None:
            showText(self._ui.overlayLabel, "")
        self._ui.contributionsHintLabel.setText(_whyNone(facts))
        self._ui.contributionsStack.setCurrentIndex(int(bool(contributions)))

    def _leaveOutInfluence(self, facts: ResultFacts | None) -> None:
        """Choose information where influence is chosen, but the result was made without it."""
        parameters = self._parameters()
        if parameters is None or facts is None or parameters.mapKind.value != INFLUENCE:
            return
        kinds = {key.kind for _name, _top, key in facts.files}
        if kinds and INFLUENCE not in kinds:
            parameters.mapKind = MapKind("information")

    def _contributions(
        self, node: slicer.vtkMRMLSegmentationNode
    ) -> list[Contribution] | list[Influence]:
        """Return what the matrix shows: influence with its maps, else information."""
        parameters = self._parameters()
        isInfluence = parameters is not None and parameters.mapKind.value == INFLUENCE
        influences = resultInfluences(node) if isInfluence else []
        return influences or resultContributions(node)

    def onNodesDeleted(self) -> None:
        """Show what is left after somebody deleted maps, tables or images."""
        if self._browser.overlay.isBroken:
            self.onRemoveOverlayButton()
        self.show(self._result())

    def follow(self, parameters: CIMLSegmentParameterNode) -> None:
        """Follow opacity, threshold and kind of the map."""
        view = mapView(parameters)
        self._ui.mapHintLabel.text = mapHint(parameters)
        choice = self._ui.mapKindComboBox
        choice.toolTip = "\n".join((self._choiceTip, choice.currentText))
        if parameters.mapKind is not self._shownKind:
            self._shownKind = parameters.mapKind
            self.show(parameters.result)
        if self._browser.shown is None or view == self._shownView:
            return
        self._shownView = view
        with slicer.util.tryWithErrorDisplay(_("The map cannot be shown.")):
            showText(self._ui.overlayLabel, self._browser.restyle(view))
            qt.QTimer.singleShot(0, self._fitViews)

    def onCellPicked(self, region: str, primary: str, auxiliary: str) -> None:
        """Show the map of a cell."""
        message = _("The map cannot be shown.")
        with slicer.util.tryWithErrorDisplay(message, waitCursor=True):
            parameters, cell = self._parameters(), Cell(region, primary, auxiliary)
            if parameters is None:
                return
            self._shownView = mapView(parameters)
            text = self._browser.show(parameters.result, cell, self._shownView)
            showText(self._ui.overlayLabel, text)
            self._markShown(parameters.result)
            self.changed.emit()
            qt.QTimer.singleShot(0, self._fitViews)

    def onRemoveOverlayButton(self) -> None:
        """Show again what the views showed before."""
        self._browser.remove()
        self._showNothing()

    def onOtherResult(self, node: slicer.vtkMRMLSegmentationNode) -> None:
        """Remove the map of another result than the one that is going to be shown."""
        if self._browser.shown is not None and self._browser.shown[0] is not node:
            self.onRemoveOverlayButton()

    def onLoadMapsButton(self) -> None:
        """Read all maps, so that they are saved with the scene."""
        with slicer.util.tryWithErrorDisplay(_("The maps cannot be read."), waitCursor=True):
            count = self._browser.loadAll(self._result())
            text = byNumber(count, _("{n} map is in the scene."), _("{n} maps are in the scene."))
            showText(self._ui.overlayLabel, text.format(n=count))
            self.changed.emit()

    def onDeleteMapsButton(self) -> None:
        """Remove the maps of the result from the scene."""
        self._browser.delete(self._result())
        self._showNothing()

    def _showNothing(self) -> None:
        showText(self._ui.overlayLabel, "")
        self.matrix.mark(None)
        self.changed.emit()

    def _markShown(self, node: slicer.vtkMRMLSegmentationNode | None) -> None:
        shown = self._browser.shown
        self.matrix.mark(shown[1] if shown is not None and shown[0] is node else None)

    def _result(self) -> slicer.vtkMRMLSegmentationNode | None:
        """The chosen result; none while the panel is not shown."""
        parameters = self._parameters()
        return None if parameters is None else parameters.result

    def _fitViews(self) -> None:
        """Show the map once more when new views have got their size."""
        parameters = self._parameters()
        if parameters is not None and parameters.isSideBySide:
            self._browser.restyle(mapView(parameters))


def _whyNone(facts: ResultFacts | None) -> str:
    """Say why there is no matrix, and what to do."""
    if facts is None:
        return _("Segment a case to see what each modality contributed.")
    if any(key.auxiliary for _name, _top, key in facts.files):
        return _(
            "The table of contributions was removed from the scene. Segment the case again, or"
            " open its result again, to see them."
        )
    return _("No other modality took part in this result, so there is nothing to compare.")
