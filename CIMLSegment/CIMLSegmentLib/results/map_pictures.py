"""Pictures of a result: an axial slice with outlines and colored maps. Imports no torch.

All pictures of a case show the same plane at the same scale, in the convention of radiology: left
in the picture is the patient's right.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813

from CIMLSegmentLib.results.map_kinds import COLORS
from CIMLSegmentLib.task.regions import union
from CIMLSegmentLib.task.task import Task
from MultimodalImagingLib.images.arrays import ByteArray, Float32Array, MaskArray
from MultimodalImagingLib.images.geometry import Grid, Volume, resample
from MultimodalImagingLib.preparation.working_grid import canonical_grid

PIXELS = 288
# The field shows this many times the segmented part, but at least this much of the body.
FIELD_FACTOR, MIN_FIELD_MM = 2.6, 100.0
CT_WINDOW_HU = (-160.0, 240.0)
PET_WINDOW_SUV = (0.0, 10.0)
PERCENTILES = (1.0, 99.5)
MAX_OPACITY = 0.75
DOT_PIXELS = 4
JPEG_QUALITY = 88


def best_plane(label: Volume) -> Grid:
    """Choose the axial slice with the largest segmented area, the middle one if nothing was found.

    The grid of the square that is shown is one slice thick; rows run to posterior, columns to the
    patient's left.

    Args:
        label: 1 in the regions of the result, else 0.
    """
    upright = resample(label, canonical_grid(label.grid), interpolation="nearest")
    mask = upright.array.astype(bool)
    areas = mask.sum(axis=(1, 2))
    k = int(np.argmax(areas)) if areas.any() else len(areas) // 2
    spacing = np.array(upright.grid.spacing_mm)
    extent = np.array(upright.grid.size[:2]) * spacing[:2]
    center, side = extent / 2, float(extent.max())
    if areas.any():
        j, i = np.nonzero(mask[k])
        low, high = np.array([i.min(), j.min()]), np.array([i.max(), j.max()]) + 1
        center = (low + high) / 2 * spacing[:2]
        wanted = FIELD_FACTOR * float(((high - low) * spacing[:2]).max())
        side = min(max(wanted, MIN_FIELD_MM), side)
    start = [_inside(c - side / 2, side, whole) for c, whole in zip(center, extent, strict=True)]
    return _plane_grid(upright.grid, (start[0], start[1]), k, side / PIXELS)


def gray_picture(image: Volume, plane: Grid, *, kind: str) -> Float32Array:
    """Show an image in gray, `(J, I)`, 0 black to 1 white.

    CT: -160 to 240 HU. PET: SUV 0 to 10, dark is hot. MR and others: the 1st to 99.5th percentile
    of the values above the lowest.
    """
    values = _on_plane(image, plane)
    if kind == "CT":
        return _windowed(values, *CT_WINDOW_HU)
    if kind == "PET":
        return np.asarray(1 - _windowed(values, *PET_WINDOW_SUV), dtype=np.float32)
    above = image.array[image.array > image.array.min()]
    low, high = np.percentile(above if above.size else image.array, PERCENTILES)
    return _windowed(values, float(low), float(max(high, low + 1e-6)))


def with_map(
    gray: Float32Array,
    shown: Volume,
    plane: Grid,
    *,
    top: float,
    colors: str,
    is_signed: bool = False,
) -> ByteArray:
    """Lay a map over a gray picture; the larger the value, the less is seen of the picture.

    Args:
        gray: The picture, 0 to 1.
        shown: The map.
        plane: The plane of the picture.
        top: The value that gets the last color; values above look the same.
        colors: Key of `COLORS`.
        is_signed: Whether the first color is that of minus `top`, and 0 is transparent.
    """
    share = np.clip(_on_plane(shown, plane) / max(top, 1e-12), -1 if is_signed else 0, 1)
    opacity = (MAX_OPACITY * np.sqrt(np.abs(share)))[..., None]
    base = np.repeat(gray[..., None], 3, axis=2)
    place = (share + 1) / 2 if is_signed else share
    mixed = (1 - opacity) * base + opacity * color_of(place, colors)
    return np.asarray(np.rint(255 * np.clip(mixed, 0, 1)), dtype=np.uint8)


def plain(gray: Float32Array) -> ByteArray:
    """Return a gray picture as red, green and blue."""
    return np.repeat(np.rint(255 * gray).astype(np.uint8)[..., None], 3, axis=2)


def region_rims(masks: Mapping[str, MaskArray], grid: Grid, plane: Grid) -> Mapping[str, MaskArray]:
    """Return the rim of every region in a plane, two pixels wide.

    Args:
        masks: Region to its mask `(K, J, I)`.
        grid: The grid of the masks.
        plane: The plane.
    """
    inside = {
        name: _on_plane(Volume(mask.astype(np.float32), grid), plane) > 0.5
        for name, mask in masks.items()
    }
    return {name: mask & ~_eroded(mask) for name, mask in inside.items()}


def with_outlines(picture: ByteArray, rims: Mapping[str, MaskArray], task: Task) -> ByteArray:
    """Draw the rim of every region in its color, inner regions last."""
    result = picture.copy()
    for region in task.regions:
        result[rims[region.name]] = region.color
    return result


def with_reference(picture: ByteArray, rims: Mapping[str, MaskArray]) -> ByteArray:
    """Draw the rims of the regions of a reference as white dots."""
    rows, columns = np.indices(picture.shape[:2]) // DOT_PIXELS
    result = picture.copy()
    result[union(rims.values()) & ((rows + columns) % 2 == 0)] = 255
    return result


def color_of(share: Float32Array, colors: str) -> Float32Array:
    """Return red, green and blue, 0 to 1, of values 0 to 1."""
    table = np.array([[int(c[n : n + 2], 16) / 255 for n in (0, 2, 4)] for c in COLORS[colors]])
    at = np.linspace(0, 1, len(table))
    channels = [np.interp(share, at, table[:, channel]) for channel in range(3)]
    return np.stack(channels, axis=-1).astype(np.float32)


def jpeg(picture: ByteArray) -> bytes:
    """Return a picture as the content of a JPEG file."""
    image = sitk.GetImageFromArray(picture, isVector=True)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.jpg"
        sitk.WriteImage(image, str(path), True, JPEG_QUALITY)
        return path.read_bytes()


def top_of_maps(maps: Iterable[Volume]) -> float:
    """Return one scale for several maps: the largest 99.9th percentile of what is not 0."""
    tops = []
    for item in maps:
        values = np.abs(np.asarray(item.array, dtype=np.float32))
        if (values > 0).any():
            tops.append(float(np.percentile(values[values > 0], 99.9)))
    return max(tops, default=1.0)


def _inside(start: float, side: float, whole: float) -> float:
    """Move a range so that it leaves the image as little as possible."""
    return min(max(start, 0.0), whole - side) if whole >= side else (whole - side) / 2


def _plane_grid(grid: Grid, start_mm: tuple[float, float], k: int, pixel_mm: float) -> Grid:
    first = [
        (start + pixel_mm / 2) / spacing - 0.5
        for start, spacing in zip(start_mm, grid.spacing_mm, strict=False)
    ]
    origin = (grid.index_to_lps @ np.array([first[0], first[1], k, 1.0]))[:3]
    return Grid(
        (PIXELS, PIXELS, 1),
        (pixel_mm, pixel_mm, grid.spacing_mm[2]),
        (float(origin[0]), float(origin[1]), float(origin[2])),
        grid.direction,
    )


def _on_plane(volume: Volume, plane: Grid) -> Float32Array:
    values = Volume(volume.array.astype(np.float32, copy=False), volume.grid)
    fill = float(values.array.min())
    return np.asarray(resample(values, plane, fill=fill).array[0], dtype=np.float32)


def _windowed(values: Float32Array, low: float, high: float) -> Float32Array:
    return np.asarray(np.clip((values - low) / (high - low), 0, 1), dtype=np.float32)


def _eroded(mask: MaskArray) -> MaskArray:
    """Take two pixels off a mask, so that outlines are two pixels wide."""
    image = sitk.GetImageFromArray(mask.astype(np.uint8))
    eroded = sitk.GetArrayFromImage(sitk.BinaryErode(image, [2, 2], sitk.sitkBall))
    return np.asarray(eroded > 0)
