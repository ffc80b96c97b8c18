"""The folder of a training: of one training at a time, and never one with foreign files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from CIMLSegmentLib.model.best_network import BASELINE_NAME, STATE_FOLDER
from CIMLSegmentLib.model.model_files import DESCRIPTION_NAME, WEIGHTS_NAME, is_description
from CIMLSegmentLib.training.processes import Processes
from CIMLSegmentLib.training.training_log import LOG_NAME
from CIMLSegmentLib.training.training_state import STATE_NAME
from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.record.atomic_files import remove_unfinished_files, writing_error
from MultimodalImagingLib.record.json_entry import json_value
from MultimodalImagingLib.record.locks import locked
from MultimodalImagingLib.record.ownership import check_own_files
from MultimodalImagingLib.record.tensor_file import is_tensor_file

LOCK_NAME = "training.lock"
# A training touches its lock every 20 s; a computer that sleeps does not.
LOCK_SILENCE_S = 600.0


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
        state / LOG_NAME: _is_log,
    }
    check_own_files(files, option="--output")
    return has_state


def _make_folder(output: Path) -> None:
    try:
        (output / STATE_FOLDER).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"The model folder {output} cannot be made: {error.strerror}. Choose another one."
        raise writing_error(error)(msg) from error


def _is_log(data: bytes) -> bool:
    try:
        lines = [json_value(line) for line in data.splitlines()[:1]]
    except ValueError:
        return False
    return all(isinstance(line, dict) and "step" in line for line in lines)
