"""The rows of the case table: made from a selection run, kept in a table of the scene, read back.

Must not import Slicer or Qt.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from MultimodalImagingLib.record.atomic_files import write_text
from MultimodalImagingLib.record.cohort_record import CaseState
from MultimodalSlicerLib.cohort_files import FoundCase

if TYPE_CHECKING:
    from MDALSelectorLib.selection.case_selection import CaseSelection, RankedCase

Value = str | float | int

# Distinct also for color-blind users, on light and dark backgrounds.
STATE_COLORS: dict[CaseState, tuple[float, float, float]] = {
    CaseState.UNLABELLED: (0.60, 0.60, 0.60),
    CaseState.SUGGESTED: (0.90, 0.62, 0.00),
    CaseState.IN_PROGRESS: (0.34, 0.71, 0.91),
    CaseState.LABELLED: (0.00, 0.62, 0.45),
    CaseState.SKIPPED: (0.80, 0.47, 0.65),
    CaseState.CHECK_PAIRING: (0.84, 0.37, 0.00),
}

_PMI = "PMI "
_NATS = " (nats)"
_FILE = "file "
_FLAG_SEPARATOR = " | "
_LABEL = "label map"


@dataclass(frozen=True)
class CaseRow(FoundCase):
    """What the table shows of one case.

    Attributes:
        state: What has been done about labeling it.
        rank: Place in the order of labeling, from 1; `None` before a selection.
        modality_difference: Unitless; large means that its modalities share little
            information. `None` if it could not be scored.
        component: First principal component of its embedding, unitless.
        pmi: Pointwise mutual information per pair of modalities, nats.
        flags: What the user should know, each with its reason.
        reason: Why it has its rank.
        thumbnail: File name of its picture; empty if it has none.
    """

    state: CaseState = CaseState.UNLABELLED
    rank: int | None = None
    modality_difference: float | None = None
    component: float | None = None
    pmi: Mapping[str, float] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    reason: str = ""
    thumbnail: str = ""


def rows_from_selection(
    selection: CaseSelection,
    *,
    found: Sequence[FoundCase],
    states: Mapping[str, CaseState],
) -> list[CaseRow]:
    """Make the rows of a run, by rank.

    Args:
        selection: The run.
        found: The cohort's cases with their files.
        states: State of every case that the record has one of; others get the run's.
    """
    files = {case.case_id: case for case in found}
    return [
        _ranked_row(case, files.get(case.case_id, FoundCase(case.case_id)), states)
        for case in selection.cases
    ]


def rows_from_found(found: Sequence[FoundCase], states: Mapping[str, CaseState]) -> list[CaseRow]:
    """Make the rows of cases that are not ranked yet."""
    return with_states([CaseRow(case.case_id, case.files, case.label) for case in found], states)


def with_states(rows: Sequence[CaseRow], states: Mapping[str, CaseState]) -> list[CaseRow]:
    """Return rows with the states that are given; the others keep theirs."""
    return [replace(row, state=states.get(row.case_id, row.state)) for row in rows]


def usual_range(values: Iterable[float]) -> tuple[float, float]:
    """Return the smallest and the largest value that are no outliers.

    Outliers are farther than three quartile distances from the quartiles [1]; without them, the
    values of all other cases can be distinguished in a bar or a plot.

    References:
        [1] Tukey, Exploratory Data Analysis, 1977: values that are "far out".
    """
    ordered = sorted(values)
    if not ordered:
        return 0.0, 0.0
    low, high = ordered[len(ordered) // 4], ordered[(3 * len(ordered) - 1) // 4]
    reach = 3.0 * (high - low)
    usual = [value for value in ordered if low - reach <= value <= high + reach]
    return usual[0], usual[-1]


def columns_from_rows(rows: Sequence[CaseRow]) -> dict[str, list[Value]]:
    """Write rows as the columns of a table."""
    pairs = _names(row.pmi for row in rows)
    modalities = _names(row.files for row in rows)
    columns: dict[str, list[Value]] = {
        "rank": [row.rank or 0 for row in rows],
        "case": [row.case_id for row in rows],
        "state": [row.state.value for row in rows],
        "modality difference": [_number(row.modality_difference) for row in rows],
        "first principal component": [_number(row.component) for row in rows],
    }
    for pair in pairs:
        columns[f"{_PMI}{pair}{_NATS}"] = [_number(row.pmi.get(pair)) for row in rows]
    columns["flags"] = [_FLAG_SEPARATOR.join(row.flags) for row in rows]
    columns["reason"] = [row.reason for row in rows]
    columns["picture"] = [row.thumbnail for row in rows]
    for modality in modalities:
        columns[f"{_FILE}{modality}"] = [row.files.get(modality, "") for row in rows]
    columns[_LABEL] = [row.label for row in rows]
    return columns


def rows_from_columns(columns: Mapping[str, Sequence[Value]]) -> list[CaseRow]:
    """Read rows back from the columns of a table.

    Raises:
        ValueError: If it is not such a table.
    """
    try:
        n_rows = len(columns["case"])
        return [_row({name: values[i] for name, values in columns.items()}) for i in range(n_rows)]
    except (KeyError, IndexError, TypeError) as error:
        msg = f"Expected a table of ranked cases, but {error} is missing. Run the selection again."
        raise ValueError(msg) from error


def write_case_table(path: Path, rows: Sequence[CaseRow]) -> None:
    """Write the list of cases with their states as CSV.

    Raises:
        CrossModalError: If the file cannot be written.
    """
    columns = columns_from_rows(rows)
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    write_text(path, text.getvalue())


def _ranked_row(case: RankedCase, found: FoundCase, states: Mapping[str, CaseState]) -> CaseRow:
    return CaseRow(
        found.case_id,
        found.files,
        found.label,
        state=states.get(case.case_id, CaseState(case.state)),
        rank=case.rank,
        modality_difference=case.modality_difference,
        component=case.components[0] if case.components else None,
        pmi={"-".join(pair): value for pair, value in case.pmi.items()},
        flags=tuple(f"{flag.kind}: {flag.reason}" for flag in case.flags),
        reason=case.reason,
        thumbnail=case.thumbnail or "",
    )


def _row(values: Mapping[str, Value]) -> CaseRow:
    flags = str(values["flags"])
    return CaseRow(
        case_id=str(values["case"]),
        state=CaseState(str(values["state"])),
        rank=int(values["rank"]) or None,
        modality_difference=_optional(values["modality difference"]),
        component=_optional(values["first principal component"]),
        pmi={
            name.removeprefix(_PMI).removesuffix(_NATS): float(value)
            for name, value in values.items()
            if name.startswith(_PMI) and not math.isnan(float(value))
        },
        flags=tuple(flags.split(_FLAG_SEPARATOR)) if flags else (),
        reason=str(values["reason"]),
        thumbnail=str(values["picture"]),
        files={
            name.removeprefix(_FILE): str(value)
            for name, value in values.items()
            if name.startswith(_FILE) and value
        },
        label=str(values[_LABEL]),
    )


def _names(mappings: Iterable[Mapping[str, object]]) -> list[str]:
    return list(dict.fromkeys(name for mapping in mappings for name in mapping))


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _optional(value: Value) -> float | None:
    number = float(value)
    return None if math.isnan(number) else number
