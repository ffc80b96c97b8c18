"""Where the finished results of a cohort's cases lie. Must not import Slicer or Qt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from MultimodalImagingLib.errors import CrossModalError
from MultimodalImagingLib.record.cohort_record import CaseState
from MultimodalImagingLib.record.draft_uncertainty import model_label
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


def newest_result(
    case_id: str, files: CohortFiles, chosen: str = "", *, model: str = ""
) -> Path | None:
    """Return the folder of the newest finished result of a case; `None` if it has none.

    Args:
        case_id: The case.
        files: Its cohort.
        chosen: Folder that the user chose for results; empty if none.
        model: The model that is meant, as `model_name` names it; empty for any.
    """
    found = _finished(case_id, files, chosen)
    folders = [folder for folder in found if not model or is_by_model(folder, model)]
    return max(folders, key=_time, default=None)


def model_name(model: Mapping[str, object], task: str) -> str:
    """Name the model of a result, for example `pet-ct 1c0ffee5-400-5eed5eed`; at least by its task.

    One of another program has a name of its own.
    """
    if model.get("name"):
        return str(model["name"])
    return f"{task} {model_label(model)}".strip()


def is_by_model(folder: Path, model: str) -> bool:
    """Tell whether a folder holds a result of a model, as `model_name` names it."""
    from CIMLSegmentLib.results.segmentation_result import read_result

    try:
        result = read_result(folder)
    except (CrossModalError, OSError):  # half a result, or something else
        return False
    return model_name(result.model, result.task.name) == model


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
