"""Which parts of a name the rows of a table take, and what they mean together."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

from MultimodalImagingLib.cohorts.modality_table import (
    CONTRAST,
    MODALITY_ROWS,
    NATIVE,
    more_specific,
)

# Words that say that a second modality is only where the image was moved to.
_MOVED = re.compile(
    r"(^|_)(to|on|onto|in|into|2|r(e?s)?2s?|(co)?reg(istered)?|align(ed)?|warped|resampled|rigid"
    r"|affine|ref(erence)?)(_|$)"
)


@dataclass(frozen=True)
class TakenPart:
    """A row of the table and the place in a normalized name that it has."""

    span: range
    expression: str
    target: str


def taken_parts(text: str, rows: Iterable[tuple[str, str]]) -> list[TakenPart]:
    """Give every row, in their order, the first place of whole parts that no earlier row has."""
    taken: list[TakenPart] = []
    for expression, target in rows:
        span = _free_span(expression, text, taken)
        if span is not None:
            taken.append(TakenPart(span, expression, target))
    return taken


def modality_parts(text: str, taken: Sequence[TakenPart]) -> tuple[TakenPart, ...]:
    """Return the parts that decide the modality; parts of several modalities are ambiguous."""
    images = [item for item in taken if item.target not in (CONTRAST, NATIVE)]
    return _with_contrast(text, _most_specific(text, images), taken)


def _most_specific(text: str, images: Sequence[TakenPart]) -> list[TakenPart]:
    """Drop modalities of which another part of the name says more: `t2_tirm` is a FLAIR."""
    targets = {item.target for item in images}
    if len(targets) < 2 or _is_moved(text, images):
        return list(images)
    beaten = {t for t in targets if any(more_specific(t, o) == o for o in targets - {t})}
    kept = [item for item in images if item.target not in beaten]
    if {item.target for item in kept} == {"T1", "T1c"}:  # MPRAGE beside T1c says only how
        kept = [item for item in kept if item.target == "T1c" or "t1" in _text(text, item)]
    return kept


def _with_contrast(
    text: str, images: Sequence[TakenPart], taken: Sequence[TakenPart]
) -> tuple[TakenPart, ...]:
    """Make a T1 with a contrast word anywhere a T1c, and an ambiguous one if it is denied too.

    What a row of the user's own decides stays.
    """
    words = [item for item in taken if item.target == CONTRAST]
    if not words or not all(_is_built_in(item) and item.target == "T1" for item in images):
        return tuple(images)
    added = replace(words[0], target="T1c")
    is_denied = any(item.target == NATIVE for item in taken)
    if not images or is_denied or _is_moved(text, (images[0], added)):
        return (*images, added) if images else ()
    return (*(replace(item, target="T1c") for item in images), added)


def _is_built_in(item: TakenPart) -> bool:
    return (item.expression, item.target) in MODALITY_ROWS


def _is_moved(text: str, items: Sequence[TakenPart]) -> bool:
    """Tell whether `to`, `in`, `registered` ... stand between the parts."""
    spans = sorted((item.span for item in items), key=lambda span: span.start)
    return any(_MOVED.search(text[a.stop : b.start]) for a, b in pairwise(spans))


def _text(text: str, item: TakenPart) -> str:
    return text[item.span.start : item.span.stop]


def _free_span(expression: str, text: str, taken: Sequence[TakenPart]) -> range | None:
    for found in _whole_parts(expression).finditer(text):
        span = range(found.start(), found.end())
        if span and not any(_overlap(span, other.span) for other in taken):
            return span
    return None


@lru_cache(maxsize=1024)
def _whole_parts(expression: str) -> re.Pattern[str]:
    return re.compile(rf"(?:(?<![^\W_])|(?=\W))(?:{expression})(?![^\W_])")


def _overlap(first: range, second: range) -> bool:
    return first.start < second.stop and second.start < first.stop
