"""The visible table that tells from a file's name which modality it holds."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from MultimodalImagingLib.cohorts.modality_table import (
    MODALITY_ROWS,
    TakenPart,
    modality_parts,
    taken_parts,
)
from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.record.atomic_files import write_json
from MultimodalImagingLib.record.json_entry import json_value

FILE_NAME = "modalities.json"
FORMAT_VERSION = 1

# Targets that are no modalities: the case's label map, and files that are known but not used.
LABEL = "label"
IGNORE = "ignore"

_DEFAULT: tuple[tuple[str, str], ...] = (
    (r"(brain|body|head|skull|bet|foreground|wm|gm|csf)_?(mask|seg)|probseg", IGNORE),
    (
        r"(manual_?)?d?segm?(entation)?s?|masks?|msk|labels?(tr|ts|val?)?|label_?map|gt|ground_?truth|rois?"
        r"|annotations?|consensus|staple|(raters?|readers?|observers?|annotators?)_?\d*|wmh",
        LABEL,
    ),
    (r"gtv[a-z]*|ctv|lesions?|tumou?rs?", LABEL),
    (r"(segm?|masks?|rois?|lesions?|labels?)\d+|(lesion|tumou?r)_?(mask|segm?)s?\d*", LABEL),
    (
        r"loc(ali[sz]er)?|scout|survey|topogram|3_?plane|(screen|dose)_?(save|report)|min_?ip|mip",
        IGNORE,
    ),
    (r"aparc|a(parc_?a)?seg|apar?c\+aseg|(wm|gm|csf|tissue|synth|brain)seg|parcellation", IGNORE),
    *MODALITY_ROWS,
)


@dataclass(frozen=True)
class ModalityPattern:
    """One row of the table.

    Attributes:
        expression: Regular expression for one or more whole parts of a name in lower case, where
            every `-`, `.` and space between parts is written `_`.
        target: The modality's name, `LABEL` or `IGNORE`; `+contrast` and `-contrast` for
            words that make a T1 beside them a contrast image, or deny it.
    """

    expression: str
    target: str

    def __post_init__(self) -> None:
        """Refuse what is no regular expression."""
        if not self.expression or not self.target:
            msg = "Expected a pattern and a modality, such as `t1_gd=T1c`, found an empty one."
            raise UsageError(msg)
        try:
            re.compile(self.expression)
        except re.error as error:
            msg = (
                f"The modality pattern {self.expression!r} is no regular expression ({error})."
                " Correct it, or put a backslash before special characters."
            )
            raise UsageError(msg) from error

    @property
    def is_built_in(self) -> bool:
        """Whether the row is one of this version's table and not the user's own."""
        return (self.expression, self.target) in _DEFAULT


@dataclass(frozen=True)
class PatternMatch:
    """What the table says about one name.

    Attributes:
        target: Modality, `LABEL`, `IGNORE`, or `None` if nothing or more than one thing matches.
        expressions: The patterns that matched, those of different modalities if ambiguous.
        parts: The parts of the normalized name that they matched.
        candidates: The different modalities that matched; more than one is ambiguous.
        is_whole: Whether the pattern covers the whole name, as `seg` does and `seg_pet` does not.
        place: The normalized name from the first to the last matched part.
    """

    target: str | None
    expressions: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    candidates: tuple[str, ...] = ()
    is_whole: bool = False
    place: str = ""

    @property
    def is_image(self) -> bool:
        """Whether the name stands for one modality."""
        return self.target not in (None, LABEL, IGNORE)


@dataclass(frozen=True)
class ModalityPatterns:
    """The ordered table; the first pattern that matches a part of a name has that part.

    Attributes:
        rows: From the most to the least specific.
    """

    rows: tuple[ModalityPattern, ...]

    @cached_property
    def at_beginning(self) -> re.Pattern[str]:
        """One expression for whatever a normalized name may begin with."""
        rows = "|".join(f"(?:{row.expression})" for row in self.rows)
        return re.compile(rf"(?:{rows})(?=_|$)")

    def match(self, name: str) -> PatternMatch:
        """Find what a name stands for.

        Args:
            name: File name without folder, suffix and case.

        Returns:
            The match. A label pattern wins over modalities beside it (`seg_pet` is a mask); two
            modalities in different parts of the name (`t1_to_ct`) are ambiguous.
        """
        # The BIDS entity `space-T1w` names another image.
        own = re.sub(r"(^|_)space-[a-z0-9]+_", r"\1", name, flags=re.IGNORECASE)
        text = normalized_name(own)
        taken = taken_parts(text, ((row.expression, row.target) for row in self.rows))
        special = [item for item in taken if item.target in (IGNORE, LABEL)]
        return _found(text, special[:1] or modality_parts(text, taken))

    def with_first(self, rows: Iterable[ModalityPattern]) -> ModalityPatterns:
        """Return a table in which the given rows come before all others."""
        return ModalityPatterns((*rows, *self.rows))


DEFAULT_PATTERNS = ModalityPatterns(tuple(ModalityPattern(*row) for row in _DEFAULT))


def normalized_name(name: str) -> str:
    """Write a name as patterns see it: lower case, `_` for every run of separators."""
    text = unicodedata.normalize("NFC", name.lower())
    return re.sub(r"[\s_.\-]+", "_", text).strip("_")


def parse_pattern(text: str) -> ModalityPattern:
    """Read `PATTERN=NAME`, the form of the command line.

    Raises:
        UsageError: If there is no `=`, or if PATTERN is no regular expression.
    """
    expression, separator, target = text.rpartition("=")
    if not separator:
        msg = f"Expected PATTERN=NAME, such as `t1_gd=T1c` or `tumor_seg=label`, got {text!r}."
        raise UsageError(msg)
    expression = unicodedata.normalize("NFC", expression.strip().lower())
    if "[" not in expression and "\\" not in expression:
        expression = re.sub(r"[\s\-]+", "_", expression)
    return ModalityPattern(expression, target.strip())


def write_patterns(path: Path, patterns: ModalityPatterns) -> None:
    """Write a table as JSON that the user can edit."""
    rows = [{"pattern": row.expression, "modality": row.target} for row in patterns.rows]
    write_json(path, {"format": FORMAT_VERSION, "patterns": rows})


def read_patterns(path: Path) -> ModalityPatterns:
    """Read a table.

    Raises:
        UsageError: If the file is not such a table.
    """
    try:
        content = json_value(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT_VERSION:
            msg = f"format {content['format']!r}, this version reads {FORMAT_VERSION}"
            raise ValueError(msg)
        rows = [ModalityPattern(*_row_texts(row)) for row in content["patterns"]]
    except (OSError, ValueError, KeyError, TypeError, UsageError) as error:
        msg = (
            f"Expected a table of modality patterns in {path}, but it cannot be used ({error})."
            " Correct the file, or delete it to use the built-in table."
        )
        raise UsageError(msg) from error
    return ModalityPatterns(tuple(rows))


def _found(text: str, chosen: Sequence[TakenPart]) -> PatternMatch:
    if not chosen:
        return PatternMatch(None)
    targets = tuple(dict.fromkeys(item.target for item in chosen))
    return PatternMatch(
        target=targets[0] if len(targets) == 1 else None,
        expressions=tuple(item.expression for item in chosen),
        parts=tuple(item.text for item in chosen),
        candidates=targets,
        is_whole=len(chosen[0].span) == len(text),
        place=text[min(i.span.start for i in chosen) : max(i.span.stop for i in chosen)],
    )


def _row_texts(row: dict[str, object]) -> tuple[str, str]:
    expression, target = row["pattern"], row["modality"]
    if not isinstance(expression, str) or not isinstance(target, str):
        msg = f"expected two texts, found {expression!r:.40} and {target!r:.40}"
        raise TypeError(msg)
    return expression, target
