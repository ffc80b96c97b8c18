"""Where the finished results of a cohort's cases lie. Must not import Slicer or Qt."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from MultimodalImagingLib.errors import CrossModalError
from MultimodalImagingLib.record.cohort_record import CaseState
from MultimodalSlicerLib.cohort_files import CohortFiles, FoundCase


@dataclass(frozen=True)
class ChosenCase:
    """The case of a row that a user chose.

    Attributes:
        found: The case with its files.
        state: Its state as the table shows it, where the record says nothing.
        files: Its cohort.
        result: Folder of its newest result; `None` if there is none.
    """

    found: FoundCase
    state: CaseState
    files: CohortFiles
    result: Path | None = None


def newest_result(case_id: str, files: CohortFiles, chosen: str = "") -> Path | None:
    """Return the folder of the newest finished result of a case; `None` if it has none.

    Args:
        case_id: The case.
        files: Its cohort.
        chosen: Folder that the user chose for results; empty if none.
    """
    folders = list(_finished(case_id, files, chosen))
    return max(folders, key=_time, default=None)


def _finished(case_id: str, files: CohortFiles, chosen: str) -> Iterator[Path]:
    try:
        from CIMLSegmentLib.results.result_io import result_folder
        from CIMLSegmentLib.results.segmentation_result import read_result
    except ImportError:  # the other module may be absent when modules are loaded from source
        return
    models = files.record.results.glob("*")
    for place in (*([Path(chosen)] if chosen else []), *models):
        folder = result_folder(place, case_id)
        try:
            if folder.is_dir() and read_result(folder).case_id == case_id:
                yield folder
        except (CrossModalError, OSError):  # half a result, or something else
            continue


def _time(folder: Path) -> int:
    from CIMLSegmentLib.results.segmentation_result import RESULT_FILE

    return (folder / RESULT_FILE).stat().st_mtime_ns
