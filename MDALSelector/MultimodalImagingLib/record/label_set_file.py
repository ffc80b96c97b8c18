"""Which labels are drawn in a cohort: `labels.json` of its record, the same for all readers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from MultimodalImagingLib.errors import CohortError, ModelError, UsageError
from MultimodalImagingLib.record.atomic_files import write_json
from MultimodalImagingLib.record.json_entry import config_from_json, config_to_json, read_json
from MultimodalImagingLib.record.record_folders import RecordFolders

FILE_NAME = "labels.json"
_LONGEST = 60


@dataclass(frozen=True)
class LabelSet:
    """The labels of a cohort: those of a task, or names that a user gave.

    Attributes:
        task: Name of a task, or the path of its file; empty if the names count.
        names: Names of labels, in the order of their values from 1; empty if the task counts.
    """

    task: str = ""
    names: tuple[str, ...] = ()


def read_label_set(record: RecordFolders) -> LabelSet | None:
    """Return the labels that were chosen for the cohort; `None` if nobody has chosen.

    Raises:
        CohortError: If the file is not what this program writes.
    """
    path = record.folder / FILE_NAME
    if not path.is_file():
        return None
    try:
        return config_from_json(LabelSet, read_json(path), where="the labels of the cohort")
    except (ModelError, OSError) as error:
        msg = (
            f"Expected the labels of the cohort in {path}, but the file cannot be read ({error})."
            " Choose the labels again."
        )
        raise CohortError(msg) from error


def write_label_set(record: RecordFolders, labels: LabelSet) -> Path:
    """Keep the labels of the cohort, and return the file.

    Raises:
        CrossModalError: If the file cannot be written.
    """
    path = record.folder / FILE_NAME
    write_json(path, config_to_json(labels))
    return path


def names_from_text(text: str) -> tuple[str, ...]:
    """Read names of labels with commas between them.

    Raises:
        UsageError: If a name occurs twice, or is too long.
    """
    names = tuple(name for part in text.split(",") if (name := " ".join(part.split())))
    plain = [name.casefold() for name in names]
    twice = [name for name in names if plain.count(name.casefold()) > 1]
    if twice:
        msg = f"The label {twice[0]!r} occurs twice. Give each label its own name."
        raise UsageError(msg)
    long = [name for name in names if len(name) > _LONGEST]
    if long:
        msg = f"Expected names of at most {_LONGEST} characters, got {long[0]!r:.80}. Shorten it."
        raise UsageError(msg)
    return names
