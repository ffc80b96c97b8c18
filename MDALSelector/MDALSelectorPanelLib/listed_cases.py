"""The cases of the cohort that the panel of MDALSelector lists, with what the record knows."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import slicer
from slicer.i18n import tr as _
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModuleLogic,
)

from MDALSelectorPanelLib.nodes.case_facts import CaseFacts, read_case_facts, with_facts
from MDALSelectorPanelLib.nodes.case_rows import (
    CaseRow,
    rows_from_found,
    rows_from_selection,
    with_states,
)
from MDALSelectorPanelLib.nodes.labeling import Labeling
from MDALSelectorPanelLib.nodes.ranking_nodes import RankingNodes, runFacts
from MultimodalImagingLib.errors import CrossModalError
from MultimodalImagingLib.record.cohort_record import CaseState
from MultimodalSlicerLib.cohort_files import CohortFiles
from MultimodalSlicerLib.cohort_report import CohortReport, read_report
from MultimodalSlicerLib.reader import currentReader
from MultimodalSlicerLib.selection_parameters import MDALSelectorParameterNode
from MultimodalWidgetsLib.background_process import BackgroundProcess


class ListedCases(ScriptedLoadableModuleLogic):
    """The cases that were found in a cohort, or ranked, in the order of labeling.

    Attributes:
        ranking: The ranking of the scene.
        nLabelled: Number of labeled cases of the cohort that was inspected.
        labeling: Which case is next, and what can be undone.
    """

    def __init__(self) -> None:
        ScriptedLoadableModuleLogic.__init__(self)
        self.ranking = RankingNodes(slicer.mrmlScene)
        self.nLabelled = 0
        self._report: CohortReport | None = None
        self._reportedPath = ""
        self._found: tuple[CohortFiles, list[CaseRow]] | None = None
        self.labeling = Labeling(self.rows, self.files, lambda: self.ranking.run)

    def getParameterNode(self) -> MDALSelectorParameterNode:
        """Return what the user chose in this scene."""
        return MDALSelectorParameterNode(super().getParameterNode())

    def finishInspection(self, job: BackgroundProcess) -> CohortReport:
        """Understand what was found, and bring the ranking of the cohort up to date.

        A ranking of another cohort is removed from the scene; without one, the last run of the
        cohort is opened.

        Raises:
            ValueError: If the job said nothing useful.
            CohortError: If the record or the last run cannot be read.
        """
        report = read_report(job.result or {})
        if job.arguments[2] != self._reportedPath:
            self.labeling.forget()
        self._report, self._reportedPath, self._found = report, job.arguments[2], None
        files = self.files()
        self.nLabelled = files.n_labelled(self._report.cases)
        self.getParameterNode().retrospectRun = str(files.latest_retrospect() or "")
        if self.ranking.facts.cohort != self._reportedPath:
            self.ranking.remove()
            run = files.latest_run()
            if run is not None:
                self.openRun(run)
        elif self.ranking.run:
            self.ranking.update(with_states(self.ranking.rows(), files.states()))
        return self._report

    def forgetCohort(self) -> None:
        """Forget what was inspected, as it belonged to another scene."""
        self._report, self._reportedPath, self._found = None, "", None
        self.nLabelled = 0
        self.labeling.forget()

    def openRun(self, run: Path, evidence: object = None) -> None:
        """Put the ranking of a run into the scene, with the states of the record.

        Args:
            run: Folder of the run.
            evidence: What its job told about labels and strategies, if it did.

        Raises:
            CohortError: If the run or the record cannot be read.
        """
        from MDALSelectorLib.selection.run_folder import read_selection

        selection = read_selection(run)
        found = () if self._report is None else self._report.cases
        rows = rows_from_selection(selection, found=found, states=self.files().states())
        cohort = self.getParameterNode().cohortPath
        self.ranking.write(rows, runFacts(run, cohort, selection, evidence))

    def rows(self) -> list[CaseRow]:
        """Return the ranking of the scene, or the cases that were found before there is one.

        Their states are those that were noted last: nothing is read but for the first time.
        """
        ranked = self.ranking.rows()
        if ranked or self._report is None:
            return ranked
        files = self.files()
        if self._found is None or self._found[0] != files:
            states: Mapping[str, CaseState] = {}
            with suppress(CrossModalError):  # the menu of a case says it, and so does Inspect
                states = files.case_states(self._report.cases)
            self._found = (files, rows_from_found(self._report.cases, states))
        return list(self._found[1])

    def row(self, caseID: str) -> CaseRow | None:
        """Return the row of a case; `None` if it has none."""
        return next((row for row in self.rows() if row.case_id == caseID), None)

    def facts(self, classesOf: Collection[str]) -> CaseFacts:
        """Return what the record knows of the cases now; nothing before the cohort is inspected.

        Args:
            classesOf: Cases whose classes are asked about.
        """
        report, files = self._report, self.files()
        if report is None:
            return CaseFacts()
        try:
            facts = read_case_facts(files, currentReader(), classesOf, report.columns)
            free = [c for c in report.cases if facts.states.get(c.case_id) is CaseState.UNLABELLED]
            if free and not self.ranking.run:  # a ranking knows by itself which labels counted
                facts = replace(facts, states=files.case_states(free))
        except CrossModalError:  # the menu of a case says it, and so does Inspect
            return CaseFacts()
        return facts

    def asRecorded(self, rows: Sequence[CaseRow], classesOf: Collection[str]) -> Sequence[CaseRow]:
        """Return rows as the record says now; nothing changes before the cohort is inspected.

        Args:
            rows: The rows.
            classesOf: Cases whose classes are asked about; others keep theirs.
        """
        return rows if self._report is None else with_facts(rows, self.facts(classesOf))

    def noteStates(self, states: Mapping[str, CaseState]) -> None:
        """Keep with the ranking, or with the cases found, that cases have another state now."""
        if self.ranking.run:
            self.ranking.update(with_states(self.ranking.rows(), states))
        elif self._found is not None:
            files, rows = self._found
            self._found = (files, with_states(rows, states))

    def draw(self, selected: str = "") -> slicer.vtkMRMLPlotChartNode | None:
        """Draw the ranking and return the chart; `None` if there is nothing to draw."""
        return self.ranking.draw(self.ranking.rows(), selected)

    def plotHint(self) -> str:
        """Say what the plot does not show; empty if it shows all."""
        hasRun = self._report is not None and self.files().latest_run() is not None
        return self.ranking.plotHint(hasRun=hasRun)

    def isInspected(self, path: str) -> bool:
        """Tell whether a cohort is the one that was inspected last."""
        return self._report is not None and self._reportedPath == path

    @property
    def modalities(self) -> tuple[str, ...]:
        """The modalities of the cohort that was inspected; none before."""
        return () if self._report is None else self._report.modalities

    def knownRow(self, caseID: str) -> CaseRow:
        """Return the row of a case.

        Raises:
            ValueError: If it has none.
        """
        row = self.row(caseID)
        if row is None:
            raise ValueError(_("No case is chosen. Choose one in the table."))
        return row

    def files(self) -> CohortFiles:
        """Return the cohort that is chosen."""
        parameters = self.getParameterNode()
        return CohortFiles(parameters.cohortPath, parameters.recordPath)
