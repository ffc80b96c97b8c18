"""The folder of a training: of one training at a time, never one with foreign files; its log."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from CIMLSegmentLib.inference.devices import Processes
from CIMLSegmentLib.model.model_description import DESCRIPTION_NAME, WEIGHTS_NAME
from CIMLSegmentLib.model.model_files import is_description
from CIMLSegmentLib.training.losses import LossTerms
from CIMLSegmentLib.training.training_state import BASELINE_NAME, STATE_FOLDER, STATE_NAME
from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.jobs.progress import Reporter
from MultimodalImagingLib.record.atomic_files import (
    remove_unfinished_files,
    write_text,
    writing_error,
)
from MultimodalImagingLib.record.json_entry import json_keys, json_value
from MultimodalImagingLib.record.locks import locked
from MultimodalImagingLib.record.ownership import check_own_files
from MultimodalImagingLib.record.tensor_file import is_tensor_file

LOCK_NAME = "training.lock"
# A training touches its lock every 20 s; a computer that sleeps does not.
LOCK_SILENCE_S = 600.0
LOG_NAME = "log.jsonl"


@dataclass(frozen=True)
class Claim:
    """A folder that this training may write.

    Attributes:
        has_state: Whether there is a training to resume.
        check: Raises a `CrossModalError` if another process took the folder meanwhile.
    """

    has_state: bool
    check: Callable[[], None]


@contextmanager
def claimed_folder(output: Path, processes: Processes, *, resume: bool) -> Iterator[Claim]:
    """Hold a folder for a training; under `torchrun` the first process holds it for all.

    Raises:
        UsageError: If the folder holds something that this training would replace.
        LockedError: If another process trains there.
        CrossModalError: If the folder cannot be made.
    """
    has_state = _check_folder(output, resume=resume)
    processes.wait()
    if not processes.is_first:
        yield Claim(has_state, lambda: None)
        return
    _make_folder(output)
    what = f"The model folder {output}"
    path = output / STATE_FOLDER / LOCK_NAME
    with locked(path, wait_s=0.0, silent_for_s=LOCK_SILENCE_S, what=what) as lock:
        lock.keep_alive()
        has_state = _check_folder(output, resume=resume)  # another one may just have ended
        for folder in (output, output / STATE_FOLDER):
            remove_unfinished_files(folder)
        yield Claim(has_state, lock.check)


def _check_folder(output: Path, *, resume: bool) -> bool:
    """Return whether there is a training to resume; refuse a folder that is taken."""
    state = output / STATE_FOLDER
    has_state = (state / STATE_NAME).is_file()
    is_taken = has_state or any((output / n).exists() for n in (DESCRIPTION_NAME, WEIGHTS_NAME))
    if is_taken and not (resume and has_state):
        advice = "" if not has_state else " Or resume its training (--resume)."
        msg = f"The folder {output} already holds a model. Choose another one.{advice}"
        raise UsageError(msg)
    files: dict[Path, Callable[[bytes], bool]] = {
        output / DESCRIPTION_NAME: is_description,
        output / WEIGHTS_NAME: is_tensor_file,
        state / BASELINE_NAME: is_tensor_file,
        state / LOG_NAME: lambda data: all("step" in json_keys(n) for n in data.splitlines()[:1]),
    }
    check_own_files(files, option="--output")
    return has_state


def _make_folder(output: Path) -> None:
    try:
        (output / STATE_FOLDER).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"The model folder {output} cannot be made: {error.strerror}. Choose another one."
        raise writing_error(error)(msg) from error


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
