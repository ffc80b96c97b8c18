"""Result folders read back: what was found, and in which files. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from CIMLSegmentLib.results.map_kinds import MAP_KINDS, MapKey
from CIMLSegmentLib.results.result import Contribution
from CIMLSegmentLib.results.result_io import FORMAT_VERSION, RESULT_FILE
from CIMLSegmentLib.task.task import Task
from CIMLSegmentLib.task.task_io import task_from_json
from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.jobs.environment import same_name
from MultimodalImagingLib.record.json_entry import JsonEntry, read_json


@dataclass(frozen=True)
class StoredMap:
    """One map of a result folder.

    Attributes:
        key: Which map it is.
        path: The file.
        unit: Unit, in words.
        maximum: Largest value.
    """

    key: MapKey
    path: Path
    unit: str
    maximum: float


@dataclass(frozen=True)
class StoredResult:
    """A finished result folder.

    Attributes:
        folder: The folder.
        case_id: The case.
        task: What was segmented.
        primary: The modality whose grid the result has.
        label_map: File of the label map.
        segmentation: Slicer's segmentation file.
        volumes_ml: Volume of every region, ml.
        contributions: Table auxiliary x region.
        maps: The maps.
        missing: Auxiliaries that the case lacked.
        warnings: Full sentences.
        timings_s: Seconds per step.
        model: Identity of the model.
    """

    folder: Path
    case_id: str
    task: Task
    primary: str
    label_map: Path
    segmentation: Path
    volumes_ml: Mapping[str, float]
    contributions: tuple[Contribution, ...]
    maps: tuple[StoredMap, ...]
    missing: tuple[str, ...]
    warnings: tuple[str, ...]
    timings_s: Mapping[str, float]
    model: Mapping[str, object]


def find_results(folder: Path) -> tuple[Path, ...]:
    """Return the result folders in a folder, or the folder itself if it is one; sorted by name."""
    if (folder / RESULT_FILE).is_file():
        return (folder,)
    if not folder.is_dir():
        return ()
    found = folder.glob(f"*/{RESULT_FILE}")
    return tuple(sorted(path.parent for path in found if not path.parent.name.startswith(".")))


def read_result(folder: Path) -> StoredResult:
    """Read a result folder; images are not read.

    Raises:
        CohortError: If it is of another version or a file that it names is absent.
        ModelError: If `result.json` is not what this program writes.
    """
    where = f"the result {folder / RESULT_FILE}"
    entry = JsonEntry(read_json(folder / RESULT_FILE), where)
    if entry.value("format_version", int) != FORMAT_VERSION:
        msg = f"Expected format version {FORMAT_VERSION} in {where}. Segment the case again."
        raise CohortError(msg)
    result = StoredResult(
        folder=folder,
        case_id=same_name(entry.value("case", str)),
        task=task_from_json(entry.data.get("task")),
        primary=entry.value("primary", str),
        label_map=folder / entry.value("label_map", str),
        segmentation=folder / entry.value("segmentation", str),
        volumes_ml={
            item.value("name", str): item.value("volume_ml", float)
            for item in entry.items("regions", "region")
        },
        contributions=tuple(_contribution(i) for i in entry.items("contributions", "entry")),
        maps=tuple(_map(item, folder) for item in entry.items("maps", "map")),
        missing=entry.listed("missing", str),
        warnings=entry.listed("warnings", str),
        timings_s=entry.mapping("timings_s", float),
        model=entry.value("model", dict),
    )
    _check_files(result)
    return result


def _contribution(entry: JsonEntry) -> Contribution:
    return Contribution(
        entry.value("region", str),
        entry.value("primary", str),
        entry.value("auxiliary", str),
        float(entry.value("nats", float)),
        entry.value("share", float, None),
    )


def _map(entry: JsonEntry, folder: Path) -> StoredMap:
    kind = entry.value("kind", str)
    if kind not in MAP_KINDS:
        msg = f"Unknown kind of map {kind!r} in {folder / RESULT_FILE}. Segment the case again."
        raise CohortError(msg)
    route = (entry.value("primary", str, None), entry.value("auxiliary", str, None))
    key = MapKey(kind, *route, entry.value("region", str, None))
    return StoredMap(
        key,
        folder / entry.value("file", str),
        entry.value("unit", str),
        float(entry.value("maximum", float)),
    )


def _check_files(result: StoredResult) -> None:
    files = [result.label_map, result.segmentation, *(item.path for item in result.maps)]
    absent = [path.name for path in files if not path.is_file()]
    if absent:
        msg = (
            f"The result {result.folder} is incomplete: {', '.join(absent)} not found. Segment the"
            " case again with --overwrite."
        )
        raise CohortError(msg)
