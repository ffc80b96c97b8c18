"""Segmentations as one label map on the grid of an image: a number per voxel, by majority.

A segmentation may have layers, overlapping segments, and a grid of its own, finer or turned. Where
segments overlap the later one counts, as when 3D Slicer exports a label map.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.images.arrays import VoxelArray
from MultimodalImagingLib.images.geometry import Grid, Volume, resample
from MultimodalImagingLib.images.label_map import whole_numbers
from MultimodalImagingLib.images.label_names import Segment, read_segments
from MultimodalImagingLib.images.stored_image import ImageFile
from MultimodalImagingLib.images.volume_io import read_layers

_MOST_PARTS = 4  # of a voxel along an axis, in which labels are looked up
_CHUNK_VOXELS = 1 << 24
_LEAST_KEPT = 0.98


@dataclass(frozen=True)
class FlatLabels:
    """A segmentation as one label map.

    Attributes:
        volume: A number per voxel, uint8 or int16; 0 is background.
        values: Number per name of a segment, in the order of the file.
        remarks: What got lost on the way, full sentences.
    """

    volume: Volume
    values: Mapping[str, int]
    remarks: tuple[str, ...] = ()


def flat_labels(file: Path, grid: Grid, values: Mapping[str, int] | None = None) -> FlatLabels:
    """Read a segmentation onto a grid.

    Args:
        file: The segmentation, `.seg.nrrd`.
        grid: The grid of the image.
        values: Number per name of a segment, for example those of a task. Names that it lacks get
            the next free numbers; `None` for the numbers of the file, if they are distinct.

    Raises:
        CohortError: If the file cannot be read, or names no segments.
    """
    layers, drawn_grid = read_layers(ImageFile(file))
    segments = read_segments(file)
    if not segments and any(layer.any() for layer in layers):
        msg = f"Expected a segmentation with named segments in {file}, found none. Save it again."
        raise CohortError(msg)
    numbers, unknown = _numbers(segments, values)
    drawn = np.zeros(drawn_grid.array_shape, np.int16)
    n_overlapping = 0
    for segment, number in zip(segments, numbers, strict=True):
        mask = whole_numbers(layers[segment.layer], file.name) == segment.value
        n_overlapping += _n_lost(drawn, mask)
        drawn[mask] = number
    flat = by_majority(Volume(drawn, drawn_grid), grid)
    kind = np.uint8 if max(numbers, default=0) < 256 else np.int16
    named = {s.label.name: number for s, number in zip(segments, numbers, strict=True)}
    return FlatLabels(
        Volume(flat.array.astype(kind), grid),
        named,
        tuple(_remarks(drawn, drawn_grid, flat, n_overlapping, unknown)),
    )


def _n_lost(drawn: VoxelArray, mask: VoxelArray) -> int:
    """Count the voxels that a segment takes from earlier ones; none if it lies within one of them.

    Nested regions are meant so: the label map has the inner one, and the rest of the outer one.
    """
    below = np.unique(drawn[mask])
    is_nested = len(below) == 1 and np.count_nonzero(drawn == below[0]) > np.count_nonzero(mask)
    return 0 if is_nested else int(np.count_nonzero(drawn[mask]))


def by_majority(labels: Volume, grid: Grid) -> Volume:
    """Bring a label map to another grid: each voxel gets the number that most of it has.

    A voxel is looked at in up to 4 x 4 x 4 parts, as many as it has voxels of the label map along
    each axis. Where label and background cover the same share, the label counts.

    Args:
        labels: Whole numbers; 0 is background, and what lies beyond.
        grid: The other grid.
    """
    parts = _parts(labels.grid, grid)
    numbers = [int(n) for n in np.unique(labels.array) if n]
    found = np.zeros(grid.array_shape, labels.array.dtype)
    per_slice = grid.size[0] * grid.size[1] * math.prod(parts)
    step = max(1, _CHUNK_VOXELS // per_slice)
    for first in range(0, grid.size[2], step):
        n_slices = min(step, grid.size[2] - first)
        fine = resample(labels, _fine(grid, parts, first, n_slices), interpolation="nearest")
        found[first : first + n_slices] = _most(fine.array, parts, numbers)
    return Volume(found, grid)


def _parts(drawn: Grid, grid: Grid) -> tuple[int, int, int]:
    """Return in how many parts a voxel is looked at along `(I, J, K)`."""
    crossed = np.abs(np.linalg.inv(drawn.index_to_lps)[:3, :3] @ grid.index_to_lps[:3, :3])
    i, j, k = (min(_MOST_PARTS, max(1, math.ceil(n - 0.01))) for n in crossed.max(axis=0))
    return i, j, k


def _fine(grid: Grid, parts: tuple[int, int, int], first: int, n_slices: int) -> Grid:
    """Return the grid of the parts of some slices."""
    start = np.array([0.5 / n - 0.5 for n in parts]) + np.array([0, 0, first])
    origin = (grid.index_to_lps @ np.append(start, 1.0))[:3]
    i, j, k = (s / n for s, n in zip(grid.spacing_mm, parts, strict=True))
    return replace(
        grid,
        size=(grid.size[0] * parts[0], grid.size[1] * parts[1], n_slices * parts[2]),
        spacing_mm=(i, j, k),
        origin_mm=tuple(origin.tolist()),
    )


def _most(fine: VoxelArray, parts: tuple[int, int, int], numbers: Sequence[int]) -> VoxelArray:
    """Return the number that most parts of each voxel have."""
    i, j, k = parts
    if i * j * k == 1:
        return fine
    n_k, n_j, n_i = fine.shape
    blocks = fine.reshape(n_k // k, k, n_j // j, j, n_i // i, i)
    best = (blocks == 0).sum(axis=(1, 3, 5))
    found = np.zeros(best.shape, fine.dtype)
    for number in numbers:
        count = (blocks == number).sum(axis=(1, 3, 5))
        is_more = (count > 0) & (count >= best)
        best[is_more], found[is_more] = count[is_more], number
    return found


def _numbers(
    segments: Sequence[Segment], values: Mapping[str, int] | None
) -> tuple[list[int], list[str]]:
    """Return the number of every segment, and the names that got one here."""
    own = [segment.value for segment in segments]
    names = [segment.label.name for segment in segments]
    if values is None:
        is_told = len(set(own)) == len(own) and min(own, default=1) > 0
        return (own if is_told else list(range(1, len(own) + 1))), []
    known = {name.casefold(): number for name, number in values.items()}
    free = iter(n for n in range(1, 1 << 15) if n not in known.values())
    new = [name for name in dict.fromkeys(names) if name.casefold() not in known]
    known.update({name.casefold(): next(free) for name in new})
    return [known[name.casefold()] for name in names], new


def _remarks(
    drawn: VoxelArray, drawn_grid: Grid, flat: Volume, n_overlapping: int, unknown: Sequence[str]
) -> Iterator[str]:
    if unknown:
        names = ", ".join(map(repr, unknown))
        yield (
            f"{names} is no label of the task, so the label map gives a number of its own. Rename"
            " the segment if it is one."
        )
    if n_overlapping:
        yield (
            f"Segments overlap in {_ml(n_overlapping, drawn_grid):.3g} ml, where the label map has"
            " the later one only; the segmentation keeps both, and training uses that."
        )
    drawn_ml = _ml(int(np.count_nonzero(drawn)), drawn_grid)
    kept_ml = _ml(int(np.count_nonzero(flat.array)), flat.grid)
    if kept_ml < _LEAST_KEPT * drawn_ml and not _is_fine(drawn_ml, kept_ml, flat.grid):
        yield (
            f"{kept_ml:.3g} of {drawn_ml:.3g} ml are on the grid of the image; the rest lies"
            " outside, or is finer than its voxels."
        )


def _is_fine(drawn_ml: float, kept_ml: float, grid: Grid) -> bool:
    """Tell whether a difference is that of a voxel, as for tiny labels."""
    return kept_ml > 0 and drawn_ml - kept_ml <= _ml(1, grid)


def _ml(n_voxels: int, grid: Grid) -> float:
    return n_voxels * math.prod(grid.spacing_mm) / 1000
