"""All that a record knows, as tables: in one JSON file, and as a CSV file each."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.jobs.environment import same_name
from MultimodalImagingLib.record.atomic_files import write_json, write_text
from MultimodalImagingLib.record.case_states import Claim, SavedLabel, StateEntry
from MultimodalImagingLib.record.history import HistoryEvent, history_event
from MultimodalImagingLib.record.json_entry import json_value
from MultimodalImagingLib.record.rounds import Round, round_from_json
from MultimodalImagingLib.record.states_file import claim_from_json, saved_label, state_entry

JSON_NAME = "record.json"
FORMAT = "CrossModal record"
FORMAT_VERSION = 1
Row = Mapping[str, Any]
Tables = Mapping[str, Sequence[Row]]

_LABEL = ("case", "reader", "path", "sha256", "at", "began")
_LABEL_NUMBERS = ("looking_s", "drawing_s", "is_blinded", "changed_voxels", "draft_dice")
# Columns of texts, and columns of other values, which a CSV cell holds as JSON.
_COLUMNS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "cases": (("case", "state", "by", "at", "note", "former"), ()),
    "claims": (("case", "reader", "by", "host", "since", "touched", "purpose"), ()),
    "evaluation": (("case", "group"), ()),
    "labels": (_LABEL, _LABEL_NUMBERS),
    "history": (("at", "reader", "by", "event", "case"), ("details",)),
    "rounds": (("model", "model_id", "at"), ("number", "labels", "evaluation", "n_drafts")),
}


@dataclass(frozen=True)
class RecordContent:
    """What a record knows.

    Attributes:
        entries: State per case.
        claims: Claim per case.
        evaluation: Group per case that is set aside for testing.
        labels: The labels; one of a version that did not tell readers apart has no reader.
        history: All events, in their order.
        rounds: The rounds, by number.
    """

    entries: Mapping[str, StateEntry]
    claims: Mapping[str, Claim]
    evaluation: Mapping[str, str]
    labels: tuple[SavedLabel, ...]
    history: tuple[HistoryEvent, ...]
    rounds: tuple[Round, ...]

    @property
    def cases(self) -> frozenset[str]:
        """All cases that it knows something of."""
        labelled = {label.case_id for label in self.labels}
        return frozenset({*self.entries, *self.claims, *self.evaluation, *labelled})


def write_content(folder: Path, content: RecordContent) -> None:
    """Write the JSON file and the tables into a folder.

    Raises:
        CrossModalError: If a file cannot be written.
    """
    tables = _tables(content)
    document = {"format": FORMAT, "version": FORMAT_VERSION, **tables}
    write_json(folder / JSON_NAME, document)
    for name, rows in tables.items():
        write_text(folder / f"{name}.csv", _csv(name, rows))


def read_content(source: Path) -> RecordContent:
    """Read what an export wrote: its folder, its JSON file, or a folder with the tables only.

    Raises:
        UsageError: If it is no such export, or cannot be read.
    """
    file = source / JSON_NAME if source.is_dir() else source
    try:
        tables = _read_json(file) if file.exists() else _read_tables(source)
        return _content(tables)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, csv.Error) as error:
        msg = (
            f"Expected an export of a record in {source}, but it cannot be read"
            f" ({type(error).__name__}: {error}). Give the folder that `mdal-selector export"
            " --output` wrote."
        )
        raise UsageError(msg) from error


def _tables(content: RecordContent) -> dict[str, list[dict[str, Any]]]:
    return {
        "cases": [{"case": case, **vars(entry)} for case, entry in content.entries.items()],
        "claims": [{"case": case, **vars(claim)} for case, claim in content.claims.items()],
        "evaluation": [{"case": c, "group": group} for c, group in content.evaluation.items()],
        "labels": [_label_row(label) for label in content.labels],
        "history": [dict(vars(event)) for event in content.history],
        "rounds": [dict(vars(entry)) for entry in content.rounds],
    }


def _label_row(label: SavedLabel) -> dict[str, Any]:
    row = dict(vars(label))
    return {"case": row.pop("case_id"), **row}


def _content(tables: Tables) -> RecordContent:
    return RecordContent(
        _by_case(tables["cases"], state_entry),
        _by_case(tables["claims"], claim_from_json),
        {same_name(row["case"]): str(row["group"]) for row in tables["evaluation"]},
        tuple(saved_label(row, row["case"]) for row in tables["labels"]),
        tuple(history_event(row) for row in tables["history"]),
        tuple(round_from_json(row) for row in tables["rounds"]),
    )


def _by_case(rows: Sequence[Row], parse: Callable[[Row], Any]) -> dict[str, Any]:
    return {same_name(row["case"]): parse(row) for row in rows}


def _read_json(file: Path) -> Tables:
    document = json_value(file.read_text(encoding="utf-8"))
    if document["format"] != FORMAT or document["version"] != FORMAT_VERSION:
        msg = f"it is {document['format']!r}, version {document['version']!r}"
        raise ValueError(msg)
    return {name: document[name] for name in _COLUMNS}


def _csv(name: str, rows: Sequence[Row]) -> str:
    texts, others = _COLUMNS[name]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*texts, *others])
    for row in rows:
        cells = [json.dumps(row[column], ensure_ascii=False) for column in others]
        writer.writerow([*(str(row[column]) for column in texts), *cells])
    return text.getvalue()


def _read_tables(folder: Path) -> Tables:
    return {name: _read_csv(folder / f"{name}.csv", name) for name in _COLUMNS}


def _read_csv(file: Path, name: str) -> list[Row]:
    _, others = _COLUMNS[name]
    with file.open(encoding="utf-8-sig", newline="") as opened:
        return [
            {key: json_value(cell) if key in others else cell for key, cell in row.items()}
            for row in csv.DictReader(opened)
        ]
