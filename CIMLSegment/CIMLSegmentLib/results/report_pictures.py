"""The pictures of one case in the report: images, attention and information per auxiliary."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from CIMLSegmentLib.results.map_kinds import MAP_KINDS, MapKind
from CIMLSegmentLib.results.map_pictures import (
    best_plane,
    gray_picture,
    jpeg,
    plain,
    region_rims,
    top_of_maps,
    with_map,
    with_outlines,
    with_reference,
)
from CIMLSegmentLib.results.segmentation_result import StoredMap, StoredResult
from CIMLSegmentLib.task.regions import region_masks, union
from MultimodalImagingLib.cohorts.cases import Case
from MultimodalImagingLib.images.arrays import ByteArray, Float32Array, MaskArray
from MultimodalImagingLib.images.geometry import Grid, Volume
from MultimodalImagingLib.images.label_map import read_label_map
from MultimodalImagingLib.images.stored_image import ImageFile
from MultimodalImagingLib.images.volume_io import read_volume


@dataclass(frozen=True)
class Tile:
    """One picture.

    Attributes:
        title: What it shows.
        source: The picture as a data URI; `None` where there is no image.
    """

    title: str
    source: str | None


@dataclass(frozen=True)
class TileRow:
    """Pictures that belong together.

    Attributes:
        title: Heading.
        tiles: The pictures.
        colors: Color map of the legend, a key of `COLORS`; empty for none.
        top: What the last color means, with unit.
        bottom: What the first color means.
    """

    title: str
    tiles: tuple[Tile, ...]
    colors: str = ""
    top: str = ""
    bottom: str = "0"


@dataclass(frozen=True)
class _Scene:
    result: StoredResult
    grid: Grid
    plane: Grid
    grays: Mapping[str, Float32Array]
    rims: Mapping[str, MaskArray]
    reference: Mapping[str, MaskArray] | None


def case_pictures(
    result: StoredResult, case: Case, reference: Volume | None = None
) -> tuple[tuple[TileRow, ...], float]:
    """Draw the pictures of a case.

    Args:
        result: Its stored result.
        case: Its images.
        reference: A label map with the values of the task to compare with, if there is one.

    Returns:
        Rows of pictures, and the length of their sides, mm.
    """
    task, label_map = result.task, read_label_map(ImageFile(result.label_map)).volume
    grid, masks = label_map.grid, region_masks(label_map.array, task)
    plane = best_plane(Volume(union(masks.values()).astype(np.uint8), grid))
    grays = {
        modality: gray_picture(read_volume(case.images[modality]), plane, kind=kind)
        for modality, kind in task.modalities.items()
        if modality in case.images
    }
    dotted = None
    if reference is not None:
        dotted = region_rims(region_masks(reference.array, task), reference.grid, plane)
    rims = region_rims(masks, grid, plane)
    scene = _Scene(result, grid, plane, grays, rims, dotted)
    rows = [_image_row(scene), *(_map_row(kind, scene) for kind in MAP_KINDS.values())]
    return tuple(row for row in rows if row.tiles), plane.size[0] * plane.spacing_mm[0]


def short_number(value: float) -> str:
    """Return a number with three digits, without an exponent where none is expected."""
    return f"{value:.0f}" if 100 <= abs(value) < 1e6 else f"{value:.3g}"


def _image_row(scene: _Scene) -> TileRow:
    drawn = {name: _compared(plain(gray), scene) for name, gray in scene.grays.items()}
    tiles = tuple(Tile(name, drawn.get(name)) for name in scene.result.task.modalities)
    title = "Images with the segmentation"
    if scene.reference is not None:
        title += " (lines) and the reference (white dots)"
    return TileRow(title, tiles)


def _map_row(kind: MapKind, scene: _Scene) -> TileRow:
    """Draw all maps of a kind; a map that several regions of a sub-task share is drawn once."""
    maps = [item for item in scene.result.maps if item.key.kind == kind.name]
    volumes = {item.path: read_volume(ImageFile(item.path)) for item in maps}
    top = top_of_maps(volumes.values()) if kind.top is None else kind.top
    bottom = f"-{short_number(top)}" if kind.is_signed else "0"
    tiles: list[Tile] = []
    for route in dict.fromkeys((item.key.primary, item.key.auxiliary) for item in maps):
        of_route = [item for item in maps if (item.key.primary, item.key.auxiliary) == route]
        first = volumes[of_route[0].path].array
        if route[1] and all(np.array_equal(volumes[m.path].array, first) for m in of_route):
            shared = replace(of_route[0].key, region=None)
            of_route = [replace(of_route[0], key=shared)]
        tiles += [_map_tile(item, volumes[item.path], scene, kind, top) for item in of_route]
    return TileRow(kind.heading, tuple(tiles), kind.colors, _top_text(kind, top, scene), bottom)


def _top_text(kind: MapKind, top: float, scene: _Scene) -> str:
    if kind.is_signed:
        return f"+{short_number(top)}"
    per_ml = 1000 / float(np.prod(scene.grid.spacing_mm))
    return kind.top_text or f"{short_number(top * per_ml)} nats/ml"


def _map_tile(item: StoredMap, volume: Volume, scene: _Scene, kind: MapKind, top: float) -> Tile:
    key = item.key
    route = f"{key.auxiliary} to {key.primary}" if key.auxiliary else ""
    title = ": ".join(part for part in (key.region, route) if part)
    below = key.auxiliary or scene.result.primary
    gray = scene.grays.get(below)
    if gray is None:
        return Tile(f"{title}: {below} is missing", None)
    colored = with_map(
        gray, volume, scene.plane, top=top, colors=kind.colors, is_signed=kind.is_signed
    )
    return Tile(title, _embedded(with_outlines(colored, scene.rims, scene.result.task)))


def _compared(picture: ByteArray, scene: _Scene) -> str:
    drawn = with_outlines(picture, scene.rims, scene.result.task)
    if scene.reference is not None:
        drawn = with_reference(drawn, scene.reference)
    return _embedded(drawn)


def _embedded(drawn: ByteArray) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(jpeg(drawn)).decode("ascii")
