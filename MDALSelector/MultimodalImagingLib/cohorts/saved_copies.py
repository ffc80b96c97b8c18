"""Copies of a case's images that Slicer's Save has put beside them, named by case and modality.

While a case is open, Slicer's Save may write an image into the folder that it was read from, under
the name that it has in the scene (`STS_019 CT.nii.gz`).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

from MultimodalImagingLib.cohorts.cases import FoundFile, Problem
from MultimodalImagingLib.cohorts.file_names import without_twin
from MultimodalImagingLib.cohorts.folders import stem
from MultimodalImagingLib.cohorts.modality_patterns import PatternMatch, normalized_name
from MultimodalImagingLib.jobs.texts import listed

# As `qSlicerCoreIOManager::fileNameRegularExpression` has it.
_LEFT_OUT = re.compile(r"[^A-Za-z0-9 \-_.()$!~#'%^{}]")
_Matcher = Callable[[Sequence[FoundFile]], Sequence[tuple[FoundFile, PatternMatch]]]


def saved_name(name: str) -> str:
    """What Slicer's Save makes of a name (`qSlicerCoreIOManager::forceFileNameValidCharacters`)."""
    return _LEFT_OUT.sub("", name).strip()


def without_saved_copies(
    case_id: str, files: Sequence[FoundFile], match: _Matcher
) -> tuple[list[FoundFile], list[Problem]]:
    """Leave out copies that Slicer's Save has made of images of a case.

    A file is a copy if it is named by case and modality with a blank between, and if an image of
    that modality with another, plain name lies in the same folder.

    Args:
        case_id: The case.
        files: All files of the case.
        match: Tells what files are.

    Returns:
        The other files, and the copies named.
    """
    named = {file: name for file in files if (name := _modality_in(file, case_id))}
    known = {found.target for _, found in match(files)} if named else set()
    named = {file: name for file, name in named.items() if name in known}
    if not named:
        return list(files), []
    others = [file for file in files if file not in named]
    plain: dict[Path, set[str]] = defaultdict(set)
    for file, found in match(others):
        text = normalized_name(file.name)
        if found.target and without_twin(text) == text:
            plain[file.path.parent].add(found.target)
    copies = [file for file, modality in named.items() if modality in plain[file.path.parent]]
    return [file for file in files if file not in copies], _named(case_id, copies)


def _modality_in(file: FoundFile, case_id: str) -> str:
    """Return the modality in the name of what may be a copy; empty for all other files."""
    case = re.escape(saved_name(case_id))
    found = re.fullmatch(rf"{case} (.+?)(_\d+)?", stem(file.path))
    return found.group(1) if found else ""


def _named(case_id: str, copies: Sequence[FoundFile]) -> list[Problem]:
    if not copies:
        return []
    names = listed(sorted(file.path.name for file in copies), most=len(copies))
    message = (
        f"Copies that Slicer's Save has put beside the images are not used: {names}. Remove them"
        " if nothing else needs them."
    )
    return [Problem("info", message, case_id, copies[0].path)]
