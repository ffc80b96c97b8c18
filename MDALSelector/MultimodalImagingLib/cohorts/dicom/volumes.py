"""From the images of a DICOM series to volumes: one orientation, one grid, every place once.

Nothing is repaired: slices that are missing, uneven or shifted against each other (a tilted
gantry) are a fault with what to do next.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from MultimodalImagingLib.cohorts.dicom.headers import KINDS_OF_IMAGE, Header
from MultimodalImagingLib.images.arrays import Float64Array
from MultimodalImagingLib.images.geometry import Grid
from MultimodalImagingLib.images.position import ROUNDING_VOXELS
from MultimodalImagingLib.jobs.texts import counted

_SAME_PLACE_MM = 0.01
_SAME_COSINE = 1e-3
_SAME_SPACING_MM = 1e-3
_MOST_GAPS = 3


@dataclass(frozen=True)
class Picture:
    """One slice: a file, or a frame of one.

    Attributes:
        file: Name of the file.
        frame: Number in the file, from 0.
        header: Header of the file.
        own: What the frame says of itself; the header where the file has one frame only.
    """

    file: str
    frame: int
    header: Header
    own: Mapping[str, Any]


@dataclass(frozen=True)
class FoundVolume:
    """Slices that belong together.

    Attributes:
        pictures: In the order of the third axis.
        grid: Where they lie; `None` if they are no volume.
        fault: Why not, as the end of "found ..."; else empty.
        advice: What to do about the fault.
    """

    pictures: tuple[Picture, ...]
    grid: Grid | None = None
    fault: str = ""
    advice: str = ""


def volumes_of_series(files: Mapping[str, Header]) -> list[FoundVolume]:
    """Sort the images of one series into volumes.

    Args:
        files: Header per file of the series; every image once.

    Returns:
        The volumes, those with the most slices first; those of one slice are not faults of their
        own but have a `fault`, too.
    """
    placed: list[Picture] = []
    homeless: list[Picture] = []
    for name, header in files.items():
        frames = header.get("Frames") or [header]
        for index, own in enumerate(frames):
            picture = Picture(name, index, header, own)
            (placed if _has_place(own) else homeless).append(picture)
    groups = [part for group in _on_one_plane(placed) for part in _one_by_place(group)]
    found = [_volume(group) for group in groups]
    if homeless:
        fault = "no position or spacing in its headers (Image Position, Orientation, Pixel Spacing)"
        advice = "Export the series again with its geometry, or convert it with what you know of it"
        found.append(FoundVolume(tuple(homeless), fault=fault, advice=f"{advice}."))
    return sorted(found, key=lambda volume: -len(volume.pictures))


def _has_place(own: Mapping[str, Any]) -> bool:
    lengths = {"ImagePositionPatient": 3, "ImageOrientationPatient": 6, "PixelSpacing": 2}
    for keyword, length in lengths.items():
        value = own.get(keyword)
        if not isinstance(value, list) or len(value) != length:
            return False
        if not all(isinstance(item, int | float) and math.isfinite(item) for item in value):
            return False
    axes = np.asarray(own["ImageOrientationPatient"], dtype=np.float64).reshape(2, 3)
    is_rotation = np.allclose(axes @ axes.T, np.eye(2), atol=_SAME_COSINE)
    return bool(is_rotation and min(own["PixelSpacing"]) > 0)


def _on_one_plane(pictures: Iterable[Picture]) -> list[list[Picture]]:
    """Group by size, frame of reference, spacing and orientation."""
    groups: list[tuple[tuple[Any, ...], list[float], list[Picture]]] = []
    for picture in pictures:
        header, own = picture.header, picture.own
        key = (header.get("Rows"), header.get("Columns"), header.get("FrameOfReferenceUID"))
        numbers = [*own["ImageOrientationPatient"], *own["PixelSpacing"]]
        for other, known, group in groups:
            if other == key and _are_close(numbers, known):
                group.append(picture)
                break
        else:
            groups.append((key, numbers, [picture]))
    return [group for *_, group in groups]


def _are_close(numbers: Sequence[float], known: Sequence[float]) -> bool:
    apart = [abs(a - b) for a, b in zip(numbers, known, strict=True)]
    return max(apart[:6]) <= _SAME_COSINE and max(apart[6:]) <= _SAME_SPACING_MM


def _one_by_place(group: list[Picture]) -> list[list[Picture]]:
    """Split images of the same places by the first thing that tells them apart, or by several."""
    if _is_each_place_once(group):
        return [group]
    for keyword in KINDS_OF_IMAGE:
        parts = _parts(group, (keyword,))
        if all(_is_each_place_once(part) for part in parts) and min(map(len, parts)) > 1:
            return parts
    telling = tuple(k for k in KINDS_OF_IMAGE if 1 < len(_parts(group, (k,))) < len(group))
    for n in range(2, len(telling) + 1):
        parts = _parts(group, telling[:n])
        if all(_is_each_place_once(part) for part in parts):
            return parts
    return [group]


def _parts(group: Iterable[Picture], keywords: Sequence[str]) -> list[list[Picture]]:
    parts: dict[str, list[Picture]] = defaultdict(list)
    for picture in group:
        parts[repr([_said(picture, keyword) for keyword in keywords])].append(picture)
    return list(parts.values())


def _said(picture: Picture, keyword: str) -> Any:
    return picture.own.get(keyword, picture.header.get(keyword))


def _is_each_place_once(group: Sequence[Picture]) -> bool:
    depths = np.sort(_positions(group) @ _axes(group)[2])
    return bool((np.diff(depths) > _SAME_PLACE_MM).all())


def _positions(group: Sequence[Picture]) -> Float64Array:
    return np.asarray([p.own["ImagePositionPatient"] for p in group], dtype=np.float64)


def _axes(group: Sequence[Picture]) -> Float64Array:
    """Return the directions of the axes I, J and K, one per row."""
    axes = np.asarray(group[0].own["ImageOrientationPatient"], dtype=np.float64).reshape(2, 3)
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    return np.vstack([axes, np.cross(*axes)])


def _volume(group: list[Picture]) -> FoundVolume:
    axes = _axes(group)
    depths = _positions(group) @ axes[2]
    ordered = [group[i] for i in np.argsort(depths, kind="stable")]
    volume = FoundVolume(tuple(ordered))
    if len(ordered) == 1:
        advice = "It is not used; localizers and screenshots are such images."
        return replace(volume, fault="a single slice", advice=advice)
    positions = _positions(ordered)
    depths = positions @ axes[2]
    if not _is_each_place_once(ordered):
        fault, advice = _several_at_a_place(depths)
        return replace(volume, fault=fault, advice=advice)
    if found := _gaps(depths) or _shear(positions, axes, ordered):
        return replace(volume, fault=found[0], advice=found[1])
    header, (row_mm, column_mm) = ordered[0].header, ordered[0].own["PixelSpacing"]
    grid = Grid(
        (int(header["Columns"]), int(header["Rows"]), len(ordered)),
        (float(column_mm), float(row_mm), float(np.ptp(depths)) / (len(ordered) - 1)),
        tuple(positions[0].tolist()),
        tuple(axes.T.ravel().tolist()),
    )
    return replace(volume, grid=grid)


def _several_at_a_place(depths: Float64Array) -> tuple[str, str]:
    n_places = 1 + int((np.diff(depths) > _SAME_PLACE_MM).sum())
    return (
        f"{counted(len(depths), 'image')} at {counted(n_places, 'place')} that nothing tells apart"
        " (echo, phase, b-value, image type)",
        "Convert the series with `dcm2niix`, which knows more of what scanners write.",
    )


def _gaps(depths: Float64Array) -> tuple[str, str] | None:
    """Say where slices are missing, or that their distances differ."""
    steps = np.diff(depths)
    step = float(np.median(steps))
    even = depths[0] + np.linspace(0.0, float(np.ptp(depths)), len(depths))
    if np.abs(depths - even).max() <= ROUNDING_VOXELS * step:
        return None
    widths = steps / step
    wide = np.flatnonzero(widths > 1.5)
    is_missing = len(wide) and np.abs(widths - np.rint(widths)).max() <= ROUNDING_VOXELS
    if not is_missing:
        return (
            f"slices at uneven distances ({steps.min():.4g} to {steps.max():.4g} mm)",
            "Use the series as it was reconstructed, at even distances; or resample it"
            " yourself (3D Slicer offers that when it loads the series).",
        )
    n_missing = int(np.rint(widths[wide]).sum()) - len(wide)
    where = [f"slices {i + 1} and {i + 2}" for i in wide[:_MOST_GAPS].tolist()]
    more = " ..." if len(wide) > _MOST_GAPS else ""
    are_missing = counted(n_missing, "slice", "missing", "missing")
    return (
        f"{are_missing} of {len(depths) + n_missing} (between {', '.join(where)}{more};"
        f" {step:.4g} mm apart else)",
        "Get the missing files and put them to the others, or use another series.",
    )


def _shear(
    positions: Float64Array, axes: Float64Array, pictures: Sequence[Picture]
) -> tuple[str, str] | None:
    """Say how far slices are shifted against each other along their own plane."""
    first_to_last = positions[-1] - positions[0]
    in_plane = (positions - positions[0]) @ axes[:2].T
    shift_mm = float(np.linalg.norm(in_plane, axis=1).max())
    if shift_mm <= ROUNDING_VOXELS * min(pictures[0].own["PixelSpacing"]):
        return None
    depth_mm = float(first_to_last @ axes[2])
    degrees = math.degrees(math.atan2(float(np.linalg.norm(first_to_last @ axes[:2].T)), depth_mm))
    tilt = pictures[0].header.get("GantryDetectorTilt")
    said = f"; the header says {abs(tilt):.3g}" if isinstance(tilt, int | float) and tilt else ""
    return (
        f"slices that are shifted against each other by up to {shift_mm:.3g} mm along"
        f" their plane (a gantry tilt of {degrees:.3g} degrees{said})",
        "Straighten it: load the series in 3D Slicer with *Acquisition geometry"
        " regularization* (application settings, DICOM), save it as .nrrd and use that file.",
    )
