"""Tasks as JSON: presets, files that users copy and edit, and the copy inside a model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from CIMLSegmentLib.task.parts import Merge, Region, Subtask
from CIMLSegmentLib.task.task import Task, own_values
from MultimodalImagingLib.errors import ModelError
from MultimodalImagingLib.record.json_entry import (
    JsonEntry,
    config_from_json,
    config_to_json,
    read_json,
)

PRESET_FOLDER = Path(__file__).parents[1] / "Tasks"
FORMAT_VERSION = 1

_ALL_OF_COHORT = "all"
_ANY_PRIMARY = "any"
_OTHER_MODALITIES = "others"
_OPTIONAL_KEYS = ("description", "merge", "format_version")
_TASK_KEYS = ("name", "modalities", "labels", "regions", "subtasks", *_OPTIONAL_KEYS)


@dataclass(frozen=True)
class CohortModalities:
    """What a cohort offers to a task that leaves its modalities open.

    Attributes:
        kinds: Modality to its kind (`MR`, `CT`, `PET`, `OTHER`), in the cohort's order.
        primary: The modality that the user wants as primary, if said.
    """

    kinds: Mapping[str, str]
    primary: str | None = None


def preset_names() -> tuple[str, ...]:
    """Return the names of the tasks that come with the program."""
    return tuple(sorted(path.stem for path in PRESET_FOLDER.glob("*.json")))


def load_task(name_or_path: str | Path, *, cohort: CohortModalities | None = None) -> Task:
    """Load a preset by its name or a task file by its path.

    Args:
        name_or_path: `brats`, `pet-ct`, … or the path of a JSON file.
        cohort: Modalities for a task that leaves them open (`"modalities": "all"`,
            `"primary": "any"`).

    Raises:
        ModelError: If there is no such task, or it is unusable; the message says what to change.
    """
    path = Path(name_or_path)
    if str(name_or_path) in preset_names():
        path = PRESET_FOLDER / f"{name_or_path}.json"
    elif not path.exists():
        msg = (
            f"Expected a task preset ({', '.join(preset_names())}) or a JSON file, got"
            f" {str(name_or_path)!r}, which is neither; check the name."
        )
        raise ModelError(msg)
    return task_from_json(read_json(path), cohort=cohort)


def task_from_json(data: object, *, cohort: CohortModalities | None = None) -> Task:
    """Build a task from parsed JSON.

    Raises:
        ModelError: If a key is unknown or missing, a value has the wrong type, or the task
            contradicts itself.
    """
    entry = JsonEntry(data, "the task")
    entry.check_keys(_TASK_KEYS, optional=_OPTIONAL_KEYS)
    if entry.value("format_version", int, FORMAT_VERSION) != FORMAT_VERSION:
        msg = f"Expected a task of format version {FORMAT_VERSION}, got {entry.data!r:.200}."
        raise ModelError(msg)
    modalities = _modalities(entry, cohort)
    labels = entry.mapping("labels", int, unique_values=True)
    subtasks = entry.items("subtasks", "sub-task")
    regions = [_region(item) for item in entry.items("regions", "region")]
    primary = cohort.primary if cohort else None
    return Task(
        name=entry.value("name", str),
        description=entry.value("description", str, ""),
        modalities=modalities,
        labels={value: name for name, value in labels.items()},
        regions=tuple(_with_default_value(region, regions) for region in regions),
        subtasks=tuple(_subtask(item, modalities, primary) for item in subtasks),
        merge=config_from_json(Merge, entry.data.get("merge", {}), where="the merge rule"),
    )


def task_to_json(task: Task) -> dict[str, Any]:
    """Return the JSON form of a task; `task_from_json` restores an equal task.

    Modalities are a list here, because their order counts and objects may be written sorted.
    """
    content = {
        "format_version": FORMAT_VERSION,
        **config_to_json(task),
        "modalities": modalities_to_json(task.modalities),
        "labels": {name: value for value, name in task.labels.items()},
    }
    return cast("dict[str, Any]", _without_none(content))


def modalities_to_json(kinds: Mapping[str, str]) -> list[dict[str, str]]:
    """Return modalities and their kinds as a list, which keeps their order."""
    return [{"name": name, "kind": kind} for name, kind in kinds.items()]


def modalities_from_json(entries: Iterable[JsonEntry]) -> dict[str, str]:
    """Return the kind of each modality in a list.

    Raises:
        ModelError: If a modality occurs twice, or an entry is not name and kind.
    """
    kinds: dict[str, str] = {}
    for entry in entries:
        entry.check_keys(("name", "kind"), optional=())
        name = entry.value("name", str)
        if name in kinds:
            msg = f"The modality {name!r} occurs twice; give each its own name."
            raise ModelError(msg)
        kinds[name] = entry.value("kind", str)
    return kinds


def _modalities(entry: JsonEntry, cohort: CohortModalities | None) -> dict[str, str]:
    if isinstance(entry.data["modalities"], list):
        return modalities_from_json(entry.items("modalities", "modality"))
    if entry.data["modalities"] != _ALL_OF_COHORT:
        return entry.mapping("modalities", str)
    if cohort is None:
        msg = 'The task takes the modalities of a cohort ("all"), but no cohort was given.'
        raise ModelError(msg)
    return dict(cohort.kinds)


def _region(entry: JsonEntry) -> Region:
    name, color = entry.value("name", str), entry.data.get("color", ())
    if isinstance(color, list) and len(color) != 3:
        msg = f"Expected the color of region {name!r} to be [red, green, blue], got {color}."
        raise ModelError(msg)
    return config_from_json(Region, entry.data, where=f"region {name!r}")


def _with_default_value(region: Region, regions: list[Region]) -> Region:
    own = own_values(region, regions)
    return region if region.value or len(own) != 1 else replace(region, value=own[0])


def _subtask(entry: JsonEntry, modalities: Mapping[str, str], chosen: str | None) -> Subtask:
    name, data = entry.value("name", str), dict(entry.data)
    if data.get("primary") == _ANY_PRIMARY:
        data["primary"] = _chosen_primary(chosen, modalities, name)
    if data.get("auxiliaries") == _OTHER_MODALITIES:
        data["auxiliaries"] = [m for m in modalities if m != data.get("primary")]
    return config_from_json(Subtask, data, where=f"sub-task {name!r}")


def _chosen_primary(chosen: str | None, modalities: Mapping[str, str], subtask: str) -> str:
    if chosen is None or chosen not in modalities:
        msg = (
            f"Sub-task {subtask!r} leaves the primary modality open; expected one of"
            f" {', '.join(modalities)}, got {chosen}. Say which one is primary."
        )
        raise ModelError(msg)
    return chosen


def _without_none(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_none(entry) for key, entry in value.items() if entry is not None}
    return [_without_none(entry) for entry in value] if isinstance(value, list) else value
