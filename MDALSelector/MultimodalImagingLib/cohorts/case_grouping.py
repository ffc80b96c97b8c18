"""Which files and folders belong to one case, by their names.

File names are taken apart into the case and what follows (`CHUM-001__CT` is CT of CHUM-001); a
folder is a case, a part of one, a modality, labels, or a set of many cases.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Literal

from MultimodalImagingLib.cohorts.folders import images_in, stem, subfolders
from MultimodalImagingLib.cohorts.modality_patterns import (
    IGNORE,
    LABEL,
    ModalityPatterns,
    normalized_name,
)

# Words that say no more than that a file is an image.
_IMAGE_WORD = re.compile(r"(images?|imgs?|volumes?|vol|scans?|nifti)(?=_|$)")
_TOKEN = re.compile(r"[^_\-. ]+")
_RESOLUTION = re.compile(r"(\d+mm|iso\d*|\d+)(_?(iso|mm))+\d*")
_NUMBER = re.compile(r"(^|_)\d\d+(_|$)")
_FEWEST_CASES = 3


@dataclass(frozen=True)
class NameParts:
    """A file name without suffix, taken apart.

    Attributes:
        case: The part that names the case; empty if none does.
        rest: What the patterns are matched with.
    """

    case: str
    rest: str


def split_name(name: str, patterns: ModalityPatterns) -> NameParts:
    """Take a file name apart: the modality or label stands behind the case, or before it.

    The case's part holds a digit; a number of two or more digits is never part of the rest, so in
    `P1_MR_002_T1` the case is `P1_MR_002`. A name without modality is all case.
    """
    behind = _modality_behind(name, patterns)
    case, rest = (behind.case, [behind.rest]) if behind is not None else (name, [])
    if not rest or patterns.match(rest[0]).target in (LABEL, IGNORE):
        case, before = _without_first(*_without_last_word(case, rest), patterns)
        rest = before
    return NameParts(case, "_".join(rest))


def by_case(
    files: Sequence[Path], patterns: ModalityPatterns
) -> Mapping[str, list[tuple[Path, str]]]:
    """Group files by the case in their names.

    Returns:
        Files and the rests of their names, per case; the empty name for those that name none. An
        unknown rest (`P1_asl` beside `P1_T1`) belongs to the case that the other files name.
    """
    parts = {file: split_name(stem(file), patterns) for file in files}
    known = {part.case for part in parts.values() if part.rest}
    groups: dict[str, list[tuple[Path, str]]] = defaultdict(list)
    for file, part in parts.items():
        found = _with_known_case(part, known)
        groups[found.case].append((file, found.rest))
    return groups


def several_cases(
    files: Sequence[Path], patterns: ModalityPatterns, *, fewest: int = _FEWEST_CASES
) -> Mapping[str, list[tuple[Path, str]]]:
    """Group the files of one folder by case if their names say that they are of several.

    Args:
        files: The files.
        patterns: Table of modality names.
        fewest: Number of cases from which on names count.

    Returns:
        As `by_case`; nothing if the files may be of one case, that is unless every name has a case
        in it, and two cases have the same modality or no name tells any.
    """
    groups = by_case(files, patterns)
    if len(groups) < fewest or "" in groups:
        return {}
    kinds = [{patterns.match(rest).target for _, rest in group} for group in groups.values()]
    counts = Counter(kind for found in kinds for kind in found if kind is not None)
    return groups if not counts or max(counts.values()) > 1 else {}


def _with_known_case(part: NameParts, known: Collection[str]) -> NameParts:
    """Shorten the case to one that other files name, unless a number would be lost."""
    found = part
    for token in list(_TOKEN.finditer(part.case))[:0:-1]:
        case, rest = part.case[: token.start()].rstrip("_-. "), part.case[token.start() :]
        if part.rest and any(character.isdigit() for character in rest):
            break
        if case in known:
            found = NameParts(case, f"{rest}_{part.rest}".rstrip("_"))
    return found


def _modality_behind(name: str, patterns: ModalityPatterns) -> NameParts | None:
    begins = patterns.at_beginning
    for token in list(_TOKEN.finditer(name))[1:]:
        case, rest = name[: token.start()].rstrip("_-. "), name[token.start() :]
        text = normalized_name(rest)
        has_case = any(character.isdigit() for character in case)
        is_number = _NUMBER.search(text) is not None and begins.fullmatch(text) is None
        if has_case and begins.match(text) and not is_number:
            return NameParts(case, rest)
    return None


def _without_last_word(case: str, rest: list[str]) -> tuple[str, list[str]]:
    tokens = list(_TOKEN.finditer(case))
    if len(tokens) > 1 and _IMAGE_WORD.fullmatch(tokens[-1].group().lower()):
        return case[: tokens[-1].start()].rstrip("_-. "), [tokens[-1].group(), *rest]
    return case, rest


def _without_first(case: str, rest: list[str], patterns: ModalityPatterns) -> tuple[str, list[str]]:
    """Take a modality, label or word for an image off the beginning: `ct_train_1001`."""
    text = normalized_name(case)
    found = patterns.at_beginning.match(text) or _IMAGE_WORD.match(text)
    if found is None:
        return case, rest
    n_tokens = found.group().count("_") + 1
    tokens = list(_TOKEN.finditer(case))
    if len(tokens) <= n_tokens:
        return "", [case, *rest]
    left = case[tokens[n_tokens].start() :]
    if not any(character.isdigit() for character in left) or _RESOLUTION.fullmatch(
        normalized_name(left)
    ):
        return "", [case, *rest]
    return left, [case[: tokens[n_tokens].start()].rstrip("_-. "), *rest]


# Folders of other layouts, which are never cases.
_OF_COHORT = re.compile(r"(images|labels)_?[a-z]{0,3}|derivatives|sourcedata|masks|segmentations")
# Folders of one case that hold its images.
_OF_CASE = re.compile(
    r"anat|func|perf|fmap|dwi|pet|ct|mr|swi|(images?|imgs?|labels?)_?[a-z]{0,3}|nifti|nii(_gz)?"
    r"|raw|data|orig(inal)?|native|pre(processed)?|processed|reg(istered)?|coreg(istered)?"
    r"|resampled|volumes?|scans?|sequences?|derivatives"
)


def is_part_name(name: str, *, folder_of: Literal["case", "cohort"]) -> bool:
    """Tell whether a folder of this name is a part of a case, or of a cohort."""
    words = _OF_CASE if folder_of == "case" else _OF_COHORT
    return words.fullmatch(normalized_name(name)) is not None


def is_image_folder(folder: Path) -> bool:
    """Tell whether a folder of a cohort is called `images`, `imagesTr` and the like."""
    return normalized_name(folder.name).startswith("images")


def names_modality(folder: Path, patterns: ModalityPatterns) -> str | None:
    """Return the modality (or label) that a sub-folder is named after.

    Returns:
        The modality; the empty text for a kind of data or for masks; `None` if the name tells
        nothing. The name has to tell it wholly (`CT`), or alone (`CT ABDOMEN` with files whose own
        names tell none).
    """
    match = patterns.match(folder.name)
    if match.target in (LABEL, IGNORE) and match.is_whole:
        return ""
    if is_part_name(folder.name, folder_of="case"):
        return ""
    if not match.is_image:
        return None
    own = [patterns.match(stem(path)).target for path in images_in(folder, [])]
    is_alone = len(own) == 1 and own[0] in (None, match.target)
    return match.target if match.is_whole or is_alone else None


def is_label_folder(folder: Path, patterns: ModalityPatterns) -> bool:
    """Tell whether a folder is one of label maps: by its name, and no image in it says otherwise.

    A case may be called `Lesion-01`.
    """
    if patterns.match(folder.name).target != LABEL:
        return False
    below = [folder, *subfolders(folder, [])]
    files = next((found for path in below if (found := images_in(path, []))), [])
    return not any(patterns.match(stem(file)).is_image for file in files)


def is_set_of_files(folder: Path, files: Sequence[Path], patterns: ModalityPatterns) -> bool:
    """Tell whether the files directly in a folder are of several cases that it does not name."""
    groups = several_cases(files, patterns)
    common = _common_parts(list(groups))
    own = normalized_name(folder.name).split("_")
    has_number = any(character.isdigit() for part in common for character in part)
    return bool(groups) and not (has_number and own[: len(common)] == common)


def _common_parts(names: Sequence[str]) -> list[str]:
    parts = zip(*(normalized_name(name).split("_") for name in names), strict=False)
    return [same[0] for same in takewhile(lambda found: len(set(found)) == 1, parts)]
