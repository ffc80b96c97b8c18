"""Label maps: read by one rule wherever a label is read.

Values within 0.05 of a whole number are that number, because labels that went through a scale
factor come back as 2.00003 or 1.992; any other value is refused. A label map may be one slice or
one voxel, for 3D Slicer writes the smallest box around the segments, and may have layers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.images.arrays import Float64Array, LabelArray, VoxelArray
from MultimodalImagingLib.images.geometry import Grid, Volume
from MultimodalImagingLib.images.label_names import LabelName, Segment, read_segments
from MultimodalImagingLib.images.stored_image import ImageFile, image_suffix
from MultimodalImagingLib.images.volume_io import read_layers

LARGEST_DEVIATION = 0.05
_LARGEST_VALUE = 2**31 - 1
_MOST_LABELS = 64


@dataclass(frozen=True)
class LabelMap:
    """Whole numbers and where they lie.

    Attributes:
        volume: A number per voxel, int32; 0 is background.
        names: Names that the file itself gives to numbers; several where segments overlap.
        has_own_values: Whether the numbers are those that the file holds, and not running numbers
            of the combinations of segments in several layers.
    """

    volume: Volume
    names: Mapping[int, tuple[LabelName, ...]] = field(default_factory=dict)
    has_own_values: bool = True


def read_label_map(file: ImageFile) -> LabelMap:
    """Read a label map.

    Raises:
        CohortError: If it cannot be read, or holds other numbers than whole ones; the message says
            what it looks like instead.
    """
    layers, grid = read_layers(file)
    segments: tuple[Segment, ...] = ()
    if image_suffix(file.path) in (".nrrd", ".nhdr"):
        segments = read_segments(file.path)
    if len(layers) > 1 and not segments:
        msg = (
            f"Expected one label map in {file.path.name}, found {len(layers)} maps in one file, as"
            " in a one-hot label with a map per region. Save one 3-D label map with one whole"
            " number per label."
        )
        raise CohortError(msg)
    whole = [whole_numbers(layer, file.path.name) for layer in layers]
    return _single(whole[0], grid, segments) if len(whole) == 1 else _many(whole, grid, segments)


def whole_numbers(values: VoxelArray, name: str) -> LabelArray:
    """Turn values into whole numbers by the rule of this module.

    Args:
        values: Values of a label map, any type.
        name: How messages call the file.

    Raises:
        CohortError: If a value is more than 0.05 from a whole number.
    """
    if values.dtype.kind == "b":
        return values.astype(np.int32)
    if values.dtype.kind in "iu":
        rounded: npt.NDArray[Any] = values
    else:
        numbers = values.astype(np.float64, copy=False)
        if not np.isfinite(numbers).all():
            msg = (
                f"Expected whole numbers in the label map {name}, found NaN or infinity. Set such"
                " voxels to the label that they have, or to 0."
            )
            raise CohortError(msg)
        rounded = np.rint(numbers)
        odd = np.abs(numbers - rounded) > LARGEST_DEVIATION
        if odd.any():
            raise CohortError(_no_whole_numbers(numbers, numbers[odd], name))
    largest = max(int(rounded.max(initial=0)), -int(rounded.min(initial=0)))
    if largest > _LARGEST_VALUE:
        msg = (
            f"Expected label values of at most {_LARGEST_VALUE} in {name}, found {largest}."
            f" {_AGAIN}"
        )
        raise CohortError(msg)
    return np.asarray(rounded, dtype=np.int32)


_AGAIN = "Export the labels again as whole numbers, without interpolation."


def _no_whole_numbers(values: Float64Array, odd: Float64Array, name: str) -> str:
    start = f"Expected whole numbers in the label map {name}, found"
    example = f"{odd[0]:.4g}"
    n_values = len(np.unique(values))
    if values.min() >= 0 and values.max() <= 1 + LARGEST_DEVIATION:
        return (
            f"{start} values between 0 and 1 such as {example}, as in a probability map. Choose a"
            " threshold, for example 0.5, and save the mask with the values 0 and 1."
        )
    if n_values > _MOST_LABELS:
        return (
            f"{start} {n_values} different values such as {example}, as in an image. Give the label"
            " map of this case in its place."
        )
    return f"{start} values such as {example}. {_AGAIN}"


def _single(array: LabelArray, grid: Grid, segments: Sequence[Segment]) -> LabelMap:
    names: dict[int, tuple[LabelName, ...]] = {}
    for segment in segments:
        names[segment.value] = (*names.get(segment.value, ()), segment.label)
    return LabelMap(Volume(array, grid), names)


def _many(layers: Sequence[LabelArray], grid: Grid, segments: Sequence[Segment]) -> LabelMap:
    """Give a running number to every combination of segments that occurs."""
    combined = np.zeros(grid.array_shape, dtype=np.int64)
    for layer in layers:
        found, inverse = np.unique(layer, return_inverse=True)
        _, combined = np.unique(
            combined.ravel() * len(found) + inverse.ravel(), return_inverse=True
        )
    _, first = np.unique(combined, return_index=True)
    combinations = [tuple(int(layer.flat[at]) for layer in layers) for at in first]
    numbers = np.zeros(len(combinations), dtype=np.int32)
    names: dict[int, tuple[LabelName, ...]] = {}
    for position, values in enumerate(combinations):
        if any(values):
            number = len(names) + 1
            numbers[position], names[number] = number, _names_of(values, segments)
    array = numbers[combined].reshape(grid.array_shape)
    return LabelMap(Volume(array, grid), names, has_own_values=False)


def _names_of(values: Sequence[int], segments: Sequence[Segment]) -> tuple[LabelName, ...]:
    known = {(segment.layer, segment.value): segment.label for segment in segments}
    return tuple(
        known.get((layer, value), LabelName(f"value {value} of layer {layer + 1}"))
        for layer, value in enumerate(values)
        if value
    )
