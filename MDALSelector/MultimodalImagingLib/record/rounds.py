"""The rounds of a cohort: which labels a model was trained on, and what it reached."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from statistics import fmean
from typing import Any

from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.record.atomic_files import explained_writing, write_json
from MultimodalImagingLib.record.json_entry import json_value
from MultimodalImagingLib.record.locks import locked
from MultimodalImagingLib.record.record_folders import RecordFolders

FILE_NAME = "rounds.json"
FORMAT_VERSION = 1
_LOCK_WAIT_S = 5.0
_LOCK_SILENCE_S = 60.0  # writing rounds takes milliseconds
_ADVICE = (
    "Labels, models and earlier rounds are unchanged. Make sure that the folder is there and may be"
    " written, and that its disk is not full; then try again."
)


@dataclass(frozen=True)
class Round:
    """One round: labels, the model that was trained on them, and its Dice on the evaluation set.

    Attributes:
        number: Number of the round, from 1.
        labels: The cases of the cohort that it has seen, in this training or one before.
        model: Folder of the model, relative to the record's folder if it lies in it.
        model_id: Identity of the model, which no other training and no other weights have.
        at: UTC time in ISO 8601.
        evaluation: Per case of the evaluation set, the Dice per region, 0 to 1; `None` where
            neither label nor segmentation has the region.
        n_drafts: How many cases were segmented as drafts.
        started_from: Name of the model that its training began with; empty if all weights were new.
    """

    number: int
    labels: tuple[str, ...]
    model: str
    model_id: str
    at: str
    evaluation: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)
    n_drafts: int = 0
    started_from: str = ""

    @property
    def case_dice(self) -> dict[str, float]:
        """Mean Dice over its regions, per evaluation case that has a Dice at all."""
        known = {
            case: [value for value in regions.values() if value is not None]
            for case, regions in self.evaluation.items()
        }
        return {case: fmean(values) for case, values in known.items() if values}

    @property
    def mean_dice(self) -> float | None:
        """Mean over the cases of `case_dice`: every case counts alike; `None` without any."""
        values = self.case_dice.values()
        return fmean(values) if values else None


def read_rounds(record: RecordFolders) -> tuple[Round, ...]:
    """Read the rounds, in the order of their numbers; none if there was none.

    Raises:
        CohortError: If the file is not what this program writes.
    """
    path = record.folder / FILE_NAME
    try:
        return _parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        msg = (
            f"Expected the rounds of the cohort in {path}, but the file cannot be read ({error})."
            " Restore it from a backup, or move it away to start without rounds."
        )
        raise CohortError(msg) from error


@lru_cache(maxsize=4)  # the panel asks whenever its buttons are looked at
def _parse(text: str) -> tuple[Round, ...]:
    content = json_value(text)
    if content["format"] != FORMAT_VERSION:
        msg = f"format {content['format']!r}, this version reads {FORMAT_VERSION}"
        raise ValueError(msg)
    found = [round_from_json(item) for item in content["rounds"]]
    return tuple(sorted(found, key=lambda entry: entry.number))


def append_round(record: RecordFolders, new: Round) -> tuple[Round, ...]:
    """Add a round, or put it in the place of the one with its number and model.

    Raises:
        CohortError: If another model has this number, or if the file cannot be read.
        LockedError: If another process is writing now.
        CrossModalError: If the file cannot be written.
    """
    path, what = record.folder / "rounds.lock", f"The record {record.folder}"
    with (
        explained_writing(what, _ADVICE),
        locked(path, wait_s=_LOCK_WAIT_S, silent_for_s=_LOCK_SILENCE_S, what=what),
    ):
        rounds = {entry.number: entry for entry in read_rounds(record)}
        older = rounds.get(new.number)
        if older is not None and older.model_id != new.model_id:
            msg = (
                f"Round {new.number} is that of the model {older.model} of {older.at} already."
                f" Give the model {new.model} the number {max(rounds) + 1}."
            )
            raise CohortError(msg)
        rounds[new.number] = new
        found = tuple(rounds[number] for number in sorted(rounds))
        write_rounds(record, found)
    return found


def write_rounds(record: RecordFolders, rounds: tuple[Round, ...]) -> None:
    """Write the rounds in place of those that are there.

    Raises:
        CrossModalError: If the file cannot be written.
    """
    content = {"format": FORMAT_VERSION, "rounds": [asdict(entry) for entry in rounds]}
    write_json(record.folder / FILE_NAME, content)


def round_from_json(item: Mapping[str, Any]) -> Round:
    """Read one round.

    Raises:
        ValueError: If a number is out of range.
        KeyError: If something is missing.
        TypeError: If something has another type.
    """
    evaluation = {
        str(case): {str(region): _dice(value) for region, value in regions.items()}
        for case, regions in item["evaluation"].items()
    }
    return Round(
        int(item["number"]),
        tuple(str(case) for case in item["labels"]),
        str(item["model"]),
        str(item["model_id"]),
        str(item["at"]),
        evaluation,
        int(item["n_drafts"]),
        str(item.get("started_from", "")),
    )


def _dice(value: object) -> float | None:
    if value is None:
        return None
    dice = float(value)  # type: ignore[arg-type]
    if not math.isfinite(dice):
        msg = f"{value!r} is no Dice"
        raise ValueError(msg)
    return dice
