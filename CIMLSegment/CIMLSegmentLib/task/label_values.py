"""What a label's name or number means to a task: words, public schemes, and what the user says."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from CIMLSegmentLib.task.task import Task
from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.images.label_names import LabelName
from MultimodalImagingLib.record.json_entry import JsonEntry, read_json

BACKGROUND = 0

_SPELLINGS = (("tumour", "tumor"), ("oedema", "edema"), ("non enhancing", "nonenhancing"))
_FILLERS = {"a", "and", "area", "label", "of", "or", "part", "region", "segment", "the", "volume"}
# Each line is one thing; the words of its names are as `_words` leaves them.
_SAME = """
enhancing tumor; et; cet; enh; enhancing; enhancing tissue; enhancing lesion; enhancing core
enhancing tumor; enhancing tumor core; contrast enhancing; contrast enhancing tumor; active tumor
enhancing tumor; contrast enhancing lesion; gd enhancing tumor; gadolinium enhancing tumor
necrotic nonenhancing core; ncr; net; netc; ncr net; necrosis; necrotic; necrotic core
necrotic nonenhancing core; necrotic tumor; necrotic tumor core; nonenhancing; nonenhancing core
necrotic nonenhancing core; nonenhancing tumor; nonenhancing tumor core; nonenhancing necrotic core
necrotic nonenhancing core; necrotic nonenhancing tumor; necrotic nonenhancing tumor core
necrotic nonenhancing core; nonenhancing necrotic tumor core
edema; ed; snfh; peritumoral edema; vasogenic edema; edematous tissue; flair hyperintensity
edema; peritumoral edematous tissue; peritumoral edematous invaded tissue
edema; surrounding nonenhancing flair hyperintensity; surrounding flair hyperintensity
whole tumor; wt; complete tumor; entire tumor
tumor core; tc
gross tumor; gtv; gtvp; gtvt; primary gross tumor; gross target
lesion; tumor lesion
resection cavity; rc; cavity; surgical cavity
cyst; cc; cystic component; cystic
"""
_CONCEPTS = {
    name: names[0]
    for line in _SAME.strip().splitlines()
    for names in [line.split("; ")]
    for name in names
}
_NOTHING = {"background", "bg", "clear", "exterior", "outside"}
_NOT_ANNOTATED = {"ignore", "unlabeled", "unannotated", "not annotated"}
_GENERIC = re.compile(
    r"(class|foreground|fg|label|mask|object|region|roi|seg|segment|segmentation|value)?( ?\d+)?"
)

OPTION = "--label-values"
SCHEME_FOLDER = Path(__file__).parents[1] / "LabelSchemes"
_NUMBER = re.compile(r"[+-]?\d{1,9}")
_IGNORED = {"ignore", "ignored", "background", "none"}
_OTHERS = {"others", "other", "rest"}


def concept(name: str) -> str:
    """Return what a name means; names of the same thing have the same meaning."""
    words = _words(name)
    kept = " ".join(word for word in words.split() if word not in _FILLERS) or words
    singular = " ".join(_singular(word) for word in kept.split())
    return _CONCEPTS.get(kept) or _CONCEPTS.get(singular) or singular


def is_generic(name: str) -> bool:
    """Tell whether a name says nothing, as `Segment_1`, `label 2` or `3` do."""
    return _GENERIC.fullmatch(_words(name)) is not None


def is_not_annotated(name: str) -> bool:
    """Tell whether a name marks voxels that were not looked at, as nnU-Net's `ignore` does."""
    return _words(name) in _NOT_ANNOTATED


def value_of_name(name: LabelName, task: Task) -> int | None:
    """Find the label of a task that a name means.

    Args:
        name: Name and perhaps standard code of a label.
        task: Its labels are asked first, then its regions: a region stands for the value that it
            paints.

    Returns:
        A label value of the task, 0 for names of background, `None` if nothing fits.
    """
    meanings = _meanings(task)
    for part in _parts(name.name):
        if concept(part) in _NOTHING or is_not_annotated(part):
            return BACKGROUND
        if concept(part) in meanings:
            return meanings[concept(part)]
    return _value_of_code(name.code, task) if name.code else None


def _parts(name: str) -> list[str]:
    """Return a name as it is, then without brackets, then what is in them."""
    inside = re.findall(r"[(\[]([^)\]]*)[)\]]", name)
    return [name, re.sub(r"[(\[][^)\]]*[)\]]", " ", name), *inside] if inside else [name]


def _value_of_code(code: str, task: Task) -> int | None:
    regions = [r for r in task.regions if _code(r.terminology.type) == _code(code)]
    if len(regions) == 1:
        return regions[0].value
    return _meanings(task).get(concept(code.rsplit("^", maxsplit=1)[-1]))


def _meanings(task: Task) -> dict[str, int]:
    found = {concept(name): value for value, name in task.labels.items()}
    for region in task.regions:
        for name in (region.name, region.title):
            found.setdefault(concept(name), region.value)
    return found


def _code(entry: str) -> tuple[str, ...]:
    return tuple(entry.split("^")[:2])


def _words(name: str) -> str:
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    plain = unicodedata.normalize("NFKD", spaced).casefold()
    kept = "".join(c if c.isalnum() else " " for c in plain if not unicodedata.combining(c))
    words = " ".join(kept.split())
    for spelling, usual in _SPELLINGS:
        words = words.replace(spelling, usual)
    return words


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


@dataclass(frozen=True)
class NamedScheme:
    """Label values that a public data set gave names.

    Attributes:
        name: How the option calls it.
        title: What it is.
        labels: Value to its names, the first that a task knows counts.
    """

    name: str
    title: str
    labels: Mapping[int, tuple[str, ...]]

    def values(self, task: Task) -> dict[int, int]:
        """Return the value of the task for every value; 0 for what the task has no label for."""
        return {value: _first_known(names, task) for value, names in self.labels.items()}


@dataclass(frozen=True)
class LabelValues:
    """What values and names in label maps stand for.

    Attributes:
        text: As the user wrote it; empty if nothing was said.
        numbers: Number in the files to label value of the task, 0 for background.
        names: Meaning of a name in the files to label value of the task.
        others: What everything else stands for; `None` if that was not said.
        sources: Numbers and names that the user spoke of one by one.
    """

    text: str = ""
    numbers: Mapping[int, int] | None = None
    names: Mapping[str, int] | None = None
    others: int | None = None
    sources: tuple[str, ...] = ()

    def of_number(self, value: int) -> int | None:
        """Return what a number stands for; `None` if nothing was said about it."""
        return (self.numbers or {}).get(value)

    def of_name(self, name: str) -> int | None:
        """Return what a name stands for; `None` if nothing was said about it."""
        return (self.names or {}).get(concept(name))


def named_schemes() -> tuple[NamedScheme, ...]:
    """Return the schemes that come with the program, sorted by name."""
    return tuple(_scheme(path) for path in sorted(SCHEME_FOLDER.glob("*.json")))


def parse_label_values(text: str, task: Task) -> LabelValues:
    """Understand the option.

    Args:
        text: Entries with commas between them: `VALUE=LABEL`, `LABEL=VALUE`, `NAME=LABEL`,
            `others=ignore`, or the name of a scheme. LABEL is a label or region of the task, or
            `ignore` for background.
        task: The task.

    Raises:
        UsageError: If an entry is not understood, or two of them contradict each other.
    """
    parser = _Parser(task)
    for entry in text.split(","):
        if entry.strip():
            parser.add(entry.strip())
    return LabelValues(
        text.strip(), parser.numbers, parser.names, parser.others, tuple(parser.sources)
    )


class _Parser:
    def __init__(self, task: Task) -> None:
        self._task = task
        self._schemes = {scheme.name: scheme for scheme in named_schemes()}
        self._base: dict[int, int] = {}
        self._said: dict[int, int] = {}
        self.names: dict[str, int] = {}
        self.others: int | None = None
        self.sources: list[str] = []

    @property
    def numbers(self) -> dict[int, int]:
        """What numbers stand for; single entries count before a scheme."""
        return self._base | self._said

    def add(self, entry: str) -> None:
        if entry.lower() in self._schemes:
            self._base |= self._schemes[entry.lower()].values(self._task)
            return
        left, equals, right = (part.strip() for part in entry.rpartition("="))
        if not (left and equals and right):
            raise UsageError(self._problem(entry))
        is_reversed = _NUMBER.fullmatch(right) and not _NUMBER.fullmatch(left)
        if is_reversed and self._target(left) is not None:
            left, right = right, left
        target = self._target(right)
        if target is None:
            raise UsageError(self._problem(entry))
        self._keep(entry, left, target)

    def _keep(self, entry: str, left: str, target: int) -> None:
        if left.lower() in _OTHERS:
            self.others = target
            return
        is_number = _NUMBER.fullmatch(left) is not None
        self.sources.append(str(int(left)) if is_number else left)
        table: dict[Any, int] = self._said if is_number else self.names
        key = int(left) if is_number else concept(left)
        if table.get(key, target) != target:
            msg = (
                f"Expected one meaning of each value in {OPTION}, found another one in {entry!r}."
                " Keep one of the two."
            )
            raise UsageError(msg)
        table[key] = target

    def _target(self, text: str) -> int | None:
        if text.lower() in _IGNORED:
            return BACKGROUND
        if _NUMBER.fullmatch(text):
            return int(text) if int(text) in self._task.labels else None
        return value_of_name(LabelName(text), self._task)

    def _problem(self, entry: str) -> str:
        return (
            f"Expected entries such as 3={target_names(self._task)[-1]} or 4=ignore in {OPTION},"
            f" found {entry!r}. Labels of the task {self._task.name!r} are"
            f" {', '.join(target_names(self._task))}; known schemes are"
            f" {', '.join(self._schemes)}."
        )


def target_names(task: Task) -> list[str]:
    """Return a name that LABEL may have for each label: the region that is this label, or its own.

    Args:
        task: The task.
    """
    regions = {region.labels: region.name for region in task.regions}
    return [regions.get((value,), name) for value, name in task.labels.items()]


def _first_known(names: tuple[str, ...], task: Task) -> int:
    values = (value_of_name(LabelName(name), task) for name in names)
    return next((value for value in values if value is not None), BACKGROUND)


def _scheme(path: Path) -> NamedScheme:
    entry = JsonEntry(read_json(path), f"the label scheme {path.name}")
    entry.check_keys(("title", "labels"), optional=())
    labels = JsonEntry(entry.value("labels", dict), f"the labels of {entry.where}")
    return NamedScheme(
        path.stem,
        entry.value("title", str),
        {int(value): labels.listed(value, str) for value in labels.data},
    )
