"""Where the labels of readers lie: `labels/<case>/<reader>.seg.nrrd`, a file for each reader.

Other files of that folder: `consensus.seg.nrrd`, and `<reader>~blinded.seg.nrrd` of a reader who
read the case again without seeing the label.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote, unquote

from MultimodalImagingLib.cohorts.saved_copies import saved_name
from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.jobs.environment import same_name
from MultimodalImagingLib.record.checksums import json_checksum
from MultimodalImagingLib.record.cohort_record import CohortRecord
from MultimodalImagingLib.record.readers import (
    BLINDED_MARK,
    CONSENSUS,
    checked_reader,
    spelling_of,
)

SEGMENTATION = ".seg.nrrd"
EARLIER = ""  # in place of a reader: of a label of an earlier version, whose reader is not known
# Disks take 255 bytes; a file has an ending, and `.unfinished-<token>-` before while it is written.
_LONGEST_FOLDER, _LONGEST_FILE = 255, 223
_BLINDED = f"{BLINDED_MARK}blinded"
_IMAGE_ENDINGS = (".gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd")
# What Windows takes for devices, whatever the suffix.
_DEVICES = {"con", "prn", "aux", "nul", *(f"{n}{i}" for n in ("com", "lpt") for i in range(1, 10))}


def plain_name(name: str) -> str:
    """Return how a file of a case or a reader is named on every disk; `unquote` gives it back.

    Characters that Slicer's Save would leave out are written as `%2B`. Where that is longer than a
    disk takes, its end is a checksum in place of the rest.
    """
    return _short(_encoded(name), _LONGEST_FILE)


def folder_name(name: str) -> str:
    """Return how a folder of a case is named; like `plain_name`, and it is never taken for a file.

    Dots at both ends, which disks hide or drop, and endings of images are written as `%2E`.
    """
    plain = _encoded(name)
    if plain.startswith(".") or plain.endswith((".", *_IMAGE_ENDINGS)):
        plain = plain.replace(".", "%2E")
    return _short(_without_device(plain), _LONGEST_FOLDER)


def reader_label_place(
    case_id: str, reader: str, record: CohortRecord, *, is_blinded: bool = False
) -> Path:
    """Return the file for the label of a reader; nothing is created.

    Args:
        case_id: The case.
        reader: Who labels; a reader known by other capitals has the file that is there.
        record: The cohort's record.
        is_blinded: For the label of somebody who reads again without seeing the first one.

    Raises:
        UsageError: If this can be no name of a reader.
    """
    return _place(case_id, label_key(checked_reader(reader), is_blinded=is_blinded), record)


def consensus_place(case_id: str, record: CohortRecord) -> Path:
    """Return the file for the consensus of several readers; nothing is created."""
    return _place(case_id, CONSENSUS, record)


def label_key(reader: str, *, is_blinded: bool = False) -> str:
    """Return the key of a label among those of its case, which its file is named by."""
    return f"{reader}{_BLINDED}" if is_blinded else reader


def is_readers(key: str) -> bool:
    """Tell whether a key is that of a reader's label, made in the light of others."""
    return key != CONSENSUS and not key.endswith(_BLINDED)


def label_files(case_id: str, record: CohortRecord) -> dict[str, Path]:
    """Return the files of all labels of a case by their key, those of earlier versions left out.

    Raises:
        CohortError: If their folder is there and cannot be read.
    """
    try:
        files = sorted(_folder(case_id, record).iterdir())
    except (FileNotFoundError, NotADirectoryError):  # nothing saved yet
        return {}
    except OSError as error:  # not to be taken for a case without labels
        msg = (
            f"The labels of case {case_id} in {_folder(case_id, record)} cannot be read:"
            f" {error.strerror}. Check the connection to the disk and the rights of the folder,"
            " then try again."
        )
        raise CohortError(msg) from error
    return {
        _key(path): path
        for path in files
        if path.name.endswith(SEGMENTATION) and not path.name.startswith(".")
    }


def label_of_file(file: Path) -> tuple[CohortRecord, str] | None:
    """Return the record that a reader's label file lies in, and its key; `None` if in none."""
    record = CohortRecord(file.parent.parent.parent)
    if record.labels != file.parent.parent or not file.name.endswith(SEGMENTATION):
        return None
    return record, _key(file)


def _place(case_id: str, key: str, record: CohortRecord) -> Path:
    files = label_files(case_id, record)
    found = files.get(spelling_of(key, files))
    name = _without_device(plain_name(key))
    return found or _folder(case_id, record) / f"{name}{SEGMENTATION}"


def _folder(case_id: str, record: CohortRecord) -> Path:
    return record.labels / folder_name(same_name(case_id))


def _key(file: Path) -> str:
    return same_name(unquote(file.name[: -len(SEGMENTATION)]))


def _encoded(name: str) -> str:
    is_kept = saved_name(name) == name and "%" not in name
    return name if is_kept else quote(name, safe="()$!#'^{}")


def _short(plain: str, longest: int) -> str:
    if len(plain.encode()) <= longest:
        return plain
    digest = f"~{json_checksum(plain)[:16]}"
    start = plain.encode()[: longest - len(digest)].decode(errors="ignore")
    return f"{start}{digest}"


def _without_device(name: str) -> str:
    is_device = name.split(".", maxsplit=1)[0].casefold() in _DEVICES
    return f"%{ord(name[0]):02X}{name[1:]}" if is_device else name
