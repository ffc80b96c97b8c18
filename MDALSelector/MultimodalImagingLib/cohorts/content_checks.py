"""What only the content of image files tells: copies, NaN, constant images, damaged data."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from MultimodalImagingLib.cohorts.cases import Case, Problem
from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.images.arrays import mask_values
from MultimodalImagingLib.images.geometry import Volume
from MultimodalImagingLib.images.stored_image import ImageFile
from MultimodalImagingLib.images.volume_io import read_volume
from MultimodalImagingLib.jobs.texts import counted
from MultimodalImagingLib.record.checksums import file_checksum

_PIECE = 1 << 14
_SMALLEST = 1024  # bytes; smaller files hold one value everywhere, which is another problem
_MOST_NAMED = 3


class _Use(NamedTuple):
    case_id: str
    modality: str
    path: Path


def find_duplicates(cases: Sequence[Case]) -> tuple[tuple[Problem, ...], tuple[Case, ...]]:
    """Find equal images in one case and in several.

    Only files of one size are looked at, first at three pieces of them, so that few are read.

    Returns:
        A problem per case that has some, and the cases; those with the same images throughout
        count as one patient, so that they are never split between training and validation.
    """
    uses = [
        _Use(case.case_id, modality, file.path)
        for case in cases
        for modality, file in case.images.items()
        if file.component is None
    ]
    groups = _equal(uses)
    found = _within_cases(groups)
    n_images = {case.case_id: len(case.images) for case in cases}
    patients = {case.case_id: case.patient_id for case in cases}
    for (case_id, other), modalities in sorted(_between_cases(groups).items()):
        is_whole = len(modalities) == n_images[case_id] == n_images[other]
        found[case_id].append(_between(other, modalities, is_whole=is_whole))
        if is_whole:
            patients[case_id] = min(patients[case_id], patients[other])
    problems = (
        Problem("error", " ".join(texts[:_MOST_NAMED]), case_id)
        for case_id, texts in sorted(found.items())
    )
    same = (replace(case, patient_id=patients[case.case_id]) for case in cases)
    return tuple(problems), tuple(same)


def _within_cases(groups: Iterable[Sequence[_Use]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for group in groups:
        for case_id in {use.case_id for use in group}:
            own = [use for use in group if use.case_id == case_id]
            if len(own) > 1:
                found[case_id].append(_within(own))
    return found


def _between_cases(groups: Iterable[Sequence[_Use]]) -> dict[tuple[str, str], set[str]]:
    """Return the modalities that every two cases share."""
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for group in groups:
        names = sorted({use.case_id for use in group})
        for use in group:
            # A file that is everywhere: the first other one is named, not all.
            others = [name for name in names[:2] if name != use.case_id]
            for other in others:
                found[use.case_id, other].add(use.modality)
                found[other, use.case_id].add(use.modality)
    return found


def _equal(uses: Iterable[_Use]) -> list[list[_Use]]:
    groups = [list(uses)]
    for key in (_size, _pieces, file_checksum):
        split: list[list[_Use]] = []
        for group in groups:
            by_key: dict[object, list[_Use]] = defaultdict(list)
            for use in group:
                by_key[_or_unique(key, use.path)].append(use)
            split += [part for part in by_key.values() if len(part) > 1]
        groups = split
    return groups


def _or_unique(key: object, path: Path) -> object:
    try:
        return key(path)  # type: ignore[operator]
    except OSError:  # what cannot be read is equal to nothing
        return object()


def _size(path: Path) -> int:
    size = path.stat().st_size
    if size < _SMALLEST:
        raise OSError
    return size


def _pieces(path: Path) -> bytes:
    size = path.stat().st_size
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for start in (0, size // 2, max(size - _PIECE, 0)):
            file.seek(start)
            digest.update(file.read(_PIECE))
    return digest.digest()


def _within(uses: Sequence[_Use]) -> str:
    names = " and ".join(f"{use.modality} ({use.path.name})" for use in uses)
    return (
        f"Expected a different image per modality, found {names} equal byte for byte. Replace the"
        " one that was copied under a wrong name; the case is not suggested until then."
    )


def _between(other: str, modalities: Collection[str], *, is_whole: bool) -> str:
    if is_whole:
        return (
            f"Expected every case once, found all images equal byte for byte to those of {other}."
            " Move one of the two out of the cohort; neither is suggested until then."
        )
    return (
        f"Expected images of its own, found {', '.join(sorted(modalities))} equal byte for byte to"
        f" an image of {other}. Replace the one that was copied under a wrong name; neither case"
        " is suggested until then."
    )


def check_volume(volume: Volume) -> str | None:
    """Say what is wrong with the voxels of an image, as the end of "found ..."; else `None`."""
    array = volume.array
    n_bad = int(array.size - np.isfinite(array).sum())
    if n_bad:
        return f"{counted(n_bad, 'voxel')} with NaN or infinity"
    low, high = float(array.min()), float(array.max())
    return f"the same value {low:g} in all voxels" if low == high else mask_values(array)


def check_images(case: Case) -> Iterator[Problem]:
    """Read all images of a case and yield what is wrong with their voxels."""
    for modality, file in case.images.items():
        remarks: list[str] = []
        try:
            fault = check_volume(read_volume(file, remarks=remarks))
        except CohortError as error:
            fault = str(error)
        if fault is not None:
            yield Problem("error", _image_message(modality, file, fault), case.case_id, file.path)
        for remark in remarks:
            yield Problem("info", remark, case.case_id, file.path)


def _image_message(modality: str, file: ImageFile, fault: str) -> str:
    if fault.startswith("Expected"):
        return fault
    if fault.startswith("a mask"):
        return (
            f"Expected the {modality} image in {file.path.name}, found {fault}. Replace the file,"
            " or say what it is with a pattern such as `t1_mask=label` or `t1_mask=ignore`."
        )
    return (
        f"Expected finite, varying values in the {modality} image {file.path.name}, found {fault}."
        " Replace the file; until then the modality counts as missing in this case."
    )
