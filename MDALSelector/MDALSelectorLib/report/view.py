"""What the report's template shows: texts and numbers, ready to print."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from MDALSelectorLib.case_flags import CHECK_PAIRING
from MDALSelectorLib.selection.case_selection import CaseSelection, RankedCase, StrategyComparison
from MDALSelectorLib.selection.diagnostics import Pair
from MDALSelectorLib.selection.run_folder import THUMBNAILS_NAME

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
STATE_SIGNS = {"suggested": "★", CHECK_PAIRING: "⚠", "labelled": "✓", "unlabelled": "○"}
_STATE_TEXTS = {"labelled": "labeled", "unlabelled": "unlabeled"}
MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True)
class TableRow:
    """One row of the ranking.

    Attributes:
        case: The case.
        sign: A symbol for its state.
        bar: Modality difference from 0 (smallest of the cohort) to 100 (largest); `None` without.
        shades: Per pair, how far below the median its PMI lies, from 0 to 100.
    """

    case: RankedCase
    sign: str
    bar: float | None
    shades: Mapping[Pair, int]


@dataclass(frozen=True)
class Card:
    """A case with its picture.

    Attributes:
        case: The case.
        picture: The picture as a data URI; `None` if there is none.
    """

    case: RankedCase
    picture: str | None


@dataclass(frozen=True)
class OverlapCell:
    """Cases that two strategies share, as a number and as a depth of color from 0 to 100."""

    n_shared: int
    shade: int


def state_text(state: str) -> str:
    """Return the text of a state; records and runs keep their own spelling."""
    return _STATE_TEXTS.get(state, state)


def table_rows(selection: CaseSelection) -> list[TableRow]:
    """Return the rows of the ranking."""
    values = [c.modality_difference for c in selection.cases if c.modality_difference is not None]
    low, high = min(values, default=0.0), max(values, default=0.0)
    return [
        TableRow(
            case=case,
            sign=STATE_SIGNS[case.state],
            bar=None
            if case.modality_difference is None
            else round(100 * (case.modality_difference - low) / max(high - low, 1e-9), 1),
            shades={pair: round(min(max(-z / 3, 0.0), 1.0) * 100) for pair, z in case.z.items()},
        )
        for case in selection.cases
    ]


def cards(run: Path, cases: tuple[RankedCase, ...]) -> list[Card]:
    """Return cases with their pictures as data URIs."""
    return [Card(case, _data_uri(run, case.thumbnail)) for case in cases]


def overlap_rows(comparison: StrategyComparison) -> list[tuple[str, list[OverlapCell]]]:
    """Return the matrix of shared picks with a depth of color per cell."""
    return [
        (name, [OverlapCell(n, round(100 * n / max(*row, 1))) for n in row])
        for name, row in zip(comparison.strategies, comparison.n_shared, strict=True)
    ]


def flattened(values: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, str]]:
    """List nested settings as `("outer.inner", "value")`, sorted by name."""
    for name in sorted(values):
        value = values[name]
        if isinstance(value, Mapping):
            yield from flattened(value, f"{prefix}{name}.")
        elif isinstance(value, list | tuple):
            yield f"{prefix}{name}", ", ".join(map(str, value))
        else:
            yield f"{prefix}{name}", str(value)


def number(value: float | None, digits: int = 2) -> str:
    """Write a number with a true minus sign; a dash where there is none."""
    if value is None:
        return "\N{EN DASH}"
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", MINUS)


def _data_uri(run: Path, name: str | None) -> str | None:
    if name is None:
        return None
    path = run / THUMBNAILS_NAME / name
    if not path.is_file():
        return None
    data = path.read_bytes()
    if not data.startswith(_PNG_SIGNATURE):
        return None
    return f"data:image/png;base64,{base64.b64encode(data).decode('ascii')}"
