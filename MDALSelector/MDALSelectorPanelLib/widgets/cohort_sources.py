"""Where a cohort comes from, beside its folder: a recent one, a manifest, DICOM, or a sample."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import qt
import slicer
from slicer.i18n import tr as _

from MDALSelectorPanelLib.selector_logic import MODULE
from MDALSelectorPanelLib.widgets.cohort_section import CohortSection
from MDALSelectorPanelLib.widgets.dicom_patients import cohortFromDatabase
from MultimodalSlicerLib.dicom_database import databaseProblem
from MultimodalSlicerLib.sample_nodes import Sample, samplePlaces
from MultimodalSlicerLib.selection_parameters import MDALSelectorParameterNode
from MultimodalWidgetsLib.background_process import BackgroundProcess
from MultimodalWidgetsLib.job_section import JobSection
from MultimodalWidgetsLib.recent_cohorts import RecentCohorts
from MultimodalWidgetsLib.remembered import RecentCohort
from MultimodalWidgetsLib.sample_data import sampleJob

if TYPE_CHECKING:
    from slicer_types import UiForm


class CohortSources:
    """Chooses a cohort in the ways that buttons offer."""

    def __init__(
        self,
        ui: UiForm,
        section: CohortSection,
        jobs: JobSection,
        parameters: Callable[[], MDALSelectorParameterNode],
        inspect: Callable[[], None],
    ) -> None:
        """Take the widgets of the `.ui` file.

        Args:
            ui: Holds them by name.
            section: Shows the cohort.
            jobs: Shows the job that makes a sample.
            parameters: Returns what the user chose in the present scene.
            inspect: Finds the cases of the cohort that is chosen.
        """
        self._ui, self._section, self._jobs = ui, section, jobs
        self._parameters, self._inspect = parameters, inspect
        self._recent = RecentCohorts(ui.recentButton, self.onRecentChosen)

    def handlers(self) -> dict[str, Callable[[], None]]:
        """Return what the buttons do."""
        return {
            "recentButton": self._recent.show,
            "manifestButton": self.onManifestButton,
            "tryButton": self.onTryButton,
            "dicomButton": self.onDicomButton,
        }

    def problems(self) -> dict[str, str]:
        """Say for every button why it cannot be pressed now; empty if it can."""
        return {"recentButton": self._recent.problem, "dicomButton": databaseProblem()}

    def onRecentChosen(self, cohort: RecentCohort) -> None:
        """Choose a cohort that was inspected before, with its record."""
        parameters = self._parameters()
        with slicer.util.NodeModify(parameters):
            parameters.cohortPath, parameters.recordPath = cohort.path, cohort.record
        self._section.giveHint("")

    def onManifestButton(self) -> None:
        """Choose a CSV manifest in place of a folder."""
        title, kinds = _("Choose a CSV manifest"), _("Manifests (*.csv)")
        path = qt.QFileDialog.getOpenFileName(None, title, "", kinds)
        if path:
            self._ui.cohortPathLineEdit.currentPath = path

    def onTryButton(self) -> None:
        """Make the synthetic cohort."""
        with slicer.util.tryWithErrorDisplay(_("The sample cohort could not be made.")):
            chosen = self._parameters().cohortPath
            job = sampleJob(Sample.COHORT, MODULE)
            self._jobs.submit(job, partial(self.onSampleMade, chosen))

    def onSampleMade(self, chosen: str, job: BackgroundProcess) -> None:
        """Choose the synthetic cohort and find its cases, unless the user chose one meanwhile.

        Args:
            chosen: The cohort that was chosen when the button was pressed.
            job: The job that made the synthetic one.
        """
        with slicer.util.tryWithErrorDisplay(_("The sample cohort could not be made.")):
            parameters = self._parameters()
            if parameters.cohortPath != chosen:
                text = _("The sample cohort is in {folder}. You chose another cohort meanwhile.")
                folder = samplePlaces(job.result)["cohort"]
                self._jobs.say(text.format(folder=folder))
                return
            with slicer.util.NodeModify(parameters):
                parameters.cohortPath = samplePlaces(job.result)["cohort"]
                parameters.recordPath = ""
            self._section.giveHint("")
            self._inspect()

    def onDicomButton(self) -> None:
        """Make a cohort of patients of Slicer's DICOM database, and inspect it."""
        with slicer.util.tryWithErrorDisplay(_("The cohort cannot be made of the database.")):
            folder = cohortFromDatabase()
            if folder:
                self._ui.cohortPathLineEdit.currentPath = folder
                self._inspect()
