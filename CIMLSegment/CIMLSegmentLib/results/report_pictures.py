"""The pictures of one case in the report: images, attention and information per auxiliary."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from CIMLSegmentLib.results.map_pictures import (
    INFERNO,
    VIRIDIS,
    ColorArray,
    GrayArray,
    Plane,
    best_plane,
    gray_picture,
    jpeg,
    plain,
    top_of_maps,
    with_map,
    with_outlines,
    with_reference,
)
from CIMLSegmentLib.results.result import MapKind
from CIMLSegmentLib.results.stored_result import StoredMap, StoredResult
from MultimodalImagingLib.cohorts.cases import Case
from MultimodalImagingLib.images.label_map import read_label_map
from MultimodalImagingLib.images.volume_io import ImageFile, Volume, read_volume


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
        colors: Colors of the legend; empty for none.
        top: What the last color means, with unit.
    """

    title: str
    tiles: tuple[Tile, ...]
    colors: str = ""
    top: str = ""


@dataclass(frozen=True)
class _Scene:
    result: StoredResult
    label_map: Volume
    plane: Plane
    grays: Mapping[str, GrayArray]
    reference: Volume | None


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
    label_map = read_label_map(ImageFile(result.label_map)).volume
    plane = best_plane(label_map, result.task)
    grays = {
        modality: gray_picture(read_volume(case.images[modality]), plane, kind=kind)
        for modality, kind in result.task.modalities.items()
        if modality in case.images
    }
    scene = _Scene(result, label_map, plane, grays, reference)
    rows = [_image_row(scene), _attention_row(scene), _information_row(scene)]
    rows += [_uncertainty_row(scene), _gradcam_row(scene)]
    return tuple(row for row in rows if row is not None and row.tiles), plane.side_mm


def short_number(value: float) -> str:
    """Return a number with three digits, without an exponent where people expect none."""
    return f"{value:.0f}" if 100 <= abs(value) < 1e6 else f"{value:.3g}"


def _image_row(scene: _Scene) -> TileRow:
    tiles = []
    for modality in scene.result.task.modalities:
        picture = None
        if modality in scene.grays:
            picture = _compared(plain(scene.grays[modality]), scene)
        tiles.append(Tile(modality, picture))
    title = "Images with the segmentation"
    if scene.reference is not None:
        title += " (lines) and the reference (white dots)"
    return TileRow(title, tuple(tiles))


def _attention_row(scene: _Scene) -> TileRow | None:
    maps = _one_per_pair(_maps(scene, "attention"))
    tiles = tuple(_map_tile(item, scene, top=1.0, colors=VIRIDIS) for item in maps)
    return TileRow("Attention: where the primary looks at an auxiliary", tiles, VIRIDIS, "1")


def _gradcam_row(scene: _Scene) -> TileRow | None:
    tiles = tuple(
        replace(tile, title=f"{item.region}: {tile.title}")
        for item in _maps(scene, "gradcam")
        for tile in [_map_tile(item, scene, top=1.0, colors=VIRIDIS)]
    )
    return TileRow("Grad-CAM: which messages raise the prediction", tiles, VIRIDIS, "1")


def _information_row(scene: _Scene) -> TileRow | None:
    maps = _maps(scene, "information")
    if not maps:
        return None
    volumes = [read_volume(ImageFile(item.path)) for item in maps]
    top = top_of_maps(volumes)
    per_ml = 1000 / float(np.prod(scene.label_map.grid.spacing_mm))
    tiles = tuple(
        _tile(item, volume, scene, top=top, colors=INFERNO)
        for item, volume in zip(maps, volumes, strict=True)
    )
    text = f"{short_number(top * per_ml)} nats/ml"
    return TileRow("Information: how much an auxiliary told", tiles, INFERNO, text)


def _uncertainty_row(scene: _Scene) -> TileRow | None:
    tiles = []
    for item in _maps(scene, "uncertainty"):
        volume = read_volume(ImageFile(item.path))
        gray = scene.grays.get(scene.result.primary)
        shown = _colored(gray, volume, scene, top=float(np.log(2)), colors=INFERNO)
        tiles.append(Tile(str(item.region), shown))
    return TileRow("Uncertainty of each region", tuple(tiles), INFERNO, "ln 2 = 0.69 nats")


def _maps(scene: _Scene, kind: MapKind) -> list[StoredMap]:
    return [item for item in scene.result.maps if item.kind == kind]


def _one_per_pair(maps: list[StoredMap]) -> list[StoredMap]:
    """Regions of one sub-task share their maps; show the first of each pair only."""
    pairs: dict[tuple[str | None, str | None], StoredMap] = {}
    for item in maps:
        pairs.setdefault((item.primary, item.auxiliary), item)
    return list(pairs.values())


def _map_tile(item: StoredMap, scene: _Scene, *, top: float, colors: str) -> Tile:
    return _tile(item, read_volume(ImageFile(item.path)), scene, top=top, colors=colors)


def _tile(item: StoredMap, volume: Volume, scene: _Scene, *, top: float, colors: str) -> Tile:
    title = f"{item.auxiliary} to {item.primary}"
    gray = scene.grays.get(str(item.auxiliary))
    if gray is None:
        return Tile(f"{title}: {item.auxiliary} is missing", None)
    return Tile(title, _colored(gray, volume, scene, top=top, colors=colors))


def _colored(
    gray: GrayArray | None, volume: Volume, scene: _Scene, *, top: float, colors: str
) -> str | None:
    if gray is None:
        return None
    return _outlined(with_map(gray, volume, scene.plane, top=top, colors=colors), scene)


def _compared(picture: ColorArray, scene: _Scene) -> str:
    drawn = with_outlines(picture, scene.label_map, scene.result.task, scene.plane)
    if scene.reference is not None:
        drawn = with_reference(drawn, scene.reference, scene.result.task, scene.plane)
    return _embedded(drawn)


def _outlined(picture: ColorArray, scene: _Scene) -> str:
    return _embedded(with_outlines(picture, scene.label_map, scene.result.task, scene.plane))


def _embedded(drawn: ColorArray) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(jpeg(drawn)).decode("ascii")
