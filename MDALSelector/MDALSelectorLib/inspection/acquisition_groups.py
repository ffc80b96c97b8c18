"""How the cases of a cohort can be grouped by their acquisition.

Groups come from columns of the cohort's manifest or its `participants.tsv`, and from the headers:
voxel size and field of view of the finest image of each case.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping

import numpy as np

from MultimodalImagingLib.cohorts.cases import Case, Cohort
from MultimodalImagingLib.cohorts.given_classes import is_class_column

Groups = Mapping[str, Mapping[str, str]]

# Group of the cases of which nothing is known.
UNKNOWN_GROUP = "unknown"
VOXEL_SIZE, FIELD_OF_VIEW = "voxel-size", "field-of-view"
PARTICIPANTS_NAME = "participants.tsv"
# Parts of the names of columns that say where an image was made, the surest first.
SITE_WORDS = (
    *("site", "center", "centre", "institution", "hospital"),
    *("scanner", "manufacturer", "vendor"),
)


def acquisition_groups(cohort: Cohort) -> dict[str, dict[str, str]]:
    """Return how the cases of a cohort can be grouped: name of the grouping, case, group.

    Columns that name nearly every case another way, or all of them the same, group nothing.
    """
    columns: dict[str, dict[str, str]] = {}
    people = _participants(cohort)
    for case in cohort.cases:
        row = {**people.get(case.patient_id, {}), **case.attributes, **_from_headers(cohort, case)}
        for name, value in row.items():
            if is_class_column(name):  # what is asked for is no acquisition
                continue
            columns.setdefault(name, {})[case.case_id] = value.strip() or UNKNOWN_GROUP
    return {name: groups for name, groups in columns.items() if _is_grouping(groups)}


def site_column(groups: Groups) -> str | None:
    """Return the grouping that names sites or scanners; `None` if no column does."""
    named = (name for word in SITE_WORDS for name in sorted(groups) if word in name.lower())
    return next(named, None)


def measured_grouping(groups: Groups) -> str | None:
    """Return the grouping by voxel size, else by field of view; `None` if neither groups."""
    return next((name for name in (VOXEL_SIZE, FIELD_OF_VIEW) if name in groups), None)


def _is_grouping(groups: Mapping[str, str]) -> bool:
    return 1 < len({*groups.values()}) <= max(len(groups) // 3, 1)


def _participants(cohort: Cohort) -> dict[str, dict[str, str]]:
    path = cohort.root / PARTICIPANTS_NAME
    if not path.is_file():
        return {}
    try:
        rows = list(csv.DictReader(path.read_text("utf-8-sig").splitlines(), delimiter="\t"))
    except (OSError, UnicodeDecodeError, csv.Error):
        return {}
    texts = [{k: v for k, v in row.items() if isinstance(v, str) and k} for row in rows]
    return {row.pop("participant_id"): row for row in texts if "participant_id" in row}


def _from_headers(cohort: Cohort, case: Case) -> dict[str, str]:
    files = [file for file in case.images.values() if file in cohort.grids]
    if not files:
        return {}
    grid = min((cohort.grids[file] for file in files), key=lambda g: float(np.prod(g.spacing_mm)))
    spacing = sorted(grid.spacing_mm)
    extent = sorted(n * s for n, s in zip(grid.size, grid.spacing_mm, strict=True))
    return {
        VOXEL_SIZE: " x ".join(f"{s:.2g}" for s in spacing) + " mm",
        FIELD_OF_VIEW: " x ".join(f"{20 * round(e / 20):.0f}" for e in extent) + " mm",
    }
