"""Where the files of a cohort and of its record lie. Must not import Slicer or Qt."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from MultimodalImagingLib.cohorts.labelled_cases import is_labelled, label_that_counts
from MultimodalImagingLib.images.stored_image import ImageFile
from MultimodalImagingLib.record.atomic_files import write_text
from MultimodalImagingLib.record.cohort_record import (
    CaseState,
    CohortRecord,
    default_record_folder,
    open_record,
)
from MultimodalSlicerLib.case_rows import CaseRow, columns_from_rows


@dataclass(frozen=True)
class CohortFiles:
    """A cohort on disk.

    Attributes:
        path: Folder or CSV manifest.
        record_path: Folder of the record; empty for the usual place.
    """

    path: str
    record_path: str = ""

    @property
    def root(self) -> Path:
        """Folder that the paths of files are relative to."""
        path = Path(self.path)
        return path if path.is_dir() else path.parent

    @property
    def record(self) -> CohortRecord:
        """The record where it is or would be; nothing is created."""
        return CohortRecord(self._record_folder or default_record_folder(self.root))

    def states(self) -> dict[str, CaseState]:
        """Return the state of every case that the record has one of.

        Raises:
            CohortError: If the record cannot be read.
        """
        entries = self.record.read_states().entries
        return {case_id: entry.state for case_id, entry in entries.items()}

    def change_states(self, changes: Mapping[str, CaseState]) -> None:
        """Keep new states in the record, which is created if needed.

        Raises:
            CohortError: If another process is writing.
            UsageError: If the record cannot be created.
        """
        open_record(self.root, folder=self._record_folder).change_states(changes)

    def images(self, row: CaseRow) -> dict[str, ImageFile]:
        """Return the image files of a case by modality."""
        return {modality: self._image_file(text) for modality, text in row.files.items()}

    def label(self, row: CaseRow) -> ImageFile | None:
        """Return the labels of a case: those made here come before those that it came with."""
        given = self._image_file(row.label) if row.label else None
        return label_that_counts(row.case_id, given, self.record, as_segmentation=True)

    def is_labelled(self, row: CaseRow, state: CaseState | None) -> bool:
        """Tell whether a case needs no label any more, given its state in the record."""
        given = self._image_file(row.label) if row.label else None
        return is_labelled(row.case_id, given, self.record, state)

    def latest_run(self) -> Path | None:
        """Return the folder of the last selection that was finished; `None` if there is none."""
        runs = self.record.folder / "runs"
        names = sorted(path.parent.name for path in runs.glob("*/selection.json"))
        return runs / names[-1] if names else None

    @property
    def _record_folder(self) -> Path | None:
        return Path(self.record_path) if self.record_path else None

    def _image_file(self, text: str) -> ImageFile:
        name, separator, component = text.rpartition("#")
        if not separator or not component.isdigit():
            return ImageFile(self.root / text)
        return ImageFile(self.root / name, int(component))


def write_case_table(path: Path, rows: Sequence[CaseRow]) -> None:
    """Write the list of cases with their states as CSV.

    Raises:
        CrossModalError: If the file cannot be written.
    """
    columns = columns_from_rows(rows)
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    write_text(path, text.getvalue())
