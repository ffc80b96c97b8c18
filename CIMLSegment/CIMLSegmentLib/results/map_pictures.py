"""Pictures of a result: an axial slice with outlines and colored maps. Imports no torch.

All pictures of a case show the same plane at the same scale, in the convention of radiology: left
in the picture is the patient's right.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk  # noqa: N813

from CIMLSegmentLib.results.map_kinds import COLORS
from CIMLSegmentLib.task.regions import region_masks
from CIMLSegmentLib.task.task import Task
from MultimodalImagingLib.images.geometry import Grid, Volume, resample
from MultimodalImagingLib.preparation.working_grid import canonical_grid

GrayArray = npt.NDArray[np.float32]
ColorArray = npt.NDArray[np.uint8]

PIXELS = 288
# The field shows this many times the segmented part, but at least this much of the body.
FIELD_FACTOR, MIN_FIELD_MM = 2.6, 100.0
CT_WINDOW_HU = (-160.0, 240.0)
PET_WINDOW_SUV = (0.0, 10.0)
PERCENTILES = (1.0, 99.5)
MAX_OPACITY = 0.75
DOT_PIXELS = 4
JPEG_QUALITY = 88


@dataclass(frozen=True)
class Plane:
    """The square that is shown.

    Attributes:
        grid: Its pixels, one slice thick; rows run to posterior, columns to the patient's left.
    """

    grid: Grid

    @property
    def side_mm(self) -> float:
        """Length of a side, mm."""
        return self.grid.size[0] * self.grid.spacing_mm[0]


def best_plane(label_map: Volume, task: Task, *, pixels: int = PIXELS) -> Plane:
    """Choose the axial slice with the largest segmented area, the middle one if nothing was found.

    Args:
        label_map: The result.
        task: Its task.
        pixels: Length of a side.
    """
    upright = resample(label_map, canonical_grid(label_map.grid), interpolation="nearest")
    mask = np.logical_or.reduce(list(region_masks(upright.array, task).values()))
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
    return Plane(_plane_grid(upright.grid, (start[0], start[1]), k, side / pixels, pixels))


def gray_picture(image: Volume, plane: Plane, *, kind: str) -> GrayArray:
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
    gray: GrayArray, shown: Volume, plane: Plane, *, top: float, colors: str
) -> ColorArray:
    """Lay a map over a gray picture; the higher the value, the less is seen of the picture.

    Args:
        gray: The picture, 0 to 1.
        shown: The map.
        plane: The plane of the picture.
        top: The value that gets the last color; values above look the same.
        colors: Key of `COLORS`.
    """
    share = np.clip(_on_plane(shown, plane) / max(top, 1e-12), 0, 1)
    opacity = (MAX_OPACITY * np.sqrt(share))[..., None]
    base = np.repeat(gray[..., None], 3, axis=2)
    mixed = (1 - opacity) * base + opacity * color_of(share, colors)
    return np.asarray(np.rint(255 * np.clip(mixed, 0, 1)), dtype=np.uint8)


def plain(gray: GrayArray) -> ColorArray:
    """Return a gray picture as red, green and blue."""
    return np.repeat(np.rint(255 * gray).astype(np.uint8)[..., None], 3, axis=2)


def with_outlines(picture: ColorArray, label_map: Volume, task: Task, plane: Plane) -> ColorArray:
    """Draw the outline of every region in its color, inner regions last."""
    result = picture.copy()
    for region in task.regions:
        mask = Volume(np.isin(label_map.array, region.labels).astype(np.float32), label_map.grid)
        inside = _on_plane(mask, plane) > 0.5
        rim = inside & ~_eroded(inside)
        result[rim] = region.color
    return result


def with_reference(picture: ColorArray, reference: Volume, task: Task, plane: Plane) -> ColorArray:
    """Draw the outline of every region of a reference label map as white dots."""
    result = picture.copy()
    rows, columns = np.indices(picture.shape[:2]) // DOT_PIXELS
    dots = (rows + columns) % 2 == 0
    for region in task.regions:
        mask = np.isin(reference.array, region.labels).astype(np.float32)
        inside = _on_plane(Volume(mask, reference.grid), plane) > 0.5
        result[inside & ~_eroded(inside) & dots] = 255
    return result


def color_of(share: GrayArray, colors: str) -> GrayArray:
    """Return red, green and blue, 0 to 1, of values 0 to 1."""
    table = np.array([[int(c[n : n + 2], 16) / 255 for n in (0, 2, 4)] for c in COLORS[colors]])
    at = np.linspace(0, 1, len(table))
    channels = [np.interp(share, at, table[:, channel]) for channel in range(3)]
    return np.stack(channels, axis=-1).astype(np.float32)


def jpeg(picture: ColorArray) -> bytes:
    """Return a picture as the content of a JPEG file."""
    image = sitk.GetImageFromArray(picture, isVector=True)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.jpg"
        sitk.WriteImage(image, str(path), True, JPEG_QUALITY)
        return path.read_bytes()


def top_of_maps(maps: Iterable[Volume]) -> float:
    """Return one scale for several maps: the largest of their 99.9th percentiles above 0."""
    tops = []
    for item in maps:
        values = np.asarray(item.array, dtype=np.float32)
        if (values > 0).any():
            tops.append(float(np.percentile(values[values > 0], 99.9)))
    return max(tops, default=1.0)


def legend_stops(colors: str) -> Sequence[str]:
    """Return the colors of a legend as CSS colors, low to high."""
    return [f"#{color}" for color in COLORS[colors]]


def region_colors(task: Task) -> Mapping[str, str]:
    """Return the color of every region as a CSS color."""
    return {region.name: f"rgb{region.color}" for region in task.regions}


def _inside(start: float, side: float, whole: float) -> float:
    """Move a range so that it leaves the image as little as possible."""
    return min(max(start, 0.0), whole - side) if whole >= side else (whole - side) / 2


def _plane_grid(
    grid: Grid, start_mm: tuple[float, float], k: int, pixel_mm: float, pixels: int
) -> Grid:
    first = [
        (start + pixel_mm / 2) / spacing - 0.5
        for start, spacing in zip(start_mm, grid.spacing_mm, strict=False)
    ]
    origin = (grid.index_to_lps @ np.array([first[0], first[1], k, 1.0]))[:3]
    return Grid(
        (pixels, pixels, 1),
        (pixel_mm, pixel_mm, grid.spacing_mm[2]),
        (float(origin[0]), float(origin[1]), float(origin[2])),
        grid.direction,
    )


def _on_plane(volume: Volume, plane: Plane) -> GrayArray:
    values = Volume(volume.array.astype(np.float32, copy=False), volume.grid)
    fill = float(values.array.min())
    return np.asarray(resample(values, plane.grid, fill=fill).array[0], dtype=np.float32)


def _windowed(values: GrayArray, low: float, high: float) -> GrayArray:
    return np.asarray(np.clip((values - low) / (high - low), 0, 1), dtype=np.float32)


def _eroded(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Take two pixels off a mask, so that outlines are two pixels wide."""
    image = sitk.GetImageFromArray(mask.astype(np.uint8))
    eroded = sitk.GetArrayFromImage(sitk.BinaryErode(image, [2, 2], sitk.sitkBall))
    return np.asarray(eroded > 0)
