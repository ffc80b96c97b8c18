"""What `inspect` says about a cohort, as the panels show it. Must not import Slicer or Qt."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import PurePath
from typing import Any

from MultimodalImagingLib.images.geometry import Grid
from MultimodalImagingLib.images.geometry_checks import orientation_text
from MultimodalSlicerLib.cohort_files import FoundCase

Texts = tuple[str, ...]


@dataclass(frozen=True)
class NamePart:
    """What a part of the files' names was taken for.

    Attributes:
        part: The part of the name, or the name of a file that matched nothing.
        target: Modality, `label`, `ignore`, or empty.
        n_files: Number of files.
        example: Name of one of them.
        is_used: Whether the files are used.
    """

    part: str
    target: str
    n_files: int
    example: str
    is_used: bool


@dataclass(frozen=True)
class CohortReport:
    """A cohort as the panels need it.

    Attributes:
        summary: Cases, modalities and labels in one line.
        layout: How the folder is organized.
        modalities: In the order of the cohort.
        n_cases: Number of cases.
        name_parts: What file names were taken for.
        geometry: Case, verdict, overlap and one text per modality, per case.
        problems: Severity, case, file and message, per problem.
        cases: The cases with their files.
        naming: How cases got their names, a sentence; empty if a table names them.
        left_out: What to say first: main modalities that the cohort goes on without; else empty.
        groupings: Number of groups by the name of every grouping of the cases by acquisition.
        columns: What the manifest says per case, by column.
    """

    summary: str
    layout: str
    modalities: Texts
    n_cases: int
    name_parts: tuple[NamePart, ...]
    geometry: tuple[Texts, ...]
    problems: tuple[Texts, ...]
    cases: tuple[FoundCase, ...]
    naming: str = ""
    left_out: str = ""
    groupings: Mapping[str, int] = field(default_factory=dict)
    columns: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def read_report(content: Mapping[str, Any]) -> CohortReport:
    """Understand the result of `inspect`.

    Raises:
        ValueError: If a part is missing.
    """
    try:
        modalities = tuple(content["modalities"])
        return CohortReport(
            summary=content["summary"],
            layout=content["layout"],
            modalities=modalities,
            n_cases=content["n_cases"],
            name_parts=tuple(_name_part(item) for item in content["patterns"]),
            geometry=tuple(_geometry(item, modalities) for item in content["cases"]),
            problems=tuple(_problem(item) for item in content["problems"]),
            cases=tuple(_case(item) for item in content["cases"]),
            naming=content.get("naming", ""),
            left_out=content.get("left_out", ""),
            groupings=dict(content.get("groupings", {})),
            columns={
                item["case"]: item["attributes"]
                for item in content["cases"]
                if item.get("attributes")
            },
        )
    except (KeyError, TypeError) as error:
        msg = f"Expected the report about a cohort, but {error} is missing. Inspect it again."
        raise ValueError(msg) from error


def inspect_arguments(cohort: str, corrections: Sequence[str]) -> list[str]:
    """Return the command that finds the cases of a cohort, with corrections of modality names."""
    return ["MDALSelectorLib", "inspect", cohort, "--events", *modality_options(corrections)]


def modality_options(corrections: Sequence[str]) -> list[str]:
    """Return corrections `PATTERN=NAME` as options of any command."""
    return [text for value in corrections for text in ("--modality", value)]


def modality_option(part: str, target: str) -> str:
    """Write a correction as the command line takes it, `PATTERN=NAME`."""
    return f"{re.escape(part.strip().lower())}={target.strip()}"


def with_correction(options: Sequence[str], part: str, target: str) -> list[str]:
    """Add a correction; one of the same part of the name is replaced."""
    option = modality_option(part, target)
    pattern = option.rpartition("=")[0]
    return [old for old in options if old.rpartition("=")[0] != pattern] + [option]


def _name_part(item: Mapping[str, Any]) -> NamePart:
    part = item["part"] or _stem(item["example"])
    target = item["target"] or ""
    return NamePart(part, target, item["n_files"], item["example"], item["is_used"])


def _stem(name: str) -> str:
    return PurePath(name).name.partition(".")[0]


def _geometry(item: Mapping[str, Any], modalities: Sequence[str]) -> Texts:
    grids = item["grids"]
    texts = [_grid(grids[name]) if name in grids else "" for name in modalities]
    return (item["case"], item["verdict"], f"{item['overlap']:.0%}", *texts)


def _grid(grid: Mapping[str, Any]) -> str:
    size = "\N{MULTIPLICATION SIGN}".join(str(n) for n in grid["size"])
    spacing = "\N{MULTIPLICATION SIGN}".join(f"{value:.3g}" for value in grid["spacing_mm"])
    return f"{size}, {spacing} mm, {_orientation(tuple(grid['direction']))}"


@lru_cache(maxsize=256)
def _orientation(direction: tuple[float, ...]) -> str:
    return orientation_text(Grid((1, 1, 1), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), direction))


def _problem(item: Mapping[str, Any]) -> Texts:
    return item["severity"], item["case"] or "", item["file"] or "", item["message"]


def _case(item: Mapping[str, Any]) -> FoundCase:
    return FoundCase(item["case"], files=dict(item["files"]), label=item["label"] or "")
