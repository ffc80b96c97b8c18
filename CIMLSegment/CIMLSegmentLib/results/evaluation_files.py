"""An evaluation as files, as a table for the terminal, and read back. Imports no torch."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.table import Table

from CIMLSegmentLib.results.case_roles import CaseRole, role_text
from CIMLSegmentLib.results.evaluation import Evaluation, RegionSummary
from CIMLSegmentLib.results.scores import RegionScore
from MultimodalImagingLib.jobs.texts import counted
from MultimodalImagingLib.record.atomic_files import write_json, write_text
from MultimodalImagingLib.record.json_entry import (
    JsonEntry,
    config_from_json,
    config_to_json,
    json_keys,
    read_json,
)
from MultimodalImagingLib.record.ownership import check_own_files

CSV_FILE, JSON_FILE = "evaluation.csv", "evaluation.json"

_VALUES = ("dice", "hd95_mm", "predicted_ml", "reference_ml", "common_ml")
_COLUMNS = ("case", "region", *_VALUES, "has_result", "role")
_HEADS = (",".join(_COLUMNS), ",".join(_COLUMNS[:-1]))  # earlier versions told no role
_RULES = (
    "Both empty: Dice 1, HD95 0 mm. One empty: Dice 0, HD95 373.13 mm. HD95 is the larger of the"
    " two directed 95th percentiles of surface distances. DSCagg is twice the common volume of all"
    " cases over all predicted and reference volumes."
)


def write_evaluation(evaluation: Evaluation, folder: Path) -> tuple[Path, Path]:
    """Write `evaluation.csv` (a row per case and region) and `evaluation.json` (all).

    Raises:
        UsageError: If a file of that name is there that is no evaluation.
        CrossModalError: If the folder cannot be written.
    """
    check_evaluation_files(folder)
    write_text(folder / CSV_FILE, _csv(evaluation))
    write_json(folder / JSON_FILE, _json(evaluation))
    return folder / CSV_FILE, folder / JSON_FILE


def check_evaluation_files(folder: Path) -> None:
    """Refuse a folder with files of these names that are no evaluation.

    Raises:
        UsageError: If so.
    """
    heads = tuple(f"{head}\n".encode() for head in _HEADS)
    keys = {"task", "rules", "summary", "scores"}
    check_own_files(
        {
            folder / CSV_FILE: lambda data: data.startswith(heads),
            folder / JSON_FILE: lambda data: keys <= json_keys(data),
        },
        option="--output",
    )


def summary_tables(evaluation: Evaluation) -> list[Table]:
    """Return the summary as tables for a terminal: one for each part that cases had in the model.

    Each title says which cases its figures come from.
    """
    return [_table(part, role) for role, part in evaluation.by_role().items()]


def _table(evaluation: Evaluation, role: CaseRole) -> Table:
    cases = role_text(role, _n_scored(evaluation))
    table = Table(title=f"Task {evaluation.task.name}: {cases}")
    table.add_column("region")
    names = ("Dice mean ± SD", "Dice median", "HD95 mean, mm", "HD95 median, mm", "DSCagg")
    for name in names:
        table.add_column(name, justify="right")
    for entry in evaluation.summary():
        table.add_row(
            entry.region,
            f"{entry.dice_mean:.3f}" + (f" ± {entry.dice_sd:.3f}" if entry.n_cases > 1 else ""),
            f"{entry.dice_median:.3f}",
            f"{entry.hd95_mean_mm:.1f}",
            f"{entry.hd95_median_mm:.1f}",
            f"{entry.dsc_agg:.3f}",
        )
    return table


def remarks(evaluation: Evaluation) -> list[str]:
    """Say which cases are not in the summary, or how they got into it."""
    texts = []
    if evaluation.missing:
        how = "count as empty predictions" if evaluation.counts_missing else "do not count"
        texts.append(
            f"No result although there is a reference:"
            f" {counted(len(evaluation.missing), 'case')}, {how}:"
            f" {', '.join(evaluation.missing)}."
        )
    if evaluation.without_reference:
        texts.append(
            "Not scored, as there is no reference:"
            f" {counted(len(evaluation.without_reference), 'result')},"
            f" {', '.join(evaluation.without_reference)}."
        )
    if evaluation.seen:
        texts.append(
            f"Seen by the model in its training or validation: {len(evaluation.seen)} of"
            f" {counted(_n_scored(evaluation), 'case')}, so the scores flatter:"
            f" {', '.join(evaluation.seen)}. `segment --unseen` leaves such cases out."
        )
    return texts


def _n_scored(evaluation: Evaluation) -> int:
    return len({score.case_id for score in evaluation.scores})


def _csv(evaluation: Evaluation) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for score in evaluation.scores:
        values = [f"{getattr(score, column):.6g}" for column in _VALUES]
        has_result = "yes" if score.has_result else "no"
        role = evaluation.roles.get(score.case_id, CaseRole.UNSEEN)
        writer.writerow([score.case_id, score.region, *values, has_result, role])
    return text.getvalue()


def _json(evaluation: Evaluation) -> dict[str, object]:
    return {
        **config_to_json(evaluation),
        "task": evaluation.task.name,
        "rules": _RULES,
        "n_cases": _n_scored(evaluation),
        "summary": [asdict(entry) for entry in evaluation.summary()],
        "by_role": [
            {
                "role": str(role),
                "cases": role_text(role, _n_scored(part)),
                "n_cases": _n_scored(part),
                "summary": [asdict(entry) for entry in part.summary()],
            }
            for role, part in evaluation.by_role().items()
        ],
        "mean_dsc_agg": evaluation.mean_dsc_agg,
    }


def read_evaluation(folder: Path) -> Mapping[str, Any]:
    """Return the evaluation in a folder of results; empty if there is none.

    Raises:
        ModelError: If the file is not what `ciml-segmenter evaluate` writes.
    """
    path = folder / JSON_FILE
    if not path.is_file():
        return {}
    entry = JsonEntry(read_json(path), f"the evaluation {path}")
    entry.value("n_cases", int)
    entry.value("rules", str)
    for key, kind in (("summary", RegionSummary), ("scores", RegionScore)):
        for item in entry.items(key, f"entry of {key!r}"):
            config_from_json(kind, item.data, where=item.where)
    return entry.data
