"""What names of folders say: a part of a case, a modality, labels, or a set of many cases."""

from __future__ import annotations

import re
from collections.abc import Sequence
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
from MultimodalImagingLib.cohorts.name_parts import several_cases

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
    if match.target is None or match.target in (LABEL, IGNORE):
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
    return all(patterns.match(stem(file)).target in (None, LABEL, IGNORE) for file in files)


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
