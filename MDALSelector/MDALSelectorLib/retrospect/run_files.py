"""The folder of a retrospective run: what is written into it, and how it is recognized."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from MDALSelectorLib.retrospect.outcomes import Outcome
from MDALSelectorLib.retrospect.retrospective import Retrospective
from MDALSelectorLib.retrospect.training_log import LOG_NAME as TRAININGS_NAME
from MDALSelectorLib.retrospect.training_log import is_training_log, mark_folder
from MultimodalImagingLib.errors import CohortError, CrossModalError, UsageError
from MultimodalImagingLib.record.atomic_files import write_json, write_text
from MultimodalImagingLib.record.cohort_record import CohortRecord
from MultimodalImagingLib.record.json_entry import config_from_json, json_value
from MultimodalImagingLib.record.ownership import (
    KNOWN,
    Ownership,
    Written,
    check_own,
    is_free,
    is_own_file,
)

RUN_NAME = "retrospect"  # of the numbered folders in a record
JSON_NAME = "retrospect.json"
CSV_NAME = "retrospect.csv"
PAGE_NAME = "retrospect.html"
JOB_LOG_NAME = "log.jsonl"
NNUNET_SPLITS_NAME = "nnunet/splits_final.json"
NNUNET_LISTS_NAME = "nnunet/trainings.json"
PAGE_MARK = 'content="CrossModal mdal-selector retrospect"'
FORMAT_VERSION = 1
_TITLE = "CrossModal retrospective"

FIGURES = ("Dice", "balanced accuracy")
COLUMNS = (
    "strategy",
    "budget",
    "cases",
    FIGURES[0],
    "difference to median random draw",
    "low",
    "high",
    "difference to mean random draw",
    "share of full labels",
    "better than share of random draws",
    "outer folds",
)


def write_retrospective(run: Path, found: Retrospective) -> None:
    """Write `retrospect.json` and `retrospect.csv` into the folder of a run.

    Raises:
        CrossModalError: If a file cannot be written; older files are then untouched.
    """
    write_text(run / CSV_NAME, retrospect_csv(found))
    write_json(
        run / JSON_NAME, {"title": _TITLE, "version": FORMAT_VERSION, **_rounded(asdict(found))}
    )


def read_retrospective(path: Path) -> Retrospective:
    """Read what a run found.

    Raises:
        CohortError: If the file is not there, or not one of this version.
    """
    try:
        content = json_value(path.read_bytes())
        if content.pop("title") != _TITLE or content.pop("version") != FORMAT_VERSION:
            msg = "it is of another kind or version"
            raise ValueError(msg)
        return config_from_json(Retrospective, content, where=path.name)
    except (OSError, KeyError, TypeError, ValueError, AttributeError, CrossModalError) as error:
        msg = (
            f"Expected the result of a retrospective in {path}, but it cannot be read ({error})."
            " Run the command again."
        )
        raise CohortError(msg) from error


def retrospect_csv(found: Retrospective) -> str:
    """Return the outcomes as a table (RFC 4180, UTF-8): one row per strategy and budget."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(_columns(found.figure))
    for outcome in (*found.outcomes, *found.areas):
        writer.writerow(_row(found, outcome))
    return text.getvalue()


def take_over(run: Path) -> None:
    """Make the folder of a run, or accept that of an earlier one; finished trainings stay.

    Raises:
        UsageError: If it holds anything else, or cannot be made.
    """
    if not is_free(run):
        check_own(run, RUN)
    try:
        run.mkdir(parents=True, exist_ok=True)
        mark_folder(run)
    except OSError as error:
        msg = f"The output folder {run} cannot be made ({error.strerror}). Choose another."
        raise UsageError(msg) from error


def run_folders(record: CohortRecord) -> list[Path]:
    """Return the numbered folders of the runs in a record, finished or not, by number."""
    return sorted((record.folder / "runs").glob(f"[0-9]*-{RUN_NAME}"))


def latest_result(record: CohortRecord) -> Path | None:
    """Return the folder of the last run in a record that was finished; `None` without one."""
    return next((run for run in run_folders(record)[::-1] if (run / JSON_NAME).is_file()), None)


def is_unfinished(run: Path) -> bool:
    """Tell whether a folder is that of a run that was stopped before its end."""
    return RUN.is_marked(run) and not (run / JSON_NAME).exists()


def is_page(data: bytes) -> bool:
    """Tell whether the content of a file is a page of this program."""
    return PAGE_MARK.encode() in data[:4096]


def _row(found: Retrospective, outcome: Outcome) -> list[str]:
    if outcome.budget is None:
        budget, n_cases = "area under the curve", ""
    else:
        budget = found.budgets[outcome.budget]
        n_cases = f"{found.bands[outcome.budget].n_cases:.1f}"
    numbers = (
        outcome.dice,
        outcome.difference,
        outcome.low,
        outcome.high,
        outcome.difference_to_mean,
        outcome.share_of_full,
        outcome.better_than,
    )
    texts = [f"{value + 0.0:.4f}" for value in numbers]
    return [outcome.strategy, budget, n_cases, *texts, str(outcome.n_folds)]


def _rounded(value: object) -> dict[str, object]:
    """Round what bootstrapping gives, so that the last bits of another processor do not show."""

    def rounded(item: object) -> object:
        if isinstance(item, float):
            return round(item, 6) + 0.0
        if isinstance(item, dict):
            return {name: rounded(part) for name, part in item.items()}
        return [rounded(part) for part in item] if isinstance(item, (list, tuple)) else item

    content = rounded(value)
    if not isinstance(content, dict):
        msg = f"Expected named values, got {type(value).__name__}."
        raise TypeError(msg)
    return content


def _files_of_run(run: Path) -> Written | None:
    """Return the files of a run, each known by its content; `None` without a log of trainings."""
    marker = run / TRAININGS_NAME
    if not marker.is_file() or marker.is_symlink() or not is_own_file(marker, is_training_log):
        return None
    kinds: dict[str, Callable[[bytes], bool]] = {
        TRAININGS_NAME: is_training_log,
        JSON_NAME: lambda data: _object(data).get("title") == _TITLE,
        CSV_NAME: _is_table,
        PAGE_NAME: is_page,
        JOB_LOG_NAME: lambda data: b'"time_s"' in data.split(b"\n", 1)[0],
        NNUNET_SPLITS_NAME: _is_splits,
        NNUNET_LISTS_NAME: lambda data: "trainings" in _object(data),
    }
    names = [name for name, is_own in kinds.items() if is_own_file(run / name, is_own)]
    return dict.fromkeys(names, KNOWN)


def _columns(figure: str) -> list[str]:
    return [figure if column == FIGURES[0] else column for column in COLUMNS]


def _is_table(data: bytes) -> bool:
    return any(data.startswith(",".join(_columns(figure)).encode()) for figure in FIGURES)


def _object(data: bytes) -> dict[str, object]:
    value = _parsed(data)
    return value if isinstance(value, dict) else {}


def _parsed(data: bytes) -> object:
    try:
        return json_value(data)
    except ValueError:
        return None


def _is_splits(data: bytes) -> bool:
    splits = _parsed(data)
    return isinstance(splits, list) and all(
        isinstance(split, dict) and set(split) == {"train", "val"} for split in splits
    )


RUN = Ownership("a run of `mdal-selector retrospect`", TRAININGS_NAME, _files_of_run)
