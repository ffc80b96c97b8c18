"""What the label maps of a cohort hold: values, their names, in how many cases, how large."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from MultimodalImagingLib.cohorts.cases import Case, Problem
from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.images.label_map import LabelMap, read_label_map
from MultimodalImagingLib.images.label_names import LabelName, Names, names_beside
from MultimodalImagingLib.images.stored_image import ImageFile
from MultimodalImagingLib.jobs.environment import core_count
from MultimodalImagingLib.jobs.progress import Reporter
from MultimodalImagingLib.record.atomic_files import write_json
from MultimodalImagingLib.record.checksums import file_state
from MultimodalImagingLib.record.json_entry import json_value

CACHE_FILE = "label-values.json"
_FORMAT_VERSION = 1
_MAX_WORKERS = 4
_COUNTED_DIRECTLY = 1 << 16


@dataclass(frozen=True)
class FoundLabel:
    """A value that occurs in a label map.

    Attributes:
        code: The number in the array of `read_label_map`.
        value: The number in the file; `None` where segments of several layers overlap or lie
            beside each other, for then only names tell them apart.
        names: Names; empty if nothing names it, several where segments overlap.
        volume_ml: Its volume, ml.
        is_segment: Whether the file itself gives the names, as segmentation files do; their
            numbers mean nothing outside the file.
    """

    code: int
    value: int | None
    names: tuple[LabelName, ...]
    volume_ml: float
    is_segment: bool = False

    @property
    def title(self) -> str:
        """Names, or else the value."""
        return " and ".join(name.name for name in self.names) or str(self.value)


@dataclass(frozen=True)
class CaseLabels:
    """The values of one label map, background left out.

    Attributes:
        case_id: The case.
        labels: One entry per value, sorted by value.
    """

    case_id: str
    labels: tuple[FoundLabel, ...]


@dataclass(frozen=True)
class LabelSurvey:
    """The label maps of a cohort.

    Attributes:
        cases: Sorted by case.
        faults: Case to the reason why its label map cannot be used.
    """

    cases: tuple[CaseLabels, ...]
    faults: Mapping[str, str]


@dataclass(frozen=True)
class LabelRow:
    """One value or name over all label maps.

    Attributes:
        values: The numbers in the files; different ones if files name the same thing differently.
        name: Its name; empty if nothing names it.
        n_cases: In how many label maps it occurs.
        smallest_ml: Smallest volume where it occurs, ml.
        largest_ml: Largest volume, ml.
    """

    values: tuple[int, ...]
    name: str
    n_cases: int
    smallest_ml: float
    largest_ml: float


def survey_labels(
    files: Mapping[str, ImageFile], reporter: Reporter, *, cache: Path | None = None
) -> LabelSurvey:
    """Read all label maps and tell which values they hold.

    Args:
        files: Label map per case.
        reporter: Receives progress.
        cache: Folder that remembers what unchanged files hold; `None` to read them all.

    Returns:
        The survey; a label map that cannot be read is among its faults.
    """
    known = _read_cache(cache)
    reporter.stage("Read label values", len(files))
    found: dict[str, CaseLabels] = {}
    faults: dict[str, str] = {}
    pool = ThreadPoolExecutor(max_workers=min(_MAX_WORKERS, core_count()))
    try:
        jobs = {pool.submit(_labels, case, file, known): case for case, file in files.items()}
        for job in as_completed(jobs):
            try:
                found[jobs[job]] = job.result()
            except CohortError as error:
                faults[jobs[job]] = str(error)
            reporter.advance()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    _write_cache(cache, known)
    ordered = sorted(found.values(), key=lambda case: case.case_id)
    return LabelSurvey(tuple(ordered), dict(sorted(faults.items())))


def label_problems(
    cases: Iterable[Case], survey: LabelSurvey, *, with_empty: bool
) -> Iterator[Problem]:
    """Yield what is wrong with label maps.

    Args:
        cases: The cases.
        survey: What their label maps hold.
        with_empty: Also name those without any labeled voxel.
    """
    empty = {case.case_id for case in survey.cases if not case.labels} if with_empty else set()
    for case in cases:
        message = survey.faults.get(case.case_id)
        if case.label is not None and case.case_id in empty:
            message = (
                "Expected a label map with at least one labeled voxel in"
                f" {case.label.path.name}, found an empty mask. Leave it if there is nothing to"
                " label, else label the case."
            )
        if case.label is not None and message is not None:
            yield Problem("warning", message, case.case_id, case.label.path)


def label_table(cases: Iterable[CaseLabels]) -> tuple[LabelRow, ...]:
    """Group the values of all cases by name, and those without a name by value."""
    groups: dict[tuple[object, ...], list[FoundLabel]] = {}
    for case in cases:
        for label in case.labels:
            key = tuple(name.name for name in label.names) or (label.value,)
            groups.setdefault(key, []).append(label)
    rows = [_row(labels) for labels in groups.values()]
    return tuple(sorted(rows, key=lambda row: (row.values[:1], row.name)))


def _row(labels: list[FoundLabel]) -> LabelRow:
    volumes = [label.volume_ml for label in labels]
    values = sorted({label.value for label in labels if label.value is not None})
    name = labels[0].title if labels[0].names else ""
    return LabelRow(tuple(values), name, len(labels), min(volumes), max(volumes))


def _labels(case_id: str, file: ImageFile, known: dict[str, Any]) -> CaseLabels:
    key = f"{file.path.absolute()}#{file.component}"
    state = file_state(file.path) if file.path.is_file() else None
    beside = names_beside(file.path)
    try:
        if state is not None and known[key]["state"] == state:
            labels = tuple(_label(values, beside) for values in known[key]["labels"])
            return CaseLabels(case_id, labels)
    except (KeyError, TypeError, ValueError):
        pass  # not known yet, or damaged
    content = _content(read_label_map(file))
    known[key] = {"state": state, "labels": content}
    return CaseLabels(case_id, tuple(_label(values, beside) for values in content))


def _content(label_map: LabelMap) -> list[list[Any]]:
    """Return code, value, names and volume of each value, as JSON keeps them."""
    voxel_ml = float(np.prod(label_map.volume.grid.spacing_mm)) / 1000
    values, counts = _counts(label_map.volume.array)
    return [
        [
            int(code),
            int(code) if label_map.has_own_values else None,
            [[name.name, name.code] for name in label_map.names.get(int(code), ())],
            float(count) * voxel_ml,
        ]
        for code, count in zip(values, counts, strict=True)
        if code
    ]


def _counts(array: Any) -> tuple[Any, Any]:
    low, high = array.min(initial=0), array.max(initial=0)
    if low < 0 or high >= _COUNTED_DIRECTLY:
        return np.unique(array, return_counts=True)
    counts = np.bincount(array.ravel())
    values = np.flatnonzero(counts)
    return values, counts[values]


def _label(content: list[Any], beside: Names) -> FoundLabel:
    code, value, own, volume_ml = content
    if own or value is None:
        names = tuple(LabelName(*name) for name in own)
        return FoundLabel(code, value, names, volume_ml, is_segment=True)
    return FoundLabel(code, value, tuple(beside.get(value, ())), volume_ml)


def _read_cache(cache: Path | None) -> dict[str, Any]:
    if cache is None:
        return {}
    try:
        content = json_value((cache / CACHE_FILE).read_text(encoding="utf-8"))
        is_ours = content["format_version"] == _FORMAT_VERSION
        return dict(content["files"]) if is_ours else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _write_cache(cache: Path | None, known: Mapping[str, Any]) -> None:
    if cache is not None:
        cache.mkdir(parents=True, exist_ok=True)
        write_json(cache / CACHE_FILE, {"format_version": _FORMAT_VERSION, "files": known})
