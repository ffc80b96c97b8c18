"""Which of several label files of a case is its label map: said, asked, never chosen in silence."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from MultimodalImagingLib.cohorts.cases import FoundFile, Problem
from MultimodalImagingLib.cohorts.modality_patterns import PatternMatch, normalized_name
from MultimodalImagingLib.jobs.sentences import listed

_CONSENSUS = re.compile(r"(^|_)(consensus|staple|majority|fused|fusion)(_|$)")
_TISSUE = re.compile(
    r"(^|_)(dseg|probseg|aseg|aparc|synthseg|fastsurfer|tissues?|brain|parenchyma|gm|wm|csf)(_|$)"
)
_MOST_NAMED = 8

_Rule = Callable[[FoundFile, PatternMatch], bool]


@dataclass(frozen=True)
class LabelChoice:
    """The label map of a case, if one stands out.

    Attributes:
        file: The label map; `None` if there is none, or several of equal standing.
        problem: What was not used and why, or what to decide.
    """

    file: FoundFile | None
    problem: Problem | None = None


def choose_label(case_id: str, candidates: Sequence[tuple[FoundFile, PatternMatch]]) -> LabelChoice:
    """Choose the label map by ordered rules; what is left out is named.

    First the one that a pattern names exactly; then all but maps of tissues; then those nearest to
    the images (directly in the case's folder before sub-folders and derivatives); the consensus of
    several raters; those whose whole name says that they are labels.
    """
    left = list(candidates)
    nearest = min((f.depth for f, m in left if not _is_tissue(f, m)), default=0)
    rules: tuple[tuple[str, _Rule], ...] = (
        ("which a pattern names", _is_named),
        ("no map of tissues", lambda file, match: not _is_tissue(file, match)),
        ("nearest to the images", lambda file, _: file.depth <= nearest),
        ("the consensus", _is_consensus),
        ("", lambda _, match: match.is_whole),
    )
    reason = ""
    for why, rule in rules:
        kept = [candidate for candidate in left if rule(*candidate)]
        if kept and len(kept) < len(left):
            left, reason = kept, why
    if len(left) > 1:
        return LabelChoice(None, _asked(case_id, [file for file, _ in left]))
    if not left:
        return LabelChoice(None)
    label = left[0][0]
    others = [file for file, _ in candidates if file is not label]
    return LabelChoice(label, _left_out(case_id, label, others, reason) if others else None)


def exact_pattern(name: str) -> str:
    """Return the pattern that fits a name, or a path of folders, wholly."""
    return re.escape(normalized_name(name.replace("/", "_")))


def names_exactly(match: PatternMatch, name: str) -> bool:
    """Tell whether the pattern that matched is the name itself, as messages advise to write it."""
    return bool(name) and match.expressions[:1] in (
        (exact_pattern(name),),
        (normalized_name(name.replace("/", "_")),),
    )


def telling_pattern(files: Sequence[FoundFile], *, number: int) -> str:
    """Return the pattern that fits one of several files of a case alone: its name, or its folder.

    Args:
        files: Files that patterns cannot tell apart.
        number: Which of them, counted from the shortest name.
    """
    names = sorted({exact_pattern(f.name) for f in files}, key=_by_length)
    folders = sorted({exact_pattern(f.folder) for f in files if f.folder}, key=_by_length)
    return (names if len(names) == len(files) or not folders else folders)[number]


def _by_length(text: str) -> tuple[int, str]:
    return len(text), text


def _is_named(file: FoundFile, match: PatternMatch) -> bool:
    """Tell whether a pattern is the name itself, as messages advise to write it."""
    return names_exactly(match, file.name) or names_exactly(match, file.folder)


def _is_tissue(file: FoundFile, _match: PatternMatch) -> bool:
    return _TISSUE.search(_name(file)) is not None


def _is_consensus(file: FoundFile, _match: PatternMatch) -> bool:
    return _CONSENSUS.search(f"{_folder_name(file)}_{_name(file)}") is not None


def _name(file: FoundFile) -> str:
    return normalized_name(file.name)


def _folder_name(file: FoundFile) -> str:
    return normalized_name(file.folder.replace("/", "_"))


def _asked(case_id: str, files: Sequence[FoundFile]) -> Problem:
    message = (
        f"Expected one label map, found {len(files)}: {_listed(files)}; none of them is used."
        " Choose one with a pattern of its name, such as"
        f" `{telling_pattern(files, number=0)}=label`."
    )
    return Problem("warning", message, case_id, files[0].path)


def _left_out(case_id: str, label: FoundFile, others: Sequence[FoundFile], reason: str) -> Problem:
    why = f", {reason}" if reason else ""
    message = f"Further masks are not used: {_listed(others)}; the label is {label.shown}{why}."
    return Problem("info", message, case_id, others[0].path)


def _listed(files: Sequence[FoundFile]) -> str:
    return listed(sorted(file.shown for file in files), most=_MOST_NAMED)
