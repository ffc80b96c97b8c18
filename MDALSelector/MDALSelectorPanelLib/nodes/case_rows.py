"""The rows of the case table: made from a selection run, kept in a table of the scene, read back.

Must not import Slicer or Qt.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from MDALSelectorLib.selection.case_selection import MEASURES
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
    CaseState.CONFIRMED: (0.00, 0.45, 0.70),
}


@dataclass(frozen=True)
class CaseRow(FoundCase):
    """What the table shows of one case.

    Attributes:
        state: What has been done about labeling it.
        rank: Place in the order of labeling, from 1; `None` before a selection.
        measures: What was measured of it, by the titles of `MEASURES`.
        component: First principal component of its embedding, unitless.
        pmi: Pointwise mutual information per pair of modalities, nats.
        flags: What the user should know, each with its reason.
        reason: Why it has its rank.
        thumbnail: File name of its picture; empty if it has none.
        given_class: The class that counts, in a cohort to classify; empty if it has none.
        claimed_by: Who else has it open now; empty if nobody has.
        is_test: Whether it is set aside for testing.
    """

    state: CaseState = CaseState.UNLABELLED
    rank: int | None = None
    measures: Mapping[str, float] = field(default_factory=dict)
    component: float | None = None
    pmi: Mapping[str, float] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    reason: str = ""
    thumbnail: str = ""
    given_class: str = ""
    claimed_by: str = ""
    is_test: bool = False

    @property
    def modality_difference(self) -> float | None:
        """The first measure; `None` if it could not be scored."""
        return self.measures.get(MEASURES[0].title)

    @property
    def explanation(self) -> str:
        """The reason, and the flags that it does not speak of."""
        others = (flag for flag in self.flags if flag.partition(": ")[2] not in self.reason)
        return "\n".join((self.reason, *others))


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


@dataclass(frozen=True)
class _Column:
    """A field of the rows in the scene's table; `{}` in the title stands for a key of a mapping.

    Attributes:
        title: Title of the column, which saved scenes hold; empty for the measures, whose keys are
            the titles.
        field: Field of `CaseRow`.
        write: Makes the value that the table keeps; for mappings, that of one key.
        read: Makes the field again; `None` leaves a key of a mapping out.
        is_optional: Whether the column is left out where no row has a value.
    """

    title: str
    field: str
    write: Callable[[Any], Value]
    read: Callable[[Any], Any]
    is_optional: bool = False

    def columns(self, rows: Sequence[CaseRow]) -> Iterator[tuple[str, list[Value]]]:
        """Yield title and values of the columns that rows need."""
        fields = [getattr(row, self.field) for row in rows]
        if not self.title:
            for measure in MEASURES:
                values = [self.write(mapping.get(measure.title)) for mapping in fields]
                yield measure.title, values
            return
        if "{}" not in self.title:
            if any(fields) or not self.is_optional:
                yield self.title, [self.write(value) for value in fields]
            return
        for key in dict.fromkeys(key for mapping in fields for key in mapping):
            yield self.title.format(key), [self.write(mapping.get(key)) for mapping in fields]

    def value(self, cells: Mapping[str, Value]) -> Any:
        """Return the field of the row that cells belong to."""
        before, is_mapping, after = self.title.partition("{}")
        if not self.title:
            found = {m.title: self.read(cells[m.title]) for m in MEASURES if m.title in cells}
            return {key: value for key, value in found.items() if value is not None}
        if not is_mapping:
            is_absent = self.is_optional and self.title not in cells
            return self.read("" if is_absent else cells[self.title])
        own = (name for name in cells if name.startswith(before) and name.endswith(after))
        found = {name[len(before) : len(name) - len(after)]: self.read(cells[name]) for name in own}
        return {key: value for key, value in found.items() if value is not None}


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _optional(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _text(value: str | None) -> str:
    return value or ""


def _parts(text: str) -> tuple[str, ...]:
    return tuple(text.split(" | ")) if text else ()


# What the scene keeps of a case. A number that a run measured is an entry of `MEASURES` and needs
# nothing here; another datum is a field of `CaseRow`, a line here, and its origin in `_ranked_row`
# or, if the record knows it, in `case_facts.py`. Who has a case open is kept nowhere: it passes.
_COLUMNS = (
    _Column("rank", "rank", lambda rank: rank or 0, lambda value: int(value) or None),
    _Column("case", "case_id", str, str),
    _Column("state", "state", str, CaseState),
    _Column("class", "given_class", str, str, is_optional=True),
    _Column("", "measures", _number, _optional),
    _Column("first principal component", "component", _number, _optional),
    _Column("PMI {} (nats)", "pmi", _number, _optional),
    _Column("flags", "flags", " | ".join, _parts),
    _Column("reason", "reason", str, str),
    _Column("picture", "thumbnail", str, str),
    _Column("file {}", "files", _text, lambda value: value or None),
    _Column("label map", "label", str, str),
)


def columns_from_rows(rows: Sequence[CaseRow]) -> dict[str, list[Value]]:
    """Write rows as the columns of a table."""
    return dict(pair for column in _COLUMNS for pair in column.columns(rows))


def rows_from_columns(columns: Mapping[str, Sequence[Value]]) -> list[CaseRow]:
    """Read rows back from the columns of a table.

    Raises:
        ValueError: If it is not such a table.
    """
    try:
        n_rows = len(columns["case"])
        cells = ({name: values[i] for name, values in columns.items()} for i in range(n_rows))
        return [
            CaseRow(**{column.field: column.value(row) for column in _COLUMNS}) for row in cells
        ]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        msg = (
            f"Expected a table of ranked cases, found one that cannot be read ({error}). Run the"
            " selection again."
        )
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
        measures={m.title: case.measures[m.name] for m in MEASURES if m.name in case.measures},
        component=case.components[0] if case.components else None,
        pmi={"-".join(pair): value for pair, value in case.pmi.items()},
        flags=tuple(f"{flag.kind}: {flag.reason}" for flag in case.flags),
        reason=case.reason,
        thumbnail=case.thumbnail or "",
    )
