"""Which files a DICOM cohort is made of: those below its folder, or those that its record lists."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from MultimodalImagingLib.cohorts.dicom.headers import is_dicom
from MultimodalImagingLib.cohorts.folders import is_hidden, list_folder, subfolders
from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.record.atomic_files import write_json
from MultimodalImagingLib.record.cohort_record import FOLDER_NAME
from MultimodalImagingLib.record.json_entry import json_value

# Folder of the record that holds whatever names patients.
DICOM_FOLDER = "dicom"
LIST_NAME = "files.json"
FORMAT_VERSION = 1

_DIRECTORY = "DICOMDIR"
_MOST_LOOKED_AT = 500


def file_list(root: Path) -> Path:
    """Return where the list of files of a cohort from a DICOM database lies."""
    return root / FOLDER_NAME / DICOM_FOLDER / LIST_NAME


def write_file_list(root: Path, files: Iterable[str]) -> None:
    """Make a folder the cohort of DICOM files that lie anywhere.

    Args:
        root: The folder.
        files: Their absolute paths.

    Raises:
        CrossModalError: If the list cannot be written.
    """
    path = file_list(root)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, {"format": FORMAT_VERSION, "files": sorted(files)})


def is_listed(root: Path) -> bool:
    """Tell whether a folder is such a cohort."""
    return file_list(root).is_file()


def holds_dicom(root: Path) -> bool:
    """Tell whether there is a DICOM file among the first files below a folder."""
    return any(is_dicom(path) for path in islice(_below(root), _MOST_LOOKED_AT))


def dicom_candidates(root: Path) -> list[Path]:
    """Return the files to look at, in a fixed order.

    Raises:
        CohortError: If the list of the record cannot be used.
    """
    path = file_list(root)
    if not path.is_file():
        return list(_below(root))
    try:
        content = json_value(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT_VERSION:
            msg = f"format {content['format']!r}, this version reads {FORMAT_VERSION}"
            raise ValueError(msg)
        return [Path(name) for name in content["files"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg = (
            f"Expected a list of DICOM files in {path}, but it cannot be used ({error}). Make the"
            " cohort again from the DICOM database."
        )
        raise CohortError(msg) from error


def _below(folder: Path, root: Path | None = None) -> Iterator[Path]:
    """Yield all files below a folder; names of what cannot be read may be those of patients."""
    for path in list_folder(folder, []):
        if path.name.upper() != _DIRECTORY and not is_hidden(path) and path.is_file():
            yield path
    for child in subfolders(folder, [], root=root):
        yield from _below(child, root or folder)
