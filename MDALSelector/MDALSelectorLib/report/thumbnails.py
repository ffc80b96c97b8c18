"""One picture per case: the same axial slice of all modalities side by side.

Names are not burned in: position i of the strip is modality i of the cohort, whose names the page
shows. A modality that the case lacks is a crossed-out tile. Left is the patient's right. Where it
is known how well the modalities fit at each position, a last tile shows it: the brighter, the less
they fit; and a second row shows the slice where they fit least, which is often not the one with
the lesion.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk  # noqa: N813

from MDALSelectorLib.report.shown_slice import (
    DISAGREEMENT_NATS,
    informative_slice,
    least_fitting_slice,
)
from MDALSelectorLib.selection.run_folder import THUMBNAIL_PIXELS, THUMBNAILS_NAME
from MultimodalImagingLib.images.arrays import Float32Array, MaskArray, bounding_box
from MultimodalImagingLib.jobs.progress import NullReporter, Reporter
from MultimodalImagingLib.preparation.prepared_case import PreparedCase
from MultimodalImagingLib.record.atomic_files import atomic_path

GrayArray = npt.NDArray[np.uint8]

GAP_PIXELS = 4
GAP_GRAY = 128
# The bar in the lower left corner of the first tile.
BAR_MM = 50.0
# The field around the body, relative to its larger side.
FIELD_MARGIN = 1.06
# Normalized CT: -160 to 240 HU is -1 to 1.
CT_WINDOW = (-1.0, 1.0)
PET_WINDOW_SUV = (0.0, 10.0)
MR_PERCENTILES = (1.0, 99.5)

Disagreement = Callable[[PreparedCase], Float32Array | None]


@dataclass(frozen=True)
class _Field:
    """The square of an axial slice that is shown: its first pixel (I, J) and pixel size, mm."""

    origin_mm: tuple[float, float]
    pixel_mm: float


def write_thumbnails(
    run: Path,
    cases: Sequence[PreparedCase],
    *,
    kinds: Mapping[str, str],
    names: Mapping[str, str],
    disagreement: Disagreement | None = None,
    reporter: Reporter | None = None,
) -> None:
    """Write the pictures of cases into the folder `thumbnails` of a run.

    Args:
        run: Folder of the run; created if needed.
        cases: The prepared cases.
        kinds: Kind of every modality (`"CT"`, `"PET"`, `"MR"`, `"OTHER"`), in the cohort's order.
        names: File name per case, see `thumbnail_names`.
        disagreement: Gives how little the modalities fit at each position of a case, nats,
            `(K, J, I)`, NaN outside the body; `None` for a case without.
        reporter: Notified of each case; its `advance` may raise `CancelledError`.

    Raises:
        OSError: If a file cannot be written.
    """
    reporter = reporter or NullReporter()
    reporter.stage("Draw cases", len(cases))
    folder = run / THUMBNAILS_NAME
    folder.mkdir(parents=True, exist_ok=True)
    for case in cases:
        if disagreement is None:
            strip = case_strip(case, kinds=kinds)
        else:
            strip = mapped_strip(case, disagreement(case), kinds=kinds)
        image = sitk.GetImageFromArray(strip)
        with atomic_path(folder / names[case.case_id]) as temporary:
            sitk.WriteImage(image, str(temporary), useCompression=True)
        reporter.advance()


def thumbnail_names(case_ids: Iterable[str]) -> dict[str, str]:
    """Give every case of a cohort the name of a PNG file that any disk can hold.

    Names that differ in case only, or only in characters that are not allowed, get a number.
    """
    names: dict[str, str] = {}
    taken: set[str] = set()
    for case_id in case_ids:
        slug = re.sub(r"[^A-Za-z0-9._-]+", "_", case_id)[:80].strip(".") or "case"
        number, name = 1, slug
        while name.lower() in taken:
            number += 1
            name = f"{slug}-{number}"
        taken.add(name.lower())
        names[case_id] = f"{name}.png"
    return names


def case_strip(case: PreparedCase, *, kinds: Mapping[str, str]) -> GrayArray:
    """Draw the most informative axial slice of all modalities side by side, at one scale.

    Args:
        case: The prepared case.
        kinds: Kind of every modality, in the cohort's order.

    Returns:
        Gray values, shape `(160, n_modalities * 164 - 4)`.
    """
    k = informative_slice(case, kinds=kinds)
    return _joined(_tiles(case, k, kinds=kinds))


def mapped_strip(
    case: PreparedCase, disagreement: Float32Array | None, *, kinds: Mapping[str, str]
) -> GrayArray:
    """Draw the most informative slice, below it the one of least fit, and how little they fit.

    Args:
        case: The prepared case.
        disagreement: How little they fit, nats, `(K, J, I)`, NaN outside the body; `None` for a
            case of one modality, whose last tile is crossed out.
        kinds: Kind of every modality, in the cohort's order.

    Returns:
        Gray values, shape `(324, (n_modalities + 1) * 164 - 4)`; without `disagreement` one row,
        `(160, ...)`.
    """
    informative = informative_slice(case, kinds=kinds)
    if disagreement is None:
        return _joined([*_tiles(case, informative, kinds=kinds), _crossed_out()])
    rows = []
    for k in (informative, least_fitting_slice(disagreement)):
        shown = np.where(np.isfinite(disagreement[k]), disagreement[k], np.float32(0))
        gray = _windowed(shown, 0.0, DISAGREEMENT_NATS)
        last = _tile(gray, case.grid.spacing_mm[:2], _field_of_body(case), air=0.0)
        rows.append(_joined([*_tiles(case, k, kinds=kinds), last]))
    gap = np.full((GAP_PIXELS, rows[0].shape[1]), GAP_GRAY, dtype=np.uint8)
    return np.concatenate([rows[0], gap, rows[1]], axis=0)


def _tiles(case: PreparedCase, k: int, *, kinds: Mapping[str, str]) -> list[GrayArray]:
    field = _field_of_body(case)
    spacing = case.grid.spacing_mm[:2]
    tiles = [
        _tile(displayed(case, modality, kind=kind)[k], spacing, field, air=float(kind == "PET"))
        if modality in case.images
        else _crossed_out()
        for modality, kind in kinds.items()
    ]
    _draw_bar(tiles[0], field)
    return tiles


def _joined(tiles: Sequence[GrayArray]) -> GrayArray:
    gap = np.full((THUMBNAIL_PIXELS, GAP_PIXELS), GAP_GRAY, dtype=np.uint8)
    parts = [part for tile in tiles for part in (gap, tile)][1:]
    return np.concatenate(parts, axis=1)


def displayed(case: PreparedCase, modality: str, *, kind: str) -> Float32Array:
    """Map a modality's normalized intensities to gray values.

    CT: -160 to 240 HU. PET: SUV 0 to 10, dark is hot. MR and others: the 1st to 99.5th percentile
    inside the body of the case.

    Args:
        case: The prepared case.
        modality: One of its modalities.
        kind: Its kind.

    Returns:
        Gray values from 0 to 1, shape `(K, J, I)`; 0.5 where the modality has no voxels.
    """
    values, covered = case.images[modality], case.coverage[modality]
    if kind == "CT":
        gray = _windowed(values, *CT_WINDOW)
    elif kind == "PET":
        gray = 1.0 - _windowed(np.sinh(values), *PET_WINDOW_SUV)
    else:
        gray = _windowed(values, *_percentile_window(values, case.bodies[modality] & covered))
    return np.where(covered, gray, 0.5).astype(np.float32)


def _field_of_body(case: PreparedCase) -> _Field:
    """Return the square around the body, inside the images where they are large enough."""
    _, j, i = bounding_box(case.body)
    ranges = (i, j)
    spacing, size = case.grid.spacing_mm[:2], case.grid.size[:2]
    sides = [(r.stop - r.start) * s for r, s in zip(ranges, spacing, strict=True)]
    extent = [n * s for n, s in zip(size, spacing, strict=True)]
    side = min(max(sides) * FIELD_MARGIN, max(extent))
    starts = []
    for r, s, whole in zip(ranges, spacing, extent, strict=True):
        wanted = (r.start + r.stop) / 2 * s - side / 2
        starts.append(min(max(wanted, 0.0), whole - side) if whole >= side else (whole - side) / 2)
    pixel = side / THUMBNAIL_PIXELS
    first = [start + (pixel - s) / 2 for start, s in zip(starts, spacing, strict=True)]
    return _Field((first[0], first[1]), pixel)


def _windowed(values: Float32Array, low: float, high: float) -> Float32Array:
    return np.asarray(np.clip((values - low) / (high - low), 0.0, 1.0), dtype=np.float32)


def _percentile_window(values: Float32Array, body: MaskArray) -> tuple[float, float]:
    inside = values[body] if body.any() else values
    low, high = (float(v) for v in np.percentile(inside, MR_PERCENTILES))
    return (low, high) if high > low else (low - 1.0, low + 1.0)


def _tile(
    gray: Float32Array, spacing_mm: tuple[float, ...], field: _Field, *, air: float
) -> GrayArray:
    """Show the field of a slice of shape `(J, I)`, outside of which there is `air`."""
    image = sitk.GetImageFromArray(gray)
    image.SetSpacing(spacing_mm)
    resampler = sitk.ResampleImageFilter()
    resampler.SetSize((THUMBNAIL_PIXELS, THUMBNAIL_PIXELS))
    resampler.SetOutputOrigin(field.origin_mm)
    resampler.SetOutputSpacing((field.pixel_mm, field.pixel_mm))
    resampler.SetDefaultPixelValue(air)
    resampler.SetInterpolator(sitk.sitkLinear)
    shown = sitk.GetArrayFromImage(resampler.Execute(image))
    return np.asarray(np.rint(shown * 255.0), dtype=np.uint8)


def _draw_bar(tile: GrayArray, field: _Field) -> None:
    """Draw the scale: a white bar with a black rim, left out if it would fill the tile."""
    length = round(BAR_MM / field.pixel_mm)
    if length <= THUMBNAIL_PIXELS - 16:
        tile[-9:-4, 4 : length + 6] = 0
        tile[-8:-5, 5 : length + 5] = 255


def _crossed_out() -> GrayArray:
    tile = np.full((THUMBNAIL_PIXELS, THUMBNAIL_PIXELS), 96, dtype=np.uint8)
    index = np.arange(THUMBNAIL_PIXELS)
    for shift in (-1, 0, 1):
        moved = np.clip(index + shift, 0, THUMBNAIL_PIXELS - 1)
        tile[index, moved] = tile[index, moved[::-1]] = 160
    return tile
