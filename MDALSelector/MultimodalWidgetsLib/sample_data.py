"""Slicer's module Sample Data offers ours: synthetic ones, made on the spot, and a public one.

Nothing is downloaded unless the user clicks the public one there; Slicer downloads it then, and
compares its checksum. `registerSampleData` is written for Slicer 5.10 and later.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from MultimodalSlicerLib.sample_nodes import Sample, addPatient, sampleArguments, samplePlaces
from MultimodalWidgetsLib.background_process import BackgroundProcess, JobState
from MultimodalWidgetsLib.job_needs import QUICK_LOOK
from MultimodalWidgetsLib.job_queue import jobQueue
from MultimodalWidgetsLib.widget_additions import handleEvents

CATEGORY = "CrossModal"
ICONS = Path(__file__).parents[1] / "Resources" / "Icons"
STATUS_MS = 10000
logger = logging.getLogger(__name__)

# Soft-tissue sarcoma STS_010 in PET, CT and T1: CC BY 3.0, Vallieres et al., TCIA 2015, doi
# 10.7937/K9/TCIA.2015.7GO2GSKS, prepared by A. Zwanenburg for the IBSI validation set. Its state
# of 2024-08-14 is named, so that the files can never be others.
PUBLIC_URL = (
    "https://raw.githubusercontent.com/theibsi/data_sets/6da96021bc91faf4c0cb7fd7fa56a4225d2064a8"
    "/ibsi_validation/nifti/STS_010"
)
PUBLIC_FILES = {
    "PET": (
        "PET_image.nii.gz",
        "d9dd3d28a3d6591c138a13125ed03bf6fac0bca24d32144a1ac3b4505ad4bd5d",
    ),
    "CT": (
        "CT_image.nii.gz",
        "4006316c883a66b3eb6b22e95c3bc05c782ecf70828b346ba0e42786d8c62912",
    ),
    "T1": (
        "MR_T1_image.nii.gz",
        "44c0ee836b45e2001f36bdb4bed1254ea4ceee8c26691b61ea7bb56ac09dd406",
    ),
}


def registerSampleData() -> None:
    """Add our category to the module Sample Data, where the application has that module."""
    try:
        import SampleData  # not there before the application has started
    except ImportError:
        logger.info("The module Sample Data is not there, so it offers no samples.")
        return
    logic = SampleData.SampleDataLogic
    if hasattr(logic, "registerCustomSampleDataCategory"):  # since Slicer 5.12
        logic.registerCustomSampleDataCategory(CATEGORY, title=CATEGORY)
    makers: dict[str, tuple[str, Callable[[object], None]]] = {
        _("Synthetic cohort (12 cases, MR)"): ("CrossModalCohort", tryCohort),
        _("Synthetic patient (PET/CT/T1)"): ("CrossModalPatient", loadPatient),
    }
    for title, (name, make) in makers.items():
        logic.registerCustomSampleDataSource(
            category=CATEGORY,
            sampleName=title,
            uris=[],
            fileNames=[],
            nodeNames=[],
            thumbnailFileName=str(ICONS / f"{name}.png"),
            customDownloader=make,
        )
    logic.registerCustomSampleDataSource(
        category=CATEGORY,
        sampleName=_("Sarcoma STS_010 (PET/CT/T1, CC BY 3.0)"),
        uris=[f"{PUBLIC_URL}/{file}" for file, _checksum in PUBLIC_FILES.values()],
        fileNames=[f"STS_010_{modality}.nii.gz" for modality in PUBLIC_FILES],
        nodeNames=[f"STS_010 {modality}" for modality in PUBLIC_FILES],
        checksums=[f"SHA256:{checksum}" for _file, checksum in PUBLIC_FILES.values()],
        thumbnailFileName=str(ICONS / "CrossModalSarcoma.png"),
    )


def sampleJob(sample: Sample, owner: str) -> BackgroundProcess:
    """Return the job that makes a sample, unless it is there already: seconds, no network."""
    titles = {
        Sample.COHORT: _("Make the synthetic cohort"),
        Sample.PATIENT: _("Make the synthetic patient"),
    }
    arguments = sampleArguments(slicer.mrmlScene, sample)
    return BackgroundProcess(arguments, title=titles[sample], owner=owner, needs=QUICK_LOOK)


def tryCohort(_source: object) -> None:
    """Make the cohort as *Try it* of MDALSelector does, and show that module."""
    slicer.util.selectModule("MDALSelector")
    slicer.util.getModuleWidget("MDALSelector").sources.onTryButton()


def loadPatient(_source: object) -> None:
    """Make the patient, then load the images."""
    job = sampleJob(Sample.PATIENT, "SampleData")
    if any(other.arguments == job.arguments for other in jobQueue().jobs):
        return  # it comes
    job.stateChanged.connect(_onPatientJob)
    slicer.util.showStatusMessage(_("The synthetic patient is being made..."), STATUS_MS)
    jobQueue().submit(job)


def _onPatientJob(job: BackgroundProcess) -> None:
    if job.state is JobState.FAILED:
        slicer.util.errorDisplay(job.errorMessage, detailedText=job.report())
    elif job.state is JobState.DONE:  # loading handles events: not within the signals of the job
        qt.QTimer.singleShot(0, partial(_addPatient, job))


def _addPatient(job: BackgroundProcess) -> None:
    with slicer.util.tryWithErrorDisplay(_("The sample cannot be loaded.")):
        addPatient(slicer.mrmlScene, samplePlaces(job.result), breathe=handleEvents)
