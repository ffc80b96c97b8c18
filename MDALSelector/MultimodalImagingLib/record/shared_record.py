"""The record in a cohort's own folder, which others use, where this user has another one."""

from __future__ import annotations

from pathlib import Path

from MultimodalImagingLib.record.atomic_files import is_writable_folder
from MultimodalImagingLib.record.cohort_record import FILE_NAME, CohortRecord
from MultimodalImagingLib.record.ownership import RECORD_NAME


def shared_record(cohort_root: Path, record: CohortRecord) -> CohortRecord | None:
    """Return the record in the cohort's folder if there is one and it is not the given one.

    Args:
        cohort_root: The cohort's folder, or its CSV manifest.
        record: The record that is used.
    """
    root = cohort_root if cohort_root.is_dir() else cohort_root.parent
    folder = root / RECORD_NAME
    is_other = folder.resolve() != record.folder.resolve()
    return CohortRecord(folder) if is_other and (folder / FILE_NAME).is_file() else None


def overlooked_text(cohort_root: Path, record: CohortRecord) -> str:
    """Say that the record of others is not used because this user may not write it; else empty."""
    shared = shared_record(cohort_root, record)
    if shared is None or is_writable_folder(shared.folder):
        return ""
    return (
        f"You may not write the record of this cohort, {shared.folder}, so yours is"
        f" {record.folder}: labels, states and claims of the two are kept apart. Get permission to"
        " write there, or exchange them with `mdal-selector export` and `mdal-selector import`."
    )
