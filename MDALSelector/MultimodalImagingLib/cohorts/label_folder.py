"""Label maps in a folder of their own, matched to the cases that they are named after."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from MultimodalImagingLib.cohorts.case_grouping import split_name
from MultimodalImagingLib.cohorts.cases import FoundFile, Problem
from MultimodalImagingLib.cohorts.file_matching import choose_label
from MultimodalImagingLib.cohorts.folders import images_in, is_result, stem, subfolders
from MultimodalImagingLib.cohorts.modality_patterns import (
    DEFAULT_PATTERNS,
    LABEL,
    ModalityPatterns,
    normalized_name,
)
from MultimodalImagingLib.jobs.texts import counted, listed

# What label maps have at the end of their names in addition to the case.
_LABEL_END = re.compile(
    r"(_(d?seg(m(entation)?)?s?|label(map|s)?|label_map|masks?|msk|gt|ground_?truth|rois?|lesions?"
    r"|annotations?|manual|final|consensus|0000))+$"
)
_BY_PART = 3  # the first rule of `match_labels` by which only parts of names are the same
_LEVELS = 4
_TELLING = 4  # characters from which on a part that two names have in common is no accident


@dataclass(frozen=True)
class LabelMatches:
    """Which label map belongs to which case.

    Attributes:
        labels: File per case.
        unused: Files that belong to no case.
        problems: What stayed open: several files for a case, or several cases for a file.
    """

    labels: Mapping[str, Path]
    unused: tuple[Path, ...] = ()
    problems: tuple[Problem, ...] = ()


def label_maps_in(
    folder: Path, case_ids: Collection[str], patterns: ModalityPatterns = DEFAULT_PATTERNS
) -> LabelMatches:
    """Find the label maps of cases in a folder: directly, in a folder per case, or further down.

    Args:
        folder: The folder.
        case_ids: The cases.
        patterns: Table that tells label maps from images that lie beside them.
    """
    files = images_in(folder, [])
    if files:
        return match_labels(files, case_ids, patterns=patterns)
    below = [path for path in subfolders(folder, []) if not is_result(path)]
    chosen: list[Path] = []
    problems: list[Problem] = []
    renamed: dict[Path, str] = {}
    for path in _leaves(folder, below):
        found = images_in(path, [])
        if len(found) > 1 and not _are_of_cases(found, case_ids):
            label, problem = _label_of_folder(path, found, patterns)
            problems += problem
            found = [] if label is None else [label]
        for file in found:
            if len(found) == 1 and not _are_of_cases(found, case_ids):
                renamed[file] = "_".join(path.relative_to(folder).parts)
            chosen.append(file)
    matched = match_labels(chosen, case_ids, names=renamed, patterns=patterns)
    return LabelMatches(matched.labels, matched.unused, (*problems, *matched.problems))


def match_labels(
    files: Sequence[Path],
    case_ids: Collection[str],
    *,
    names: Mapping[Path, str] | None = None,
    patterns: ModalityPatterns = DEFAULT_PATTERNS,
) -> LabelMatches:
    """Match label files to cases by name.

    The closest rule that fits a file counts: the case's name; the same in other case or Unicode
    form; with an ending such as `_seg`, `-label`, `_0000` or `.seg`; the case as the first or last
    part of the file's name (`<patient>_<study>`), or the other way round. Of several files for a
    case the one by the closest rule is taken; where two are as close, none is.

    Args:
        files: Label files.
        case_ids: The cases.
        names: Names that stand for those of files.
        patterns: Table that tells images of the case (`<case>_CT`), which are no label maps.
    """
    index = _Index(case_ids, patterns)
    found: dict[str, list[tuple[int, Path]]] = defaultdict(list)
    problems: list[Problem] = []
    unused: list[Path] = []
    for file in files:
        rule, cases = index.cases_of((names or {}).get(file, stem(file)))
        if len(cases) == 1:
            found[cases[0]].append((rule, file))
        else:
            unused.append(file)
            problems += [_several_cases(file, cases)] if cases else []
    labels: dict[str, Path] = {}
    by_part: list[str] = []
    for case, candidates in sorted(found.items()):
        closest = [file for rule, file in candidates if rule == min(candidates)[0]]
        if len(closest) == 1:
            labels[case] = closest[0]
            by_part += [case] if min(candidates)[0] >= _BY_PART else []
        else:
            problems.append(_several_files(case, closest))
        unused += [file for _, file in candidates if file not in closest]
    if by_part:
        problems.append(_matched_by_part(labels, by_part))
    return LabelMatches(labels, tuple(unused), tuple(problems))


class _Index:
    """The cases by their names in several forms."""

    def __init__(self, case_ids: Collection[str], patterns: ModalityPatterns) -> None:
        self._patterns = patterns
        self._exact = set(case_ids)
        self._folded: dict[str, list[str]] = defaultdict(list)
        self._by_end: dict[str, list[str]] = defaultdict(list)
        for case in sorted(case_ids):
            name = _folded(case)
            self._folded[name].append(case)
            for end in _ends(name):
                self._by_end[end].append(case)

    def cases_of(self, name: str) -> tuple[int, list[str]]:
        """Return how close the closest rule is, 0 the closest, and the cases that it gives."""
        if name in self._exact:
            return 0, [name]
        folded = _folded(name)
        plain = _LABEL_END.sub("", folded)
        rules = [[folded], [plain], [] if self._names_image(plain) else _ends(plain)]
        for number, forms in enumerate(rules, start=1):
            cases = [case for form in forms for case in self._folded.get(form, [])]
            if cases:
                return number, list(dict.fromkeys(cases))
        if plain in self._by_end:
            return len(rules) + 1, self._by_end[plain]
        for end in _ends(plain):
            cases = self._by_end.get(end, []) if len(end) >= _TELLING else []
            if len(cases) == 1:
                return len(rules) + 2, cases
        return 0, []

    def _names_image(self, name: str) -> bool:
        """Tell whether a name has a modality behind or before the case."""
        rest = split_name(name, self._patterns).rest
        return bool(rest) and self._patterns.match(rest).is_image


def _folded(name: str) -> str:
    return normalized_name(unicodedata.normalize("NFC", name).casefold())


def _ends(name: str) -> list[str]:
    """Return what is left of a name without its last or first parts, the longest first."""
    parts = name.split("_")
    heads = ["_".join(parts[:n]) for n in range(1, len(parts))]
    tails = ["_".join(parts[n:]) for n in range(1, len(parts))]
    telling = {end for end in (*heads, *tails) if any(c.isdigit() for c in end)}
    return sorted(telling, key=lambda end: (-len(end), end))


def _leaves(folder: Path, below: Sequence[Path]) -> list[Path]:
    """Return all folders below one that hold images, some levels down."""
    leaves: list[Path] = []
    level = list(below)
    for _ in range(_LEVELS):
        leaves += [path for path in level if images_in(path, [])]
        level = [
            deeper
            for path in level
            for deeper in subfolders(path, [], root=folder)
            if not is_result(deeper)
        ]
    return leaves


def _are_of_cases(files: Sequence[Path], case_ids: Collection[str]) -> bool:
    """Tell whether names of files, and not of their folder, name cases."""
    return bool(match_labels(files, case_ids).labels)


def _label_of_folder(
    folder: Path, files: Sequence[Path], patterns: ModalityPatterns
) -> tuple[Path | None, list[Problem]]:
    found = [FoundFile(folder.name, path, stem(path)) for path in files]
    matches = [
        (file, match) for file in found if (match := patterns.match(file.name)).target == LABEL
    ]
    label, problem = choose_label(folder.name, matches)
    return None if label is None else label.path, [problem] if problem else []


def _matched_by_part(labels: Mapping[str, Path], cases: Sequence[str]) -> Problem:
    maps_have = counted(len(cases), "label map", "has", "have")
    message = (
        f"{maps_have} only a part of the name in common with the case, for example"
        f" {labels[cases[0]].name} with {cases[0]}. Check that they belong together."
    )
    return Problem("info", message, None, labels[cases[0]])


def _several_cases(file: Path, cases: Sequence[str]) -> Problem:
    message = (
        f"The label map {file.name} may belong to {listed(cases)}; it is not"
        " used. Name it exactly like its case."
    )
    return Problem("warning", message, None, file)


def _several_files(case: str, files: Sequence[Path]) -> Problem:
    names = listed(sorted(file.name for file in files))
    message = (
        f"Expected one label map, found {len(files)}: {names}; none of them is used. Name the right"
        f" one {case}, exactly like the case."
    )
    return Problem("warning", message, case, files[0])
