"""`labels/<case>.nii.gz`: the label that counts, as a label map on the grid of the primary image.

For programs that read no segmentations. It is made from the segmentation and never in place of a
file that was not made here: the record knows what it was made from, and what it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from MultimodalImagingLib.cohorts.labelled_cases import label_by_readers
from MultimodalImagingLib.cohorts.reader_labels import plain_name
from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.images.flat_labels import flat_labels
from MultimodalImagingLib.images.geometry import Grid
from MultimodalImagingLib.images.volume_io import write_volume
from MultimodalImagingLib.record.case_states import CaseStates, MadeMap
from MultimodalImagingLib.record.checksums import file_checksum
from MultimodalImagingLib.record.cohort_record import CohortRecord

_SUFFIX = ".nii.gz"
_MOST_WRITERS = 8  # who may be about to write the label map of one case, or were killed at it


@dataclass(frozen=True)
class WrittenMap:
    """What became of the label map of a case.

    Attributes:
        path: The file; `None` if there is none that fits the label that counts.
        remarks: What the user should know, full sentences.
    """

    path: Path | None
    remarks: tuple[str, ...] = ()


def label_map_place(case_id: str, record: CohortRecord) -> Path:
    """Return the file for the label map of a case."""
    return record.labels / f"{plain_name(case_id)}{_SUFFIX}"


def write_label_map(
    case_id: str, record: CohortRecord, grid: Grid, values: Mapping[str, int] | None = None
) -> WrittenMap:
    """Bring the label map of a case up to date with the label that counts.

    Args:
        case_id: The case.
        record: The cohort's record.
        grid: The grid of its primary image.
        values: Number per name of a segment, as the task has them; `None` for those of the file.

    Raises:
        CohortError: If the label cannot be read, or the record is not there.
        LockedError: If another process is writing the record now.
        CrossModalError: If the file cannot be written; an older one is then untouched.
    """
    if not record.folder.is_dir():
        msg = (
            f"The label map of case {case_id} cannot be written: the record {record.folder} is not"
            " there any more. Connect its disk, then save again."
        )
        raise CohortError(msg)
    states = record.read_states()
    source = label_by_readers(case_id, record, states)
    if source is None:
        return WrittenMap(None)
    target, known = label_map_place(case_id, record), states.maps.get(case_id)
    if is_foreign(target, known):
        msg = (
            f"{target} was not made here, or was changed since, so it was left as it is; the label"
            f" that counts is {source.name} of case {case_id}. Move the file elsewhere, and the"
            " label map is made with the next save."
        )
        return WrittenMap(None, (msg,))
    checksum = file_checksum(source)
    flat = flat_labels(source, grid, values)
    path = source.relative_to(record.folder).as_posix()

    def note(unfinished: Path) -> None:
        """Note it before it is there, so that no crash lets it look like another program's."""
        new = file_checksum(unfinished)

        def change(current: CaseStates) -> CaseStates:
            made = MadeMap(_possible(new, target, current.maps.get(case_id)), path, checksum)
            return replace(current, maps={**current.maps, case_id: made})

        record.update(change)

    write_volume(target, flat.volume, before_it_counts=note)
    return WrittenMap(target, flat.remarks)


def is_foreign(file: Path, known: MadeMap | None) -> bool:
    """Tell whether a label map is there that was not made here, or was changed since."""
    if not file.exists() and not file.is_symlink():
        return False
    return known is None or not file.is_file() or file_checksum(file) not in known.sha256s


def _possible(new: str, file: Path, known: MadeMap | None) -> tuple[str, ...]:
    """Return checksums that the file may have: of others who are about to write it, too."""
    now = (file_checksum(file),) if file.is_file() else ()
    noted = () if known is None else known.sha256s
    return tuple(dict.fromkeys((new, *now, *noted)))[:_MOST_WRITERS]
