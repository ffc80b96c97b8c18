"""The table of situations at the end of a test run, also as a Markdown file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

PROPERTY = "situation"
WIDTHS = (44, 20, 26)


@dataclass(frozen=True)
class Row:
    """A line of the table: what was run and what came out."""

    name: str
    kind: str
    command: str
    outcome: str


def record_row(row: Row, record_property) -> None:
    """Hand a row to the report of the test that runs; it survives the way between processes."""
    record_property(PROPERTY, json.dumps(asdict(row)))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option for the Markdown file."""
    parser.addoption(
        "--situations-table",
        type=Path,
        metavar="FILE",
        help="write the table of situations as Markdown",
    )


def pytest_terminal_summary(terminalreporter, config: pytest.Config) -> None:
    """Print the table, if situations were run."""
    rows = _rows(terminalreporter)
    if not rows:
        return
    terminalreporter.section(f"{len(rows)} situations")
    for row in rows:
        cells = (row.name, row.kind, row.command)
        start = "  ".join(cell.ljust(n)[:n] for cell, n in zip(cells, WIDTHS, strict=True))
        terminalreporter.write_line(f"{start}  {row.outcome[:90]}".rstrip())
    if (file := config.getoption("--situations-table")) is not None:
        file.write_text(_markdown(rows), encoding="utf-8")


def _rows(terminalreporter) -> list[Row]:
    rows = {}
    for outcome in ("passed", "failed", "skipped"):
        for report in terminalreporter.stats.get(outcome, []):
            for name, value in getattr(report, "user_properties", ()):
                if name == PROPERTY:
                    row = Row(**json.loads(value))
                    mark = "" if outcome == "passed" else f"{outcome.upper()}: "
                    rows[row.name] = Row(row.name, row.kind, row.command, mark + row.outcome)
    return sorted(rows.values(), key=lambda row: (row.kind, row.name))


def _markdown(rows: Sequence[Row]) -> str:
    head = ["# Situations", "", "| situation | kind | command | outcome |", "|---|---|---|---|"]
    lines = (
        " | ".join(_cell(text) for text in (row.name, row.kind, f"`{row.command}`", row.outcome))
        for row in rows
    )
    return "\n".join([*head, *(f"| {line} |" for line in lines), ""])


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
