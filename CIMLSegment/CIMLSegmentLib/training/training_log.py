"""The course of a training: means of the loss terms, written line by line and reported."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from CIMLSegmentLib.training.losses import LossTerms
from MultimodalImagingLib.jobs.progress import Reporter
from MultimodalImagingLib.record.atomic_files import write_text
from MultimodalImagingLib.record.json_entry import json_value

LOG_NAME = "log.jsonl"


class LossMeans:
    """Means of the loss terms since the last time they were asked for."""

    def __init__(self) -> None:
        self._sums: dict[str, Any] = {}
        self._n = 0

    def add(self, terms: LossTerms) -> None:
        """Count one part of a batch in; nothing waits for the GPU here."""
        self._n += 1
        for name, value in _named(terms).items():
            self._sums[name] = self._sums.get(name, 0) + value.detach()

    def take(self) -> dict[str, float]:
        """Return the means and forget them.

        Returns:
            `loss`, and per sub-task `CE <name>`, `Dice <name>`, per message
            `KL <auxiliary> to <sub-task> at level <l>`, nats per input voxel.
        """
        means = {name: float(total) / self._n for name, total in self._sums.items()}
        self._sums, self._n = {}, 0
        return means


class TrainingLog:
    """Writes the course of a training into a file of JSON lines, and reports it."""

    def __init__(self, folder: Path, reporter: Reporter) -> None:
        self.path = folder / LOG_NAME
        self._reporter = reporter

    def resume_at(self, step: int) -> None:
        """Drop what was written after the step from which the training resumes."""
        kept = [entry for entry in read_log(self.path) if entry["step"] <= step]
        write_text(self.path, "".join(json.dumps(entry) + "\n" for entry in kept))

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Append one line and hand it to the reporter as `step` and the values."""
        entry = {"step": step, **values}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry, allow_nan=False) + "\n")
        self._reporter.result(entry)


def read_log(path: Path) -> list[dict[str, Any]]:
    """Read the course of a training; a line that a kill cut off is left out."""
    if not path.is_file():
        return []
    entries = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            entry = json_value(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and isinstance(entry.get("step"), int):
            entries.append(entry)
    return entries


def _named(terms: LossTerms) -> dict[str, Any]:
    named = {"loss": terms.total}
    named |= {f"CE {name}": value for name, value in terms.cross_entropy.items()}
    named |= {f"Dice {name}": value for name, value in terms.dice.items()}
    for key, value in terms.kl.items():
        named[f"KL {key.auxiliary} to {key.subtask} at level {key.level}"] = value
    return named
