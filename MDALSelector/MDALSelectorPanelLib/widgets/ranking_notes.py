"""What is said below the list of cases: trust, acquisition, and what labels say of strategies."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import slicer
from slicer.i18n import tr as _

from MDALSelectorPanelLib.nodes.ranking_nodes import RankingNodes
from MultimodalSlicerLib.selection_parameters import MDALSelectorParameterNode, Strategy
from MultimodalWidgetsLib.room import keepRoom, reserveLines
from MultimodalWidgetsLib.widget_additions import showText

if TYPE_CHECKING:
    from slicer_types import UiForm


class RankingNotes:
    """Shows what is known of the run of the ranking."""

    def __init__(
        self, ui: UiForm, ranking: RankingNodes, parameters: Callable[[], MDALSelectorParameterNode]
    ) -> None:
        """Take the widgets of the `.ui` file.

        Args:
            ui: Holds them by name.
            ranking: The ranking of the scene.
            parameters: Returns what the user chose in the present scene.
        """
        self._ui, self._ranking, self._parameters = ui, ranking, parameters
        reserveLines(3, ui.trustLabel, ui.evidenceLabel)
        keepRoom(ui.offeredStrategyButton)

    def show(self) -> None:
        """Show trust in one sentence, and all of it as tool tip; and the rest."""
        facts = self._ranking.facts
        first = facts.trust.partition(". ")[0].rstrip(".")
        lines = (f"{first}." if first else "", facts.note)
        showText(self._ui.trustLabel, "\n".join(line for line in lines if line))
        self._ui.trustLabel.toolTip = facts.trust
        showText(self._ui.evidenceLabel, facts.evidence)
        text = _("Use {strategy} next").format(strategy=facts.offered)
        self._ui.offeredStrategyButton.setText(text)
        self._ui.offeredStrategyButton.setVisible(bool(facts.offered))

    def problem(self, parameters: MDALSelectorParameterNode) -> str:
        """Say why the strategy that is offered cannot be used; empty if it can."""
        offered = self._ranking.facts.offered
        used = _("The selection uses {strategy} already.").format(strategy=offered)
        return used if offered == parameters.strategy.value else ""

    def onOfferedStrategyButton(self) -> None:
        """Let the next selection use the strategy that the labels speak for."""
        with slicer.util.tryWithErrorDisplay(_("The strategy cannot be used.")):
            self._parameters().strategy = Strategy(self._ranking.facts.offered)
