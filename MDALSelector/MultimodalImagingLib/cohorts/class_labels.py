"""The class that each reader gave each case: a file per case and reader in the cohort's record.

Every file is written whole or not at all, and a reader never writes another's. Earlier classes of a
reader stand in the record's history.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote

from MultimodalImagingLib.cohorts.reader_labels import SEGMENTATION, folder_name, reader_label_place
from MultimodalImagingLib.errors import CohortError, CrossModalError
from MultimodalImagingLib.jobs.environment import same_name, user_name
from MultimodalImagingLib.record.atomic_files import explained_writing, write_json
from MultimodalImagingLib.record.case_states import CaseState, CaseStates, SavedLabel
from MultimodalImagingLib.record.checksums import file_checksum
from MultimodalImagingLib.record.class_task import ClassTask
from MultimodalImagingLib.record.cohort_record import CohortRecord
from MultimodalImagingLib.record.history import append_event
from MultimodalImagingLib.record.json_entry import config_from_json, read_json
from MultimodalImagingLib.record.readers import checked_reader, is_same_reader
from MultimodalImagingLib.record.state_changes import with_states

SUFFIX = ".class.json"
FORMAT_VERSION = 1
# Of a class among the labels of a case in the record, behind the name of the reader.
KEY_MARK = "~class"


@dataclass(frozen=True)
class ClassLabel:
    """The class that a reader gave a case.

    Attributes:
        case_id: The case.
        reader: Short name of the reader.
        name: The class.
        at: UTC time in ISO 8601, with milliseconds.
        by: Login name.
        looking_s: Seconds from opening the case to this choice.
        began: The run whose draft was shown; empty if none was.
        drafted: The class of that draft; empty if none was shown.
    """

    case_id: str
    reader: str
    name: str
    at: str
    by: str = ""
    looking_s: float = 0.0
    began: str = ""
    drafted: str = ""


@dataclass(frozen=True)
class ClassLabels:
    """All classes that readers gave the cases of a cohort.

    Attributes:
        of_case: Labels per case, in the order of time.
        problems: Files that are not used and why; full sentences.
    """

    of_case: Mapping[str, tuple[ClassLabel, ...]] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    def by(self, case_id: str, reader: str) -> ClassLabel | None:
        """Return the label of a reader; `None` if the reader gave none."""
        labels = self.of_case.get(case_id, ())
        own = (label for label in labels if is_same_reader(label.reader, reader))
        return next(own, None)

    @property
    def names(self) -> list[str]:
        """The class of every label."""
        return [label.name for own in self.of_case.values() for label in own]

    @property
    def that_count(self) -> dict[str, str]:
        """The class of every labeled case: see `class_that_counts`."""
        return {case_id: class_that_counts(labels) for case_id, labels in self.of_case.items()}

    @property
    def disputed(self) -> tuple[str, ...]:
        """Cases to which readers gave different classes, by name."""
        found = (case for case, own in self.of_case.items() if len({o.name for o in own}) > 1)
        return tuple(sorted(found))


def class_that_counts(labels: Sequence[ClassLabel]) -> str:
    """Return the class that most readers gave, of those that as many gave the latest.

    Args:
        labels: Labels of one case, at least one, in the order of time.
    """
    votes = Counter(label.name for label in labels)
    most = max(votes.values())
    return next(label.name for label in reversed(labels) if votes[label.name] == most)


def new_class_label(
    case_id: str,
    reader: str,
    name: str,
    *,
    looking_s: float = 0.0,
    began: str = "",
    drafted: str = "",
) -> ClassLabel:
    """Return a label that the user of this computer gives now; see `ClassLabel`.

    Raises:
        UsageError: If this can be no name of a reader.
    """
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    return ClassLabel(
        *(same_name(case_id), checked_reader(reader), name, now, user_name()),
        *(round(looking_s, 1), began, drafted),
    )


def class_label_place(case_id: str, reader: str, record: CohortRecord) -> Path:
    """Return the file for the class that a reader gives a case; nothing is created.

    A reader known by other capitals has the file that is there.

    Raises:
        UsageError: If this can be no name of a reader.
    """
    place = reader_label_place(case_id, reader, record)
    others = sorted(place.parent.glob(f"[!.]*{SUFFIX}"))
    known = next((path for path in others if is_same_reader(_reader_of(path), reader)), None)
    return known or place.with_name(f"{place.name[: -len(SEGMENTATION)]}{SUFFIX}")


def class_files(case_id: str, record: CohortRecord) -> dict[str, Path]:
    """Return the files of all classes of a case, by their key among its labels in the record."""
    folder = record.labels / folder_name(same_name(case_id))
    return {class_key(path): path for path in sorted(folder.glob(f"[!.]*{SUFFIX}"))}


def is_class_file(path: str) -> bool:
    """Tell by its name whether a label is a class."""
    return path.endswith(SUFFIX)


def read_class_labels(
    record: CohortRecord, task: ClassTask, *, only: Collection[str] | None = None
) -> ClassLabels:
    """Read the classes that readers gave.

    Args:
        record: The cohort's record.
        task: Its classes; files with another one are a problem, and not used.
        only: The cases that are meant; `None` for all.
    """
    found: dict[str, list[ClassLabel]] = {}
    problems = []
    files = record.labels.glob(f"*/[!.]*{SUFFIX}")
    own = (path for case in only or () for path in class_files(case, record).values())
    for path in sorted(files if only is None else own):
        try:
            label = _read(path, task)
        except CrossModalError as error:
            problems.append(str(error))
        else:
            found.setdefault(label.case_id, []).append(label)
    ordered = {case: tuple(sorted(own, key=_time)) for case, own in sorted(found.items())}
    return ClassLabels(ordered, tuple(problems))


def save_class_label(record: CohortRecord, label: ClassLabel) -> CaseStates:
    """Save the class that a reader gives a case; the case is labeled then.

    The file is whole on the disk before the record says so.

    Args:
        record: The cohort's record.
        label: The label; one that this reader gave earlier is replaced, and stays in the history.

    Returns:
        The states as they are now.

    Raises:
        UsageError: If this can be no name of a reader.
        CrossModalError: If a file cannot be written; the message says whether the class is saved.
    """
    path = class_label_place(label.case_id, label.reader, record)
    with explained_writing(f"The class {path}", "Get permission to write there, then try again."):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, {"format": FORMAT_VERSION, **asdict(label)})
    place = path.absolute().relative_to(record.folder.absolute()).as_posix()
    saved = SavedLabel(
        *(label.case_id, label.reader, place, file_checksum(path), label.at),
        looking_s=label.looking_s,
        began=label.began,
    )

    def change(current: CaseStates) -> CaseStates:
        own = {**current.labels.get(label.case_id, {}), class_key(path): saved}
        labelled = with_states(current, {label.case_id: CaseState.LABELLED}, label.name)
        return replace(labelled, labels={**current.labels, label.case_id: own})

    try:
        states = record.update(change)
        details: dict[str, object] = {"class": label.name, "looking_s": label.looking_s}
        details |= {"began": label.began, "drafted": label.drafted}
        append_event(record, "saved", label.case_id, reader=label.reader, details=details)
    except CrossModalError as error:
        msg = f"The class of case {label.case_id} is saved in {path}. But: {error}"
        raise type(error)(msg) from error
    return states


def take_back_class_label(
    record: CohortRecord, given: ClassLabel, former: ClassLabel | None
) -> CaseStates:
    """Undo a class that this reader gave just now.

    Args:
        record: The cohort's record.
        given: What was saved; nothing happens if something else is there by now.
        former: What this reader had given before; `None` if nothing.

    Returns:
        The states as they are now.

    Raises:
        CohortError: If the file says something else by now.
        CrossModalError: If a file cannot be written.
    """
    path = class_label_place(given.case_id, given.reader, record)
    if not path.exists() or _content(path) != given:
        msg = (
            f"The class of case {given.case_id} by {given.reader} was changed elsewhere and is left"
            " as it is. Choose a class to replace it."
        )
        raise CohortError(msg)
    if former is not None:
        return save_class_label(record, former)
    others = [own for own in path.parent.glob(f"[!.]*{SUFFIX}") if own != path]

    def change(current: CaseStates) -> CaseStates:
        own = dict(current.labels.get(given.case_id, {}))
        own.pop(class_key(path), None)
        changed = replace(current, labels={**current.labels, given.case_id: own})
        entry = current.entries.get(given.case_id)
        is_labeled = bool(others or own)  # by another reader, or there is a segmentation
        if entry is None or is_labeled or entry.state is not CaseState.LABELLED:
            return changed
        return with_states(changed, {given.case_id: entry.former})

    # The record first: a crash between the two leaves a class that counts and can be undone again,
    # and never a note of one that is not there.
    states = record.update(change)
    with explained_writing(f"The class {path}", "Get permission to write there, then try again."):
        path.unlink()
    details = {"class": "", "taken back": given.name}
    append_event(record, "saved", given.case_id, reader=given.reader, details=details)
    return states


def _reader_of(path: Path) -> str:
    return same_name(unquote(path.name[: -len(SUFFIX)]))


def class_key(path: Path) -> str:
    """Return the key of a class among the labels of its case in the record."""
    return f"{_reader_of(path)}{KEY_MARK}"


def _read(path: Path, task: ClassTask) -> ClassLabel:
    label = _content(path)
    if label.name not in task.names:
        msg = (
            f"Expected a class of this cohort ({', '.join(task.names)}) in {path}, found"
            f" {label.name!r}; it is not used. Add the class, or classify the case again."
        )
        raise CohortError(msg)
    return label


def _content(path: Path) -> ClassLabel:
    content = read_json(path)
    if not isinstance(content, dict) or content.pop("format", None) != FORMAT_VERSION:
        msg = (
            f"Expected the class of a case in {path}, found something else; it is not used."
            " Classify the case again."
        )
        raise CohortError(msg)
    return config_from_json(ClassLabel, content, where=f"the class {path}")


def _time(label: ClassLabel) -> tuple[datetime, str]:
    """Order labels by time; what is no time comes first."""
    try:
        at = datetime.fromisoformat(label.at)
    except ValueError:
        at = datetime.min.replace(tzinfo=UTC)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)), label.reader
