"""Cases that are set aside for testing, and the section "Readers": agreement, consensus, page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import qt
import slicer
from slicer.i18n import tr as _

from MDALSelectorPanelLib.selector_logic import MODULE, MDALSelectorLogic
from MultimodalImagingLib.images.voting import METHODS
from MultimodalSlicerLib.reader_commands import (
    ReadersFacts,
    agreementArguments,
    consensusArguments,
    defaultNumber,
    evaluationArguments,
    pageArguments,
    readersFacts,
)
from MultimodalSlicerLib.selection_parameters import MDALSelectorParameterNode
from MultimodalWidgetsLib.background_process import BackgroundProcess
from MultimodalWidgetsLib.job_needs import QUICK_LOOK
from MultimodalWidgetsLib.job_section import JobSection
from MultimodalWidgetsLib.room import reserveLines
from MultimodalWidgetsLib.signal import Signal
from MultimodalWidgetsLib.widget_additions import showText

if TYPE_CHECKING:
    from slicer_types import UiForm


class ReadersSection:
    """Sets cases aside, compares readers, makes their consensus and the page of the labeling.

    Attributes:
        changed: Emitted when buttons have to be looked at again.
        noted: Emitted when a job has told the record something.
        jobs: The job that goes on.
    """

    def __init__(self, ui: UiForm, logic: MDALSelectorLogic) -> None:
        """Take the widgets of the `.ui` file.

        Args:
            ui: Holds them by name.
            logic: The logic of the panel.
        """
        self.changed, self.noted = Signal(), Signal()
        self.jobs = JobSection(ui, "readers")
        reserveLines(2, ui.testLabel)
        reserveLines(3, ui.agreementLabel)
        self._ui, self._logic = ui, logic
        self._known: tuple[object, ...] = ()
        self._facts = ReadersFacts()
        ui.consensusComboBox.addItems([_("STAPLE"), _("Majority")])
        ui.testCasesSpinBox.connect("valueChanged(int)", self._onNumber)
        self.jobs.changed.connect(self.changed.emit)

    def handlers(self) -> dict[str, Callable[[], None]]:
        """Return what the buttons do."""
        return {
            "testButton": self.onTestButton,
            "agreementButton": self.onAgreementButton,
            "consensusButton": self.onConsensusButton,
            "labelingPageButton": self.onPageButton,
        }

    def follow(self, parameters: MDALSelectorParameterNode) -> None:
        """Show what the record of the cohort says; nothing before it was inspected."""
        self.jobs.follow([parameters.cohortPath])
        isInspected = self._logic.isInspected(parameters.cohortPath)
        nCases = len(self._logic.rows()) if isInspected else 0
        self._facts = readersFacts(self._logic.files()) if isInspected else ReadersFacts()
        facts = self._facts
        key = (parameters.cohortPath, parameters.recordPath, nCases, facts.nTests)
        if key != self._known and nCases:
            self._known = key
            box = self._ui.testCasesSpinBox
            wasBlocked = box.blockSignals(True)
            box.setRange(1, max(nCases - 1, 1))
            box.setValue(facts.nTests or defaultNumber(nCases))
            box.blockSignals(wasBlocked)
            self._ui.readAgainSpinBox.setValue(round(100 * facts.share))
        showText(self._ui.testLabel, facts.testText if isInspected and not facts.problem else "")
        none = _("No case was read twice, so nothing can be said about agreement.")
        text = facts.problem or "\n".join(facts.sentences) or none
        showText(self._ui.agreementLabel, text if isInspected else "")

    def problems(self, parameters: MDALSelectorParameterNode, *, missing: str) -> dict[str, str]:
        """Say for every button why it cannot be pressed now; empty if it can.

        Args:
            parameters: What the user chose.
            missing: What must be installed first; empty if nothing.
        """
        busy = _("A job is running. Wait, or press Cancel.") if self.jobs.isBusy else ""
        isInspected = self._logic.isInspected(parameters.cohortPath)
        noReport = "" if isInspected else _("Press Inspect first.")
        problem = busy or noReport or self._facts.problem
        n = self._facts.nTests
        isMore = self._ui.testCasesSpinBox.value > n
        noMore = _("As many are set aside already: {n}. Choose a larger number to add some.")
        return {
            "testButton": problem or missing or ("" if isMore else noMore.format(n=n)),
            "agreementButton": problem,
            "consensusButton": problem,
            "labelingPageButton": problem,
        }

    def onTestButton(self) -> None:
        """Set cases aside for testing."""
        with slicer.util.tryWithErrorDisplay(_("No case could be set aside.")):
            n, seed = self._ui.testCasesSpinBox.value, self._ui.testSeedSpinBox.value
            parameters = self._logic.getParameterNode()
            self._submit(evaluationArguments(parameters, n, seed), _("Set aside cases of {cohort}"))

    def onAgreementButton(self) -> None:
        """Compare the readers, and keep which share of the labels comes back."""
        with slicer.util.tryWithErrorDisplay(_("The readers could not be compared.")):
            parameters = self._logic.getParameterNode()
            share = self._ui.readAgainSpinBox.value
            self._submit(agreementArguments(parameters, share), _("Compare readers of {cohort}"))

    def onConsensusButton(self) -> None:
        """Make the consensus of all cases with several readers."""
        with slicer.util.tryWithErrorDisplay(_("There is no consensus.")):
            method = METHODS[max(self._ui.consensusComboBox.currentIndex, 0)]
            parameters = self._logic.getParameterNode()
            self._submit(consensusArguments(parameters, method), _("Consensus of {cohort}"))

    def onPageButton(self) -> None:
        """Write the page of the labeling."""
        with slicer.util.tryWithErrorDisplay(_("The page could not be written.")):
            parameters = self._logic.getParameterNode()
            record = self._logic.files().record.folder
            self._submit(pageArguments(parameters, record), _("Page of {cohort}"))

    def _onNumber(self, _number: int) -> None:
        self.changed.emit()

    def _submit(self, arguments: list[str], title: str) -> None:
        title = title.format(cohort=Path(arguments[2]).name)
        job = BackgroundProcess(arguments, title=title, owner=MODULE, needs=QUICK_LOOK)
        self.jobs.submit(job, self._onDone, about=job.arguments[2:3])

    def _onDone(self, job: BackgroundProcess) -> None:
        page = (job.result or {}).get("report")
        if page is not None:
            qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(page)))
        self._known = ()
        self.noted.emit()
        self.changed.emit()
