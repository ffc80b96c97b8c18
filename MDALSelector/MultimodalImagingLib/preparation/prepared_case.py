"""Prepared cases: how they are asked for, what they hold, and how they lie on disk.

There is one safetensors file per case. It is used only if its key (specification, content of the
files, format version) and the checksum of its tensors agree; otherwise the case is prepared again.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from MultimodalImagingLib.cohorts.cases import Case, Problem
from MultimodalImagingLib.images.arrays import Float32Array, MaskArray
from MultimodalImagingLib.images.geometry import Grid
from MultimodalImagingLib.preparation.intensity import MODALITY_KINDS
from MultimodalImagingLib.record.checksums import (
    FileChecksums,
    array_crc,
    json_checksum,
    relative_name,
)
from MultimodalImagingLib.record.tensor_file import read_header as read_tensor_header
from MultimodalImagingLib.record.tensor_file import read_tensors, write_tensors


@dataclass(frozen=True)
class PreprocessingSpec:
    """How images become arrays; stored with models and in the key of every cached case.

    Attributes:
        spacing_mm: Working spacing along the left, posterior and superior axes, mm.
        kinds: Modality to `"MR"`, `"CT"`, `"PET"` or `"OTHER"`, in the order of the cohort.
    """

    spacing_mm: tuple[float, float, float]
    kinds: Mapping[str, str]

    def __post_init__(self) -> None:
        """Refuse a spacing or a kind that does not exist."""
        if len(self.spacing_mm) != 3 or not min(self.spacing_mm) > 0:
            msg = f"Expected three positive spacings in mm, got {self.spacing_mm}."
            raise ValueError(msg)
        unknown = {m: kind for m, kind in self.kinds.items() if kind not in MODALITY_KINDS}
        if unknown or not self.kinds:
            msg = f"Expected a kind of {MODALITY_KINDS} for every modality, got {dict(self.kinds)}."
            raise ValueError(msg)

    @property
    def modalities(self) -> tuple[str, ...]:
        """Modalities in the order of the cohort."""
        return tuple(self.kinds)


@dataclass(frozen=True)
class PreparedCase:
    """All usable modalities of a case on one grid, with comparable intensities.

    Attributes:
        case_id: The case.
        grid: The common grid; its axes are as close to LPS as the reference image allows.
        images: Normalized intensities per usable modality, shape `(K, J, I)`, unitless, 0 where
            the modality has no voxels. In the order of the specification.
        coverage: Where each modality has voxels, same keys.
        bodies: Where each modality sees the body, same keys.
        body: Where at least half of the modalities that cover a voxel see the body.
        problems: What was wrong with the case's files; a modality named by an error is missing.
    """

    case_id: str
    grid: Grid
    images: Mapping[str, Float32Array]
    coverage: Mapping[str, MaskArray]
    bodies: Mapping[str, MaskArray]
    body: MaskArray
    problems: tuple[Problem, ...] = field(default=())

    @property
    def modalities(self) -> tuple[str, ...]:
        """Usable modalities in the order of the cohort."""
        return tuple(self.images)


FORMAT_VERSION = 3


class CacheMissError(Exception):
    """The cached file is absent, of another key, or damaged (`is_damaged`)."""

    def __init__(self, reason: str, *, is_damaged: bool) -> None:
        super().__init__(reason)
        self.is_damaged = is_damaged


@dataclass(frozen=True)
class CachedHeader:
    """What is known of a cached case without reading its arrays.

    Attributes:
        case_id: The case.
        modalities: Usable modalities in the order of the cohort.
        grid: The common grid.
        problems: What was wrong with the case's files.
        checksum: CRC-32 over all tensors in the order of their names.
    """

    case_id: str
    modalities: tuple[str, ...]
    grid: Grid
    problems: tuple[Problem, ...]
    checksum: int


def case_key(case: Case, spec: PreprocessingSpec, checksums: FileChecksums) -> str:
    """Hash everything that a prepared case depends on: specification, files, format version.

    A file is known by its path relative to the cohort and its content.
    """
    files = [
        [m, relative_name(file.path, checksums.root), file.component, checksums.of(file.path)]
        for m in spec.modalities
        if (file := case.images.get(m)) is not None
    ]
    return json_checksum([FORMAT_VERSION, case.case_id, _spec_fields(spec), files])


def cache_file(cache: Path, case_id: str, spec: PreprocessingSpec) -> Path:
    """Name the file of a case; distinct for distinct cases, also on case-insensitive disks."""
    folder = cache / f"prepared-{json_checksum([FORMAT_VERSION, _spec_fields(spec)])[:12]}"
    slug = re.sub(r"[^A-Za-z0-9._-]+", "_", case_id)[:60]
    return folder / f"{slug}-{json_checksum(case_id)[:10]}.safetensors"


def write_prepared(path: Path, case: PreparedCase, key: str, *, root: Path) -> None:
    """Write a prepared case atomically: images as float16, masks as packed bits."""
    tensors: dict[str, np.ndarray[Any, Any]] = {}
    for modality, image in case.images.items():
        tensors[f"image.{modality}"] = image.astype(np.float16)
        tensors[f"coverage.{modality}"] = np.packbits(case.coverage[modality])
        tensors[f"body.{modality}"] = np.packbits(case.bodies[modality])
    tensors["body"] = np.packbits(case.body)
    header = {
        "key": key,
        "case_id": case.case_id,
        "modalities": list(case.modalities),
        "grid": asdict(case.grid),
        "problems": [_problem_fields(problem, root) for problem in case.problems],
        "checksum": array_crc(sorted(tensors.items())),
    }
    write_tensors(path, tensors, header)


def read_header(path: Path, key: str, *, root: Path) -> CachedHeader:
    """Read what is known of a cached case without its arrays.

    Raises:
        CacheMissError: If the file is absent, damaged, or was made from something else.
    """
    if not path.is_file():
        reason = "not prepared yet"
        raise CacheMissError(reason, is_damaged=False)
    try:
        fields = read_tensor_header(path)
        header = _header(fields, root)
        found_key = fields["key"]
    except (KeyError, ValueError, TypeError) as error:
        raise CacheMissError(str(error), is_damaged=True) from error
    if found_key != key:
        reason = "the files or the settings have changed"
        raise CacheMissError(reason, is_damaged=False)
    return header


def read_prepared(path: Path, key: str, *, root: Path) -> PreparedCase:
    """Read a cached case.

    Raises:
        CacheMissError: If the file is absent, damaged, or was made from something else.
    """
    header = read_header(path, key, root=root)
    try:
        _, tensors = read_tensors(path)
        if array_crc(sorted(tensors.items())) != header.checksum:
            reason = "its checksum differs"
            raise CacheMissError(reason, is_damaged=True)
        return _unpacked(header, tensors)
    except (KeyError, ValueError, TypeError) as error:
        raise CacheMissError(str(error), is_damaged=True) from error


def _unpacked(header: CachedHeader, tensors: Mapping[str, np.ndarray[Any, Any]]) -> PreparedCase:
    shape, names = header.grid.array_shape, header.modalities
    return PreparedCase(
        case_id=header.case_id,
        grid=header.grid,
        images={m: tensors[f"image.{m}"].astype(np.float32).reshape(shape) for m in names},
        coverage={m: _mask(tensors[f"coverage.{m}"], shape) for m in names},
        bodies={m: _mask(tensors[f"body.{m}"], shape) for m in names},
        body=_mask(tensors["body"], shape),
        problems=header.problems,
    )


def _mask(bits: np.ndarray[Any, Any], shape: tuple[int, int, int]) -> MaskArray:
    return np.unpackbits(bits, count=math.prod(shape)).astype(bool).reshape(shape)


def _header(fields: Mapping[str, Any], root: Path) -> CachedHeader:
    return CachedHeader(
        case_id=fields["case_id"],
        modalities=tuple(fields["modalities"]),
        grid=Grid(**{name: tuple(values) for name, values in fields["grid"].items()}),
        problems=tuple(
            Problem(**problem | {"path": root / problem["path"] if problem["path"] else None})
            for problem in fields["problems"]
        ),
        checksum=int(fields["checksum"]),
    )


def _problem_fields(problem: Problem, root: Path) -> dict[str, str | None]:
    path = problem.path and relative_name(problem.path, root)
    return asdict(problem) | {"path": path}


def _spec_fields(spec: PreprocessingSpec) -> list[Any]:
    return [[float(s) for s in spec.spacing_mm], [[m, k] for m, k in spec.kinds.items()]]
