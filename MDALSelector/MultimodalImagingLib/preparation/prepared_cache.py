"""Prepared cases on disk: one safetensors file per case, named and keyed so that it can be trusted.

A file is used only if its key (specification, file identities, format version) and the checksum of
its tensors agree; otherwise the case is prepared again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from MultimodalImagingLib.cohorts.cohort import Case, Problem
from MultimodalImagingLib.images.geometry import Grid
from MultimodalImagingLib.preparation.file_checksums import FileChecksums
from MultimodalImagingLib.preparation.prepared_case import (
    BoolArray,
    PreparedCase,
    PreprocessingSpec,
)
from MultimodalImagingLib.record.checksums import array_crc, json_checksum
from MultimodalImagingLib.record.tensor_file import read_header as read_tensor_header
from MultimodalImagingLib.record.tensor_file import read_tensors, write_tensors

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


def case_key(
    case: Case, spec: PreprocessingSpec, root: Path, *, checksums: FileChecksums | None = None
) -> str:
    """Hash everything that a prepared case depends on: specification, files, format version.

    A file is known by its path relative to the cohort and its content.

    Args:
        case: The case.
        spec: How it is prepared.
        root: Folder of the cohort.
        checksums: What is known of its files; `None` to read them.
    """
    known = FileChecksums(root / "nowhere", root) if checksums is None else checksums
    files = []
    for modality in spec.modalities:
        image = case.images.get(modality)
        if image is not None:
            files.append(
                [modality, _relative(image.path, root), image.component, known.of(image.path)]
            )
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
    shape = header.grid.array_shape
    names = header.modalities
    return PreparedCase(
        case_id=header.case_id,
        grid=header.grid,
        images={m: tensors[f"image.{m}"].astype(np.float32).reshape(shape) for m in names},
        coverage={m: _mask(tensors[f"coverage.{m}"], shape) for m in names},
        bodies={m: _mask(tensors[f"body.{m}"], shape) for m in names},
        body=_mask(tensors["body"], shape),
        problems=header.problems,
    )


def _mask(bits: np.ndarray[Any, Any], shape: tuple[int, int, int]) -> BoolArray:
    n_voxels = shape[0] * shape[1] * shape[2]
    return np.unpackbits(bits, count=n_voxels).astype(bool).reshape(shape)


def _header(fields: Mapping[str, Any], root: Path) -> CachedHeader:
    grid = {name: tuple(values) for name, values in fields["grid"].items()}
    problems = tuple(
        Problem(p["severity"], p["message"], p["case_id"], root / p["path"] if p["path"] else None)
        for p in fields["problems"]
    )
    return CachedHeader(
        case_id=fields["case_id"],
        modalities=tuple(fields["modalities"]),
        grid=Grid(**grid),
        problems=problems,
        checksum=int(fields["checksum"]),
    )


def _problem_fields(problem: Problem, root: Path) -> dict[str, str | None]:
    return {
        "severity": problem.severity,
        "message": problem.message,
        "case_id": problem.case_id,
        "path": None if problem.path is None else _relative(problem.path, root),
    }


def _relative(path: Path, root: Path) -> str:
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()


def _spec_fields(spec: PreprocessingSpec) -> list[Any]:
    return [[float(s) for s in spec.spacing_mm], [[m, k] for m, k in spec.kinds.items()]]
