"""What only the voxels of a file tell: NaN, constant images, empty masks, damaged data."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from MultimodalImagingLib.cohorts.cases import Case, Problem
from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.images.volume_io import ImageFile, Volume, read_volume


def check_volume(volume: Volume, *, is_label: bool = False) -> str | None:
    """Say what is wrong with the voxels of a volume, as the end of "found ..."; else `None`."""
    array = volume.array
    n_bad = int(array.size - np.isfinite(array).sum())
    if n_bad:
        return f"{n_bad} voxels with NaN or infinity"
    low, high = float(array.min()), float(array.max())
    if not is_label:
        return f"the same value {low:g} in all voxels" if low == high else None
    if low < 0 or not np.array_equal(array, np.round(array)):
        return f"values that are no label numbers (from {low:g} to {high:g})"
    return "an empty mask (no voxel above 0)" if high == 0 else None


def check_contents(case: Case) -> Iterator[Problem]:
    """Read all files of a case and yield what is wrong with their voxels."""
    for modality, file in case.images.items():
        remarks: list[str] = []
        fault = _fault(file, remarks, is_label=False)
        if fault is not None:
            yield Problem("error", _image_message(modality, file, fault), case.case_id, file.path)
        for remark in remarks:
            yield Problem("info", remark, case.case_id, file.path)
    if case.label is not None:
        fault = _fault(case.label, [], is_label=True)
        if fault is not None:
            message = _label_message(case.label, fault)
            yield Problem("warning", message, case.case_id, case.label.path)


def _fault(file: ImageFile, remarks: list[str], *, is_label: bool) -> str | None:
    try:
        volume = read_volume(file, remarks=remarks)
    except CohortError as error:
        return str(error)
    return check_volume(volume, is_label=is_label)


def _image_message(modality: str, file: ImageFile, fault: str) -> str:
    if fault.startswith("Expected"):
        return fault
    return (
        f"Expected finite, varying values in the {modality} image {file.path.name}, found {fault}."
        " Replace the file; until then the modality counts as missing in this case."
    )


def _label_message(file: ImageFile, fault: str) -> str:
    if fault.startswith("Expected"):
        return fault
    return (
        f"Expected a label map with at least one labeled voxel in {file.path.name}, found {fault}."
        " Correct it, or leave it if there is nothing to label."
    )
