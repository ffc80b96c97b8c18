"""A cohort as a CSV file with a row per case: for CART, SlicerCaseIterator and tables.

CART wants the column `uid`, takes columns with `volume` in their names for images and such with
`segmentation` for labels. In SlicerCaseIterator the same names are entered as columns.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from MultimodalImagingLib.cohorts.cases import Case, Cohort
from MultimodalImagingLib.cohorts.class_table import known_classes
from MultimodalImagingLib.cohorts.labelled_cases import label_that_counts
from MultimodalImagingLib.images.stored_image import ImageFile, image_suffix
from MultimodalImagingLib.record.atomic_files import write_text
from MultimodalImagingLib.record.class_task import read_class_task
from MultimodalImagingLib.record.cohort_record import CohortRecord
from MultimodalImagingLib.record.ownership import check_own_files

OPTION = "--csv"
_HEAD = ("uid", "patient", "state", "suggested")
_START = ",".join(_HEAD).encode()


@dataclass(frozen=True)
class ExportedTable:
    """What an export wrote.

    Attributes:
        n_cases: Number of rows.
        without_path: Images that have no file of their own, as `case modality`; their cells are
            empty.
    """

    n_cases: int
    without_path: tuple[str, ...]


def export_table(
    cohort: Cohort,
    record: CohortRecord,
    file: Path,
    *,
    suggested: Sequence[str] = (),
    option: str = OPTION,
) -> ExportedTable:
    """Write the table; an older one is replaced.

    Args:
        cohort: The cohort.
        record: Its record: states of the cases, and labels.
        file: The CSV file.
        suggested: Cases that a selection suggests, in its order; they come first.
        option: The option that names the file, for messages.

    Raises:
        UsageError: If there is a file that is no such table.
        CrossModalError: If it cannot be written.
    """
    check_own_files({file: lambda data: data.startswith(_START)}, option=option)
    ranks = {case_id: number for number, case_id in enumerate(suggested, start=1)}
    cases = sorted(cohort.cases, key=lambda c: (ranks.get(c.case_id, len(ranks) + 1), c.case_id))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = [f"volume_{modality}" for modality in cohort.modalities]
    task, states = read_class_task(record), record.read_states()
    writer.writerow([*_HEAD, *columns, "segmentation", *([] if task is None else ["class"])])
    classes = {} if task is None else known_classes(cohort, record, task).of_case
    without_path: list[str] = []
    for case in cases:
        label = label_that_counts(
            case.case_id, case.label, record, as_segmentation=True, states=states
        )
        writer.writerow(
            [
                case.case_id,
                case.patient_id,
                str(states.of(case.case_id)),
                ranks.get(case.case_id, ""),
                *_cells(case, cohort.modalities, without_path),
                file_path(label) or "",
                *([] if task is None else [classes.get(case.case_id, "")]),
            ]
        )
    write_text(file, text.getvalue())
    return ExportedTable(len(cases), tuple(without_path))


def _cells(case: Case, modalities: Sequence[str], without_path: list[str]) -> Iterator[str]:
    images: Mapping[str, ImageFile] = case.images
    for modality in modalities:
        path = file_path(images.get(modality))
        if modality in images and path is None:
            without_path.append(f"{case.case_id} {modality}")
        yield path or ""


def file_path(file: ImageFile | None) -> str | None:
    """Return the path of an image that is a file of its own."""
    if file is None or file.component is not None or image_suffix(file.path) is None:
        return None
    return str(file.path.absolute())
