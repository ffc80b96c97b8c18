"""One case from its files to arrays on one grid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Literal, cast

import numpy as np

from MultimodalImagingLib.cohorts.cases import Case, Problem
from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.images.arrays import Float32Array, MaskArray, mask_values
from MultimodalImagingLib.images.geometry import Grid, Volume, resample
from MultimodalImagingLib.images.stored_image import ImageFile
from MultimodalImagingLib.images.volume_io import read_grid, read_volume
from MultimodalImagingLib.preparation.intensity import (
    CT_STORED_HU,
    ModalityKind,
    NormalizedImage,
    joint_body,
    kind_problem,
    normalize,
)
from MultimodalImagingLib.preparation.prepared_case import PreparedCase, PreprocessingSpec
from MultimodalImagingLib.preparation.working_grid import (
    coverage,
    cropped_grid,
    smoothed_for,
    working_grid,
)

Crop = Literal["intersection", "reference"]

# Fewer working voxels than this along an axis show no anatomy; more than that many fill the memory.
MIN_VOXELS_PER_AXIS = 4
MAX_VOXELS = 512**3


class _UnusableImageError(Exception):
    """One modality of the case cannot be used; `problem` says why."""

    def __init__(self, modality: str, problem: Problem) -> None:
        super().__init__(problem.message)
        self.modality = modality
        self.problem = problem


def prepare_case(
    case: Case,
    spec: PreprocessingSpec,
    *,
    reference: str | None = None,
    crop: Crop = "intersection",
) -> PreparedCase:
    """Bring all modalities of a case onto one grid and make their intensities comparable.

    An image that is unreadable, non-finite, constant or nowhere in the reference's field of view is
    reported as an error in `problems`, and its modality counts as missing in this case; the others
    go on.

    Args:
        case: The case.
        spec: Working spacing and kinds; modalities that it does not name are ignored.
        reference: Modality whose axes and field of view are used; the first usable one by default.
            If given, the case is refused without it.
        crop: `"intersection"` keeps the region that all usable modalities see (selection),
            `"reference"` the whole field of view of the reference (segmentation).

    Raises:
        CohortError: If no modality is usable, the reference is not, or the fields of view have
            no common region.
    """
    files = {m: case.images[m] for m in spec.modalities if m in case.images}
    problems: list[Problem] = []
    while files and (reference is None or reference in files):
        try:
            prepared = _prepare(case.case_id, files, spec, reference=reference, crop=crop)
        except _UnusableImageError as error:
            problems.append(error.problem)
            del files[error.modality]
        else:
            return replace(prepared, problems=(*problems, *prepared.problems))
    raise CohortError(_nothing_left(case, spec, reference, problems))


def _prepare(
    case_id: str,
    files: Mapping[str, ImageFile],
    spec: PreprocessingSpec,
    *,
    reference: str | None,
    crop: Crop,
) -> PreparedCase:
    grids = {}
    for modality, file in files.items():
        with _usable(case_id, modality, file):
            grids[modality] = read_grid(file)
    reference = reference or next(iter(files))
    grid, coverage_of = _region(case_id, grids, spec, reference=reference, crop=crop)
    images: dict[str, NormalizedImage] = {}
    problems: list[Problem] = []
    remarks: list[str] = []
    for modality, file in files.items():
        covered = coverage_of[modality]
        with _usable(case_id, modality, file):
            if not covered.any():
                raise CohortError(_elsewhere(grids, modality, reference))
            array = _on_grid(file, grid, kind=spec.kinds[modality], remarks=remarks)
            kind, warning = _effective_kind(case_id, file, array, covered, spec.kinds[modality])
            images[modality] = _normalized(array, covered, kind)
        problems += [warning] if warning else []
    problems += [Problem("info", " ".join(remarks), case_id)] if remarks else []
    bodies = {m: image.body for m, image in images.items()}
    return PreparedCase(
        case_id=case_id,
        grid=grid,
        images={m: image.values for m, image in images.items()},
        coverage=coverage_of,
        bodies=bodies,
        body=joint_body(list(bodies.values()), list(coverage_of.values())),
        problems=tuple(problems),
    )


def _region(
    case_id: str, grids: Mapping[str, Grid], spec: PreprocessingSpec, *, reference: str, crop: Crop
) -> tuple[Grid, dict[str, MaskArray]]:
    grid = working_grid(grids[reference], spec.spacing_mm)
    _check_size(case_id, reference, grids[reference], grid)
    covered = {m: coverage(grid, image_grid) for m, image_grid in grids.items()}
    if crop == "reference":
        return grid, covered
    joint = np.logical_and.reduce(list(covered.values()))
    cropped, slices = cropped_grid(grid, joint) if joint.any() else (None, None)
    if cropped is None or min(cropped.size) < MIN_VOXELS_PER_AXIS:
        raise CohortError(_no_overlap(case_id, grids))
    return cropped, {m: np.ascontiguousarray(mask[slices]) for m, mask in covered.items()}


def _on_grid(file: ImageFile, grid: Grid, *, kind: str, remarks: list[str]) -> Float32Array:
    """Read one image, check its values, and sample it on the working grid."""
    air = CT_STORED_HU[0] if kind == "CT" else None
    volume = read_volume(file, background=air, remarks=remarks)
    array = np.asarray(volume.array, dtype=np.float32)
    single = f"the single value {array.flat[0] + 0.0:g} in every voxel"
    fault = single if array.min() == array.max() else mask_values(array)
    if fault is not None:
        msg = f"Expected an image, found {fault}."
        raise CohortError(msg)
    if kind == "CT":
        array = np.clip(array, *CT_STORED_HU)
    smooth = smoothed_for(Volume(array, volume.grid), grid)
    sampled = resample(smooth, grid, interpolation="linear", fill=float(array.min()))
    return np.asarray(sampled.array, dtype=np.float32)


def _normalized(array: Float32Array, covered: MaskArray, kind: ModalityKind) -> NormalizedImage:
    try:
        return normalize(array, covered, kind=kind)
    except ValueError as error:
        raise CohortError(str(error)) from error


def _effective_kind(
    case_id: str, file: ImageFile, array: Float32Array, covered: MaskArray, kind: str
) -> tuple[ModalityKind, Problem | None]:
    """Fall back to the robust z-score, aloud, where values are not in the unit of the kind."""
    known = cast("ModalityKind", kind)
    complaint = kind_problem(array, covered, known) if covered.any() else None
    if complaint is None:
        return known, None
    message = (
        f"{complaint} in {file.path.name}. This image is scaled by its own median and spread"
        " instead; convert it, or correct the modality in the pattern table."
    )
    return "OTHER", Problem("warning", message, case_id, file.path)


def _check_size(case_id: str, modality: str, image: Grid, grid: Grid) -> None:
    if np.prod(grid.size, dtype=np.float64) <= MAX_VOXELS:
        return
    extent = [round(n * s) for n, s in zip(image.size, image.spacing_mm, strict=True)]
    msg = (
        f"Case {case_id}: the {modality} image claims a field of view of {extent[0]} x {extent[1]}"
        f" x {extent[2]} mm, {grid.size} voxels at the working spacing, which is more than fits."
        " Check the spacing in its header, or choose a larger working spacing."
    )
    raise CohortError(msg)


@contextmanager
def _usable(case_id: str, modality: str, file: ImageFile) -> Iterator[None]:
    """Let an error concern this modality only."""
    try:
        yield
    except CohortError as error:
        where = "" if file.path.name in str(error) else f" File: {file.path.name}."
        message = (
            f"{modality}: {error}{where} Until this is fixed, the modality is treated as missing in"
            " this case."
        )
        problem = Problem("error", message, case_id, file.path)
        raise _UnusableImageError(modality, problem) from error


def _elsewhere(grids: Mapping[str, Grid], modality: str, reference: str) -> str:
    both = {name: grids[name] for name in (reference, modality)}
    return f"Expected a field of view that meets that of {reference}, found LPS mm {_boxes(both)}."


def _boxes(grids: Mapping[str, Grid]) -> str:
    boxes = []
    for modality, grid in grids.items():
        low, high = grid.corners_lps.min(axis=0), grid.corners_lps.max(axis=0)
        sides = " x ".join(f"{a:.0f}..{b:.0f}" for a, b in zip(low, high, strict=True))
        boxes.append(f"{modality} {sides}")
    return "; ".join(boxes)


def _no_overlap(case_id: str, grids: Mapping[str, Grid]) -> str:
    return (
        f"Case {case_id}: the modalities need a common field of view of at least"
        f" {MIN_VOXELS_PER_AXIS} working voxels along each axis, and have none (LPS mm:"
        f" {_boxes(grids)}). The case is left out; check that the files belong together and are"
        " in the same space."
    )


def _nothing_left(
    case: Case, spec: PreprocessingSpec, reference: str | None, problems: list[Problem]
) -> str:
    wanted = reference or "one of " + ", ".join(spec.modalities)
    reasons = " ".join(problem.message for problem in problems) or "No such file was found."
    return f"Case {case.case_id}: Expected a usable image of {wanted}, found none. {reasons}"
