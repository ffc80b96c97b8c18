"""Which cases are labeled, and which label map of a case counts: one answer for all commands."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote

from MultimodalImagingLib.cohorts.cases import Case, Cohort
from MultimodalImagingLib.cohorts.label_folder import label_maps_in
from MultimodalImagingLib.cohorts.reader_labels import (
    EARLIER,
    SEGMENTATION,
    is_readers,
    label_files,
    label_of_file,
    plain_name,
)
from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.images.stored_image import ImageFile
from MultimodalImagingLib.jobs.progress import NullReporter, Reporter
from MultimodalImagingLib.jobs.texts import counted, listed
from MultimodalImagingLib.record.checksums import file_checksum
from MultimodalImagingLib.record.cohort_record import (
    CaseState,
    CaseStates,
    CohortRecord,
    SavedLabel,
)
from MultimodalImagingLib.record.readers import CONSENSUS

_SUFFIXES = (".nii.gz", ".nii", SEGMENTATION, ".nrrd", ".mha")


def label_place(case_id: str, record: CohortRecord) -> Path:
    """Return the file that labels of a case are saved in when they are made here.

    It is that of the versions that did not tell readers apart; see `reader_label_place`.
    """
    return record.labels / f"{plain_name(case_id)}{SEGMENTATION}"


def record_of_label(file: Path) -> CohortRecord | None:
    """Return the record that a label file lies in, of a reader or not; `None` if in none."""
    found = label_of_file(file)
    if found is not None:
        return found[0]
    record = CohortRecord(file.parent.parent)
    return record if record.labels == file.parent else None


def reader_labels(case_id: str, record: CohortRecord) -> dict[str, Path]:
    """Return the label of each reader who labeled a case; of an earlier version as `EARLIER`.

    The consensus and blinded readings are left out, and the label map that is made of a label.

    Raises:
        CohortError: If the record has to be read and cannot be.
    """
    found = {key: file for key, file in label_files(case_id, record).items() if is_readers(key)}
    earlier = _earlier_label(case_id, record, as_segmentation=True)
    if earlier is None or _is_made(case_id, earlier, record):
        return found
    return {**found, EARLIER: earlier}


def _is_made(case_id: str, file: Path, record: CohortRecord) -> bool:
    """Tell whether a file is the label map that was made of the label that counts."""
    if file.name.endswith(SEGMENTATION):
        return False
    made = record.read_states().maps.get(case_id)
    return made is not None and file_checksum(file) in made.sha256s


def label_that_counts(
    case_id: str,
    label: ImageFile | None,
    record: CohortRecord,
    *,
    as_segmentation: bool = False,
    states: CaseStates | None = None,
) -> ImageFile | None:
    """Return the label of a case: one made here comes before the one that the cohort came with.

    Of those made here, it is the consensus if there is one, else what a reader saved last; a
    blinded reading only if there is nothing else. Then come those of earlier versions, also where
    the disk spells the case's name otherwise.

    Args:
        case_id: The case.
        label: The label map that the cohort came with.
        record: The cohort's record.
        as_segmentation: Prefer the segmentation, which is edited, to the label map of the same
            label. Else the label map, which is trained on, unless the segmentation was written
            after it. Of readers there are only segmentations.
        states: What the record knows, to say which was saved last; `None` to read it if needed.

    Raises:
        CohortError: If the record has to be read and cannot be.
    """
    file = label_by_readers(case_id, record, states)
    file = file or _earlier_label(case_id, record, as_segmentation=as_segmentation)
    return label if file is None else ImageFile(file)


def label_by_readers(
    case_id: str, record: CohortRecord, states: CaseStates | None = None
) -> Path | None:
    """Return the label of a case that counts among those of readers; `None` without one.

    Raises:
        CohortError: If the record has to be read and cannot be.
    """
    files = label_files(case_id, record)
    if CONSENSUS in files:
        return files[CONSENSUS]
    wanted = {key: file for key, file in files.items() if is_readers(key)} or files
    if len(wanted) < 2:
        return next(iter(wanted.values()), None)
    noted = (states or record.read_states()).labels.get(case_id, {})
    return max(wanted.items(), key=lambda item: (_saved_at(item[1], noted.get(item[0])), item[0]))[
        1
    ]


def _saved_at(file: Path, noted: SavedLabel | None) -> float:
    """Return when a label was saved: as it was noted, for copying may change the file's time."""
    if noted is not None:
        with suppress(ValueError):
            return datetime.fromisoformat(noted.at).timestamp()
    return file.stat().st_mtime


def _earlier_label(case_id: str, record: CohortRecord, *, as_segmentation: bool) -> Path | None:
    files = list(_labels_of_record(case_id, record))
    maps = [file for file in files if not file.name.endswith(SEGMENTATION)]
    segmentations = [file for file in files if file.name.endswith(SEGMENTATION)]
    order = [*segmentations, *maps] if as_segmentation else [*maps, *segmentations]
    if maps and segmentations and _is_newer(segmentations[0], maps[0]):
        order = [*segmentations, *maps]
    return order[0] if order else None


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
    is_said = state is CaseState.LABELLED or label is not None
    return is_said or any(label_files(case_id, record)) or any(_labels_of_record(case_id, record))


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
        CohortError: If the record cannot be read.
    """
    if folder is not None:
        labels = _labels_of_folder(folder, cohort, reporter or NullReporter())
    else:
        states = record.read_states()
        labels = {
            case.case_id: file
            for case in cohort.cases
            if (file := label_that_counts(case.case_id, case.label, record, states=states))
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
