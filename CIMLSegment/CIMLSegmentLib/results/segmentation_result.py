"""A segmented case: labels, maps, contributions; as computed and as read back. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from CIMLSegmentLib.results.case_roles import CaseRole
from CIMLSegmentLib.results.map_kinds import MAP_KINDS, MapKey
from CIMLSegmentLib.task.regions import region_masks
from CIMLSegmentLib.task.task import Task
from CIMLSegmentLib.task.task_io import task_from_json
from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.images.arrays import MaskArray
from MultimodalImagingLib.images.geometry import Volume, is_same_grid
from MultimodalImagingLib.jobs.environment import same_name
from MultimodalImagingLib.record.draft_uncertainty import DraftUncertainty, uncertainty_from_json
from MultimodalImagingLib.record.json_entry import JsonEntry, config_from_json, read_json

FORMAT_VERSION = 1
RESULT_FILE = "result.json"


@dataclass(frozen=True)
class ResultMap:
    """One map on the grid of the result.

    Attributes:
        key: Which map it is.
        volume: The values, float32.
    """

    key: MapKey
    volume: Volume


@dataclass(frozen=True)
class Contribution:
    """How much information one auxiliary contributed to one region.

    Attributes:
        region: Name of the region.
        primary: The modality that received the message.
        auxiliary: The modality that sent the message.
        nats: Information inside the predicted region, nats; 0 for an empty region.
        share: Part of the information from all auxiliaries, 0 to 1; `None` if there was none.
    """

    region: str
    primary: str
    auxiliary: str
    nats: float
    share: float | None


@dataclass(frozen=True)
class Influence:
    """What one auxiliary changed in the prediction of one region (Shapley value).

    Attributes:
        region: Name of the region.
        primary: The modality that received the message.
        auxiliary: The modality that sent the message.
        added_ml: Soft volume that it added where it made the region more likely, ml.
        removed_ml: Soft volume that it took away where it made it less likely, ml, at least 0.
        share: Part of the changes of all auxiliaries, 0 to 1; `None` if none changed anything.
        changed_voxels: Voxels of the result that are in the region with this message or without
            it, but not both; `None` in means over cases and in results of earlier versions.
    """

    region: str
    primary: str
    auxiliary: str
    added_ml: float
    removed_ml: float
    share: float | None
    changed_voxels: int | None = None


@dataclass(frozen=True)
class SegmentationResult:
    """A segmented case; everything lies on the grid of the primary image.

    Attributes:
        case_id: The case.
        task: What was segmented.
        primary: The modality whose grid this is.
        label_map: Label values of the task.
        contributions: Table auxiliary x region, in the task's order.
        influences: The same table of what changed in the prediction; empty if not asked for.
        maps: The maps that were asked for.
        missing: Auxiliaries that the case lacked; their messages were the prior mean.
        warnings: What the user should know, full sentences.
        timings_s: Seconds per step.
        model: Identity of the model, JSON-able.
        masks: Region to its mask in the label map; found there if it is not given.
        is_seen: Whether the model, or one that it started from, has seen a case of that name.
        uncertainty: How uncertain the model was, and where; `None` if that is not known.
        role: The part that a case of that name had in the model.
    """

    case_id: str
    task: Task
    primary: str
    label_map: Volume
    contributions: tuple[Contribution, ...] = ()
    influences: tuple[Influence, ...] = ()
    maps: tuple[ResultMap, ...] = ()
    missing: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    timings_s: Mapping[str, float] = field(default_factory=dict)
    model: Mapping[str, object] = field(default_factory=dict)
    masks: Mapping[str, MaskArray] = field(default_factory=dict)
    is_seen: bool = False
    uncertainty: DraftUncertainty | None = None
    role: CaseRole = CaseRole.UNSEEN

    def __post_init__(self) -> None:
        """Refuse maps on another grid, and find regions that were not found before."""
        if not self.masks:
            object.__setattr__(self, "masks", region_masks(self.label_map.array, self.task))
        for item in self.maps:
            if not is_same_grid(item.volume.grid, self.label_map.grid):
                msg = f"Expected the {item.key.kind} map on the grid of the label map, got another."
                raise ValueError(msg)

    @cached_property
    def voxels(self) -> Mapping[str, int]:
        """Region to its number of voxels."""
        return {name: int(mask.sum()) for name, mask in self.masks.items()}

    def volumes_ml(self) -> dict[str, float]:
        """Return the volume of every region, ml."""
        voxel_ml = float(np.prod(self.label_map.grid.spacing_mm)) / 1000.0
        return {name: count * voxel_ml for name, count in self.voxels.items()}


def contributions(
    masks: Mapping[str, MaskArray], information: Mapping[tuple[str, str], Volume], task: Task
) -> tuple[Contribution, ...]:
    """Add up the information inside each predicted region.

    Args:
        masks: Region to its predicted mask, on the grid of the information.
        information: (Sub-task, auxiliary) to nats per voxel, on the grid of the masks.
        task: The task.

    Returns:
        One entry per region and pair of its sub-tasks. Shares of a region add up to 1, unless
        there was no information about it.
    """
    table: list[Contribution] = []
    for name, mask in masks.items():
        sent = [
            (subtask.primary, auxiliary, _sum(information[subtask.name, auxiliary], mask))
            for subtask, auxiliary in task.pairs()
            if name in subtask.regions
        ]
        total = sum(nats for _, _, nats in sent)
        for primary, auxiliary, nats in sent:
            share = nats / total if total > 0 else None
            table.append(Contribution(name, primary, auxiliary, nats, share))
    return tuple(table)


def influences(
    changes: Mapping[MapKey, Volume], changed: Mapping[MapKey, int] | None = None
) -> tuple[Influence, ...]:
    """Add up what each auxiliary changed in the prediction of each region.

    Args:
        changes: Influence map to changes of probability, -1 to 1, on any one grid; in the order of
            the table.
        changed: Influence map to voxels that change label without the message; `None` if not known.
    """
    added_up = {}
    for key, volume in changes.items():
        voxel_ml = float(np.prod(volume.grid.spacing_mm)) / 1000.0
        values = np.asarray(volume.array, dtype=np.float32)
        more = voxel_ml * float(np.maximum(values, 0).sum(dtype=np.float64))
        less = voxel_ml * float(np.maximum(-values, 0).sum(dtype=np.float64))
        added_up[key] = (more, less)
    totals: dict[str | None, float] = {}
    for key, sums in added_up.items():
        totals[key.region] = totals.get(key.region, 0.0) + sum(sums)
    return tuple(
        Influence(
            region=key.region or "",
            primary=key.primary or "",
            auxiliary=key.auxiliary or "",
            added_ml=more,
            removed_ml=less,
            share=(more + less) / totals[key.region] if totals[key.region] > 0 else None,
            changed_voxels=None if changed is None else changed.get(key),
        )
        for key, (more, less) in added_up.items()
    )


def _sum(volume: Volume, mask: MaskArray) -> float:
    return float(volume.array[mask].sum(dtype=np.float64))


def empty_region_warnings(result_volumes: Mapping[str, float], task: Task) -> Sequence[str]:
    """Say which regions were not found."""
    return [
        f"The region {task.region(name).title} ({name}) was not found in this case; its volume is"
        " 0 ml."
        for name, volume in result_volumes.items()
        if volume == 0
    ]


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
        influences: The same table of what changed in the prediction; may be empty.
        maps: The maps.
        missing: Auxiliaries that the case lacked.
        warnings: Full sentences.
        timings_s: Seconds per step.
        model: Identity of the model.
        is_seen: Whether the model, or one that it started from, has seen a case of that name.
        uncertainty: How uncertain the model was, and where; `None` if nothing says.
        role: The part that a case of that name had in the model.
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
    is_seen: bool = False
    influences: tuple[Influence, ...] = ()
    uncertainty: DraftUncertainty | None = None
    role: CaseRole = CaseRole.UNSEEN


def find_results(folder: Path) -> tuple[Path, ...]:
    """Return the result folders in a folder, or the folder itself if it is one; sorted by name."""
    if (folder / RESULT_FILE).is_file():
        return (folder,)
    if not folder.is_dir():
        return ()
    found = folder.glob(f"*/{RESULT_FILE}")
    return tuple(sorted(path.parent for path in found if not path.parent.name.startswith(".")))


def read_results(folder: Path) -> tuple[StoredResult, ...]:
    """Read all results in a folder, sorted by the names of their folders.

    Raises:
        CohortError: If two of them are of one case, or one cannot be used.
        ModelError: If a `result.json` is not what this program writes.
    """
    found: dict[str, StoredResult] = {}
    for path in find_results(folder):
        result = read_result(path)
        other = found.setdefault(result.case_id, result)
        if other is not result:
            msg = (
                f"Expected one result of case {result.case_id} in {folder}, found those in"
                f" {other.folder.name} and {path.name}. Move one of them out of the folder."
            )
            raise CohortError(msg)
    return tuple(found.values())


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
        contributions=tuple(
            config_from_json(Contribution, item.data, where=f"contribution in {where}")
            for item in entry.items("contributions", "contribution")
        ),
        maps=tuple(_map(item, folder) for item in entry.items("maps", "map")),
        missing=entry.listed("missing", str),
        warnings=entry.listed("warnings", str),
        timings_s=entry.mapping("timings_s", float),
        model=entry.value("model", dict),
        is_seen=entry.value("seen", bool, False),
        influences=tuple(
            config_from_json(Influence, item.data, where=f"influence in {where}")
            for item in (entry.items("influence", "influence") if "influence" in entry.data else ())
        ),
        uncertainty=uncertainty_from_json(entry),
        role=_role(entry),
    )
    _check_files(result)
    return result


def _map(entry: JsonEntry, folder: Path) -> StoredMap:
    kind = entry.value("kind", str)
    if kind not in MAP_KINDS:
        msg = f"Unknown kind of map {kind!r} in {folder / RESULT_FILE}. Segment the case again."
        raise CohortError(msg)
    names = (entry.value(name, str, None) for name in ("primary", "auxiliary", "region"))
    file, unit = folder / entry.value("file", str), entry.value("unit", str)
    return StoredMap(MapKey(kind, *names), file, unit, entry.value("maximum", float))


def _role(entry: JsonEntry) -> CaseRole:
    """Return the role of the case; results of earlier versions tell only whether it was seen."""
    if "role" in entry.data:
        return CaseRole(entry.choice("role", tuple(CaseRole)))
    return CaseRole.TRAINING if entry.value("seen", bool, False) else CaseRole.UNSEEN


def _check_files(result: StoredResult) -> None:
    files = [result.label_map, result.segmentation, *(item.path for item in result.maps)]
    absent = [path.name for path in files if not path.is_file()]
    if absent:
        msg = (
            f"The result {result.folder} is incomplete: {', '.join(absent)} not found. Segment the"
            " case again with --overwrite."
        )
        raise CohortError(msg)
