"""Names of labels compared: spelling, abbreviations and standard codes do not matter."""

from __future__ import annotations

import re
import unicodedata

from CIMLSegmentLib.task.task import Task
from MultimodalImagingLib.images.label_names import LabelName

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
