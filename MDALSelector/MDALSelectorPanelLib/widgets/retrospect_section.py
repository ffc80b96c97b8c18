"""The section "Would it have helped?": replays budgets on labeled cases, and shows the result."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import qt
import slicer
from slicer.i18n import tr as _

from MDALSelectorPanelLib.nodes.retrospect_result import (
    RetrospectResult,
    labelProblem,
    readRetrospect,
)
from MultimodalSlicerLib.selection_parameters import (
    MDALSelectorParameterNode,
    Strategy,
    retrospectArguments,
)
from MultimodalWidgetsLib.background_process import BackgroundProcess
from MultimodalWidgetsLib.job_needs import JobNeeds
from MultimodalWidgetsLib.job_section import JobSection
from MultimodalWidgetsLib.room import keepRoom, reserveLines
from MultimodalWidgetsLib.signal import Signal
from MultimodalWidgetsLib.tables import PlainTable
from MultimodalWidgetsLib.widget_additions import showText

if TYPE_CHECKING:
    from slicer_types import UiForm


class RetrospectSection:
    """Starts a retrospective run and shows the last one of the cohort.

    Attributes:
        changed: Emitted when buttons have to be looked at again.
        jobs: The run that goes on.
    """

    def __init__(
        self, ui: UiForm, parameters: Callable[[], MDALSelectorParameterNode], owner: str
    ) -> None:
        """Take the widgets of the `.ui` file.

        Args:
            ui: Holds them by name.
            parameters: Returns what the user chose in the present scene.
            owner: Name of the module.
        """
        self.changed = Signal()
        self.jobs = JobSection(ui, "retrospect")
        self._ui, self._parameters, self._owner = ui, parameters, owner
        self._run: str | None = None
        self._result, self._labelProblem = RetrospectResult(), ""
        reserveLines(4, ui.retrospectHintLabel)
        reserveLines(4, ui.verdictLabel)
        reserveLines(1, ui.usedStrategyLabel)
        keepRoom(ui.retrospectTableLabel, ui.retrospectView, ui.retrospectResult)
        self._table = PlainTable(ui.retrospectView)
        ui.retrospectView.setSortingEnabled(False)  # the best at the main budget comes first
        ui.retrospectView.horizontalHeader().setStretchLastSection(False)
        self._fields = (ui.budgetsLineEdit, ui.learnerComboBox, ui.drawsSpinBox)
        self._toolTips = {field: field.toolTip for field in self._fields}
        self._selection = ui.retrospectView.selectionModel()
        self._selection.connect("currentRowChanged(QModelIndex,QModelIndex)", self._onRow)
        self.jobs.changed.connect(self.changed.emit)

    def follow(self, parameters: MDALSelectorParameterNode, nLabelled: int | None) -> None:
        """Show what follows from the cohort and the run of the scene.

        Args:
            parameters: What the user chose.
            nLabelled: Number of labeled cases; `None` before the cohort was inspected.
        """
        text = _(
            "{n} labeled cases. Every strategy chooses among them within each budget; a learner is"
            " trained on its choice, tested on other patients, and compared with random draws."
        )
        problem = self._labelProblem = labelProblem(nLabelled)
        self._ui.retrospectHintLabel.setText(problem or text.format(n=nLabelled))
        for field in self._fields:
            field.setEnabled(not problem)
            field.toolTip = problem or self._toolTips[field]
        if parameters.retrospectRun != self._run:
            self._run = parameters.retrospectRun
            self._show(readRetrospect(self._run))
        used = _("The selection uses {strategy}.").format(strategy=parameters.strategy.label())
        showText(self._ui.usedStrategyLabel, used if self._result.rows else "")

    def problems(self, parameters: MDALSelectorParameterNode, *, missing: str) -> dict[str, str]:
        """Say for every button why it cannot be pressed now; empty if it can.

        Args:
            parameters: What the user chose.
            missing: What must be installed first; empty if nothing.
        """
        busy = _("A job is running. Wait, or press Cancel.") if self.jobs.isBusy else ""
        hasBudget = bool(parameters.retrospectBudgets.strip())
        noBudget = "" if hasBudget else _("Write at least one budget, such as 20%.")
        none = "" if self._result.rows else _("There is no result yet: press Start.")
        chosen = self._chosen()
        noRow = "" if chosen else _("Choose a strategy in the table.")
        if chosen == parameters.strategy.value:
            noRow = _("The selection uses {strategy} already.").format(strategy=chosen)
        elif chosen and chosen not in [strategy.value for strategy in Strategy]:
            noRow = _("{strategy} is there to compare with; a selection cannot use it.")
            noRow = noRow.format(strategy=chosen)
        noPage = none
        if self._result.rows and self._result.page is None:
            noPage = _("The page of this run is not there any more. Press Start again.")
        return {
            "retrospectButton": busy or missing or self._labelProblem or noBudget,
            "useStrategyButton": none or noRow,
            "retrospectPageButton": noPage,
        }

    def onStartButton(self) -> None:
        """Replay the budgets."""
        with slicer.util.tryWithErrorDisplay(_("The retrospective could not be started.")):
            parameters = self._parameters()
            title = _("Replay budgets on {cohort}")
            title = title.format(cohort=Path(parameters.cohortPath).name)
            isNetwork = parameters.learner.value == "network"
            needs = JobNeeds(device=(parameters.device.value or "auto") if isNetwork else "")
            arguments = retrospectArguments(parameters)
            job = BackgroundProcess(arguments, title=title, owner=self._owner, needs=needs)
            self.jobs.submit(job, self.onDone, about=job.arguments[2:3])

    def onDone(self, job: BackgroundProcess) -> None:
        """Show what came out, unless the scene has changed to another cohort meanwhile."""
        parameters = self._parameters()
        if job.arguments[2] != parameters.cohortPath:
            return
        self._run = None  # it may have been written anew
        parameters.retrospectRun = str((job.result or {}).get("run", ""))
        self.changed.emit()

    def onUseStrategyButton(self) -> None:
        """Let the next selection use the strategy of the chosen row."""
        with slicer.util.tryWithErrorDisplay(_("The strategy cannot be used.")):
            self._parameters().strategy = Strategy(self._chosen())

    def onPageButton(self) -> None:
        """Open the page of the run in the web browser."""
        page = qt.QUrl.fromLocalFile(str(self._result.page))
        qt.QDesktopServices.openUrl(page)

    def _show(self, result: RetrospectResult) -> None:
        self._result = result
        self._ui.retrospectStack.setCurrentIndex(int(bool(result.rows)))
        showText(self._ui.verdictLabel, result.sentence)
        self._ui.verdictLabel.toolTip = "\n".join(result.notes)
        self._table.setRows(result.titles, result.rows)
        for name in ("retrospectTableLabel", "retrospectView"):
            getattr(self._ui, name).setVisible(bool(result.rows))

    def _chosen(self) -> str:
        """The strategy of the chosen row; empty if none is chosen."""
        index = self._ui.retrospectView.currentIndex()
        return self._table.text(index.row(), 0) if index.isValid() else ""

    def _onRow(self, _current: qt.QModelIndex, _previous: qt.QModelIndex) -> None:
        self.changed.emit()
