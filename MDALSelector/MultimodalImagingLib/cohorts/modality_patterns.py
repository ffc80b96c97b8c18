"""The visible table that tells from a file's name which modality it holds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.record.atomic_files import write_json
from MultimodalImagingLib.record.json_text import json_value

FILE_NAME = "modalities.json"
FORMAT_VERSION = 1

# Targets that are no modalities: the case's label map, and files that are known but not used.
LABEL = "label"
IGNORE = "ignore"

_CONTRAST = r"(c|ce|gd|gad|gado|gadolinium|km|cm|contrast|post(_?(contrast|gd|gad|gado))?)"
_DEFAULT: tuple[tuple[str, str], ...] = (
    (r"(brain|body|head|skull|bet|foreground|wm|gm|csf)_?(mask|seg)|probseg", IGNORE),
    (
        r"(manual_?)?d?segm?(entation)?s?|masks?|msk|labels?(tr|ts|val?)?|label_?map|gt|ground_?truth|rois?"
        r"|annotations?|consensus|staple|(raters?|readers?|observers?|annotators?)_?\d*|wmh",
        LABEL,
    ),
    (r"gtv[a-z]*|ctv|lesions?|tumou?rs?", LABEL),
    (rf"t1w?_?\+?{_CONTRAST}|{_CONTRAST}_t1w?|ce_[a-z0-9]+_t1w?|cet1w?", "T1c"),
    (r"t1_?map|t1_?rho", "T1map"),
    (r"(t2w?_?)?(flair|flr)|t2f", "FLAIR"),
    (r"t2_?star_?w?|t2s|t2sw", "T2star"),
    (r"t2_?map", "T2map"),
    (r"t1|t1n|t1w|t1_?weighted|t1_?native|t1_?pre|mprage|mp2rage|spgr", "T1"),
    (r"t2|t2w|t2_?weighted|t2_?tse|inplanet2", "T2"),
    (r"pdw?|proton_?density", "PD"),
    (r"stir", "STIR"),
    (r"adc", "ADC"),
    (r"dwi(_?b\d+)?|b\d{3,4}", "DWI"),
    (r"swi", "SWI"),
    (r"dce", "DCE"),
    (r"ktrans", "Ktrans"),
    (r"fa", "FA"),
    (r"r?cbv", "CBV"),
    (r"r?cbf", "CBF"),
    (r"mtt", "MTT"),
    (r"tmax", "Tmax"),
    (r"cbct", "CBCT"),
    (r"cta", "CTA"),
    (r"ct|cect|ncct|ldct|ct_?hu", "CT"),
    (r"(fdg_?|psma_?)?(pet|pt)(_?suv)?(_?bw)?|suv(_?bw)?|fdg|psma", "PET"),
    (r"mri?", "MR"),
)


@dataclass(frozen=True)
class ModalityPattern:
    """One row of the table.

    Attributes:
        expression: Regular expression for one or more whole parts of a name in lower case, where
            every `-`, `.` and space between parts is written `_`.
        target: The modality's name, `LABEL` or `IGNORE`.
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


@dataclass(frozen=True)
class PatternMatch:
    """What the table says about one name.

    Attributes:
        target: Modality, `LABEL`, `IGNORE`, or `None` if nothing or more than one thing matches.
        expressions: The patterns that matched, those of different modalities if ambiguous.
        parts: The parts of the normalized name that they matched.
        candidates: The different modalities that matched; more than one is ambiguous.
        is_whole: Whether the pattern covers the whole name, as `seg` does and `seg_pet` does not.
    """

    target: str | None
    expressions: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    candidates: tuple[str, ...] = ()
    is_whole: bool = False


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
        text = normalized_name(name)
        taken: list[tuple[range, ModalityPattern]] = []
        for row in self.rows:
            span = _span(row.expression, text)
            if span is not None and not any(_overlap(span, other) for other, _ in taken):
                taken.append((span, row))
        if not taken:
            return PatternMatch(None)
        special = [(span, row) for span, row in taken if row.target in (IGNORE, LABEL)]
        chosen = (special or taken)[:1] if special or _n_targets(taken) == 1 else taken
        targets = tuple(dict.fromkeys(row.target for _, row in chosen))
        return PatternMatch(
            target=targets[0] if len(targets) == 1 else None,
            expressions=tuple(row.expression for _, row in chosen),
            parts=tuple(text[span.start : span.stop] for span, _ in chosen),
            candidates=targets,
            is_whole=len(chosen[0][0]) == len(text),
        )

    def with_first(self, rows: Iterable[ModalityPattern]) -> ModalityPatterns:
        """Return a table in which the given rows come before all others."""
        return ModalityPatterns((*rows, *self.rows))


DEFAULT_PATTERNS = ModalityPatterns(tuple(ModalityPattern(*row) for row in _DEFAULT))


def normalized_name(name: str) -> str:
    """Write a name as patterns see it: lower case, `_` for every run of separators."""
    return re.sub(r"[\s_.\-]+", "_", name.lower()).strip("_")


def parse_pattern(text: str) -> ModalityPattern:
    """Read `PATTERN=NAME`, the form of the command line.

    Raises:
        UsageError: If there is no `=`, or if PATTERN is no regular expression.
    """
    expression, separator, target = text.rpartition("=")
    if not separator:
        msg = f"Expected PATTERN=NAME, such as `t1_gd=T1c` or `tumor_seg=label`, got {text!r}."
        raise UsageError(msg)
    expression = expression.strip().lower()
    if "[" not in expression and "\\" not in expression:
        expression = re.sub(r"[\s\-]+", "_", expression)
    return ModalityPattern(expression, target.strip())


def write_patterns(path: Path, patterns: ModalityPatterns) -> None:
    """Write a table as JSON that a person can edit."""
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


def _row_texts(row: dict[str, object]) -> tuple[str, str]:
    expression, target = row["pattern"], row["modality"]
    if not isinstance(expression, str) or not isinstance(target, str):
        msg = f"expected two texts, found {expression!r:.40} and {target!r:.40}"
        raise TypeError(msg)
    return expression, target


def _span(expression: str, text: str) -> range | None:
    found = re.search(rf"(?:^|(?<=_))(?:{expression})(?=_|$)", text)
    return range(found.start(), found.end()) if found else None


def _overlap(first: range, second: range) -> bool:
    return first.start < second.stop and second.start < first.stop


def _n_targets(taken: Sequence[tuple[range, ModalityPattern]]) -> int:
    return len({row.target for _, row in taken})
