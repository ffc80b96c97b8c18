"""Which cases of a cohort have a label map to train on, and where it is. Imports no torch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from MultimodalImagingLib.cohorts.cases import Case
from MultimodalImagingLib.cohorts.cohort import Cohort
from MultimodalImagingLib.cohorts.folders import listed
from MultimodalImagingLib.cohorts.label_folder import label_maps_in
from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.images.volume_io import ImageFile
from MultimodalImagingLib.jobs.progress import NullReporter, Reporter
from MultimodalImagingLib.record.cohort_record import CohortRecord

LABEL_SUFFIXES = (".nii.gz", ".nii", ".seg.nrrd", ".nrrd", ".mha")


def labelled_cases(
    cohort: Cohort, record: CohortRecord, folder: Path | None, reporter: Reporter | None = None
) -> tuple[Case, ...]:
    """Return the cases with a label map: of the given folder, else of the record or the cohort.

    Args:
        cohort: The cohort.
        record: Its record; labels that were made there come before those of the cohort.
        folder: Label maps named like the cases; `None` for record and cohort.
        reporter: Told of label maps of the folder that are not used.

    Raises:
        UsageError: If the folder is not there, or if none of its files belongs to a case.
    """
    if folder is not None:
        labels = _labels_of_folder(folder, cohort, reporter or NullReporter())
    else:
        own = {case.case_id: _label_in(record.labels, case.case_id) for case in cohort.cases}
        labels = {
            case.case_id: file
            for case in cohort.cases
            if (file := own[case.case_id] or case.label) is not None
        }
    return tuple(
        replace(case, label=labels[case.case_id]) for case in cohort.cases if case.case_id in labels
    )


def _labels_of_folder(folder: Path, cohort: Cohort, reporter: Reporter) -> dict[str, ImageFile]:
    if not folder.is_dir():
        msg = f"Expected a folder of label maps, found none at {folder}. Correct --labels."
        raise UsageError(msg)
    case_ids = [case.case_id for case in cohort.cases]
    found = label_maps_in(folder, case_ids, cohort.patterns)
    for problem in found.problems:
        tell = reporter.info if problem.severity == "info" else reporter.warning
        tell(str(problem))
    if found.unused:
        reporter.warning(
            f"{len(found.unused)} files in {folder} belong to no case, or a closer name was found:"
            f" {listed([path.name for path in found.unused])}."
        )
    if not found.labels:
        msg = (
            f"Expected label maps in {folder} that are named like the cases (such as"
            f" {min(case_ids)}, also with an ending like _seg), found none. Correct --labels, or"
            " rename the files."
        )
        raise UsageError(msg)
    return {case: ImageFile(path) for case, path in found.labels.items()}


def _label_in(folder: Path, case_id: str) -> ImageFile | None:
    files = (folder / f"{case_id}{suffix}" for suffix in LABEL_SUFFIXES)
    return next((ImageFile(file) for file in files if file.is_file()), None)
