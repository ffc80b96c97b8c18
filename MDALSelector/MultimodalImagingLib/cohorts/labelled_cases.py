"""Which cases are labeled, and which label map of a case counts: one answer for all commands."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote, unquote

from MultimodalImagingLib.cohorts.cases import Case, Cohort
from MultimodalImagingLib.cohorts.label_folder import label_maps_in
from MultimodalImagingLib.cohorts.saved_copies import saved_name
from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.images.stored_image import ImageFile
from MultimodalImagingLib.jobs.progress import NullReporter, Reporter
from MultimodalImagingLib.jobs.texts import counted, listed
from MultimodalImagingLib.record.cohort_record import CaseState, CohortRecord

_SEGMENTATION = ".seg.nrrd"
_SUFFIXES = (".nii.gz", ".nii", _SEGMENTATION, ".nrrd", ".mha")


def label_place(case_id: str, record: CohortRecord) -> Path:
    """Return the file that labels of a case are saved in when they are made here.

    It is named like the case; characters that Slicer's Save would leave out are written as `%2B`.
    """
    is_kept = saved_name(case_id) == case_id and "%" not in case_id
    name = case_id if is_kept else quote(case_id, safe="()$!#'^{}")
    return record.labels / f"{name}{_SEGMENTATION}"


def record_of_label(file: Path) -> CohortRecord | None:
    """Return the record that a label file lies in, as `label_place` gives it; `None` if in none."""
    record = CohortRecord(file.parent.parent)
    return record if record.labels == file.parent else None


def label_that_counts(
    case_id: str, label: ImageFile | None, record: CohortRecord, *, as_segmentation: bool = False
) -> ImageFile | None:
    """Return the label of a case: one made here comes before the one that the cohort came with.

    It is also found where the disk spells the case's name otherwise.

    Args:
        case_id: The case.
        label: The label map that the cohort came with.
        record: The cohort's record.
        as_segmentation: Prefer the segmentation, which is edited, to the label map of the same
            label. Else the label map, which is trained on, unless the segmentation was written
            after it.
    """
    files = list(_labels_of_record(case_id, record))
    maps = [file for file in files if not file.name.endswith(_SEGMENTATION)]
    segmentations = [file for file in files if file.name.endswith(_SEGMENTATION)]
    order = [*segmentations, *maps] if as_segmentation else [*maps, *segmentations]
    if maps and segmentations and _is_newer(segmentations[0], maps[0]):
        order = [*segmentations, *maps]
    return ImageFile(order[0]) if order else label


def _labels_of_record(case_id: str, record: CohortRecord) -> Iterator[Path]:
    """Yield the label files of a case in a record: those named like it first."""
    forms = dict.fromkeys(unicodedata.normalize(form, case_id) for form in ("NFC", "NFD"))
    plain = [name for name in forms if unquote(name) == name]  # others may be places of others
    named = (record.labels / f"{name}{suffix}" for name in plain for suffix in _SUFFIXES)
    files = dict.fromkeys((*named, label_place(case_id, record)))
    yield from (file for file in files if file.is_file())


def _is_newer(file: Path, other: Path) -> bool:
    """Tell whether a file was written after another one, as labels that were corrected since."""
    return file.stat().st_mtime_ns > other.stat().st_mtime_ns


def is_labelled(
    case_id: str, label: ImageFile | None, record: CohortRecord, state: CaseState | None
) -> bool:
    """Tell whether a case needs no label any more: it has one, or the record says so."""
    is_said = state is CaseState.LABELLED
    return is_said or label_that_counts(case_id, label, record) is not None


def labelled_cases(
    cohort: Cohort, record: CohortRecord, folder: Path | None, reporter: Reporter | None = None
) -> tuple[Case, ...]:
    """Return the cases with a label map: of the given folder, else of the record or the cohort.

    Args:
        cohort: The cohort.
        record: Its record; labels that were made there come before those of the cohort.
        folder: Label maps named like the cases; `None` for record and cohort.
        reporter: Notified of label maps of the folder that are not used.

    Raises:
        UsageError: If the folder is not there, or if none of its files belongs to a case.
    """
    if folder is not None:
        labels = _labels_of_folder(folder, cohort, reporter or NullReporter())
    else:
        labels = {
            case.case_id: file
            for case in cohort.cases
            if (file := label_that_counts(case.case_id, case.label, record)) is not None
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
            f"{counted(len(found.unused), 'file', 'belongs', 'belong')} to no case in"
            f" {folder}, or a closer name was found:"
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
