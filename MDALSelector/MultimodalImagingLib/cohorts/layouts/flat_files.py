"""Layout: files of many cases in one folder, `<case>_<modality>.nii.gz`, or a folder per modality.

`images/<case>.nii.gz` beside `labels/<case>.nii.gz` is that, too. No `dataset.json` is needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from MultimodalImagingLib.cohorts.case_grouping import by_case, is_part_name, several_cases
from MultimodalImagingLib.cohorts.cases import Fit, FolderLayout, FoundFile, Listing, Problem
from MultimodalImagingLib.cohorts.folders import images_in, stem, subfolders
from MultimodalImagingLib.cohorts.modality_patterns import ModalityPatterns, normalized_name

_FEWEST = 2


def fit(root: Path, patterns: ModalityPatterns) -> Fit:
    """Tell whether names of files group them into at least two cases with a known modality."""
    for folder, where in _sources(root, []):
        tells = patterns.match(Path(where).name).is_image
        groups = several_cases(images_in(folder, []), patterns, fewest=_FEWEST)
        rests = [rest for group in groups.values() for _, rest in group]
        if groups and (tells or any(patterns.match(rest).is_image for rest in rests)):
            return Fit.INFERRED
    return Fit.NONE


def list_cases(root: Path, patterns: ModalityPatterns) -> Listing:
    """List all files by the case in their names."""
    problems: list[Problem] = []
    files: list[FoundFile] = []
    for folder, where in _sources(root, problems):
        for case, group in by_case(images_in(folder, problems), patterns).items():
            for path, rest in group:
                if case:
                    name = rest or where.rpartition("/")[2] or stem(path)
                    files.append(
                        FoundFile(_joined(where, case, patterns), path, name, folder=where)
                    )
                else:
                    problems.append(_no_case(path))
    case_ids = tuple(dict.fromkeys(file.case_id for file in files))
    return Listing(
        LAYOUT.name, root, case_ids, tuple(files), tuple(problems), naming=_naming(files)
    )


def _sources(root: Path, problems: list[Problem]) -> Iterator[tuple[Path, str]]:
    """Yield the folders that files lie in, and their places below the root."""
    if images_in(root, []):
        yield root, ""
    for child in subfolders(root, problems):
        if images_in(child, []):
            yield child, child.name
        for grandchild in subfolders(child, problems, root=root):
            if images_in(grandchild, []):
                yield grandchild, f"{child.name}/{grandchild.name}"


def _joined(where: str, case: str, patterns: ModalityPatterns) -> str:
    """Put groups such as `train` before the case, but no modality, kind of data or labels."""
    groups = [group for name in Path(where).parts if (group := _group(name, patterns))]
    return "_".join((*(g for g in groups if not case.casefold().startswith(g)), case))


def _group(name: str, patterns: ModalityPatterns) -> str:
    """Return what is left of a folder's name without modality: `IXI-T1` and `IXI-T2` are `ixi`."""
    if is_part_name(name, folder_of="case"):
        return ""
    match = patterns.match(name)
    if match.target is None:
        return normalized_name(name) if match.candidates else name
    return normalized_name(normalized_name(name).replace(match.parts[0], ""))


def _naming(files: list[FoundFile]) -> str:
    first = next((file for file in files if file.name != stem(file.path)), None)
    if first is None:
        return "Cases are named after their files."
    where = f"{first.folder}/" if first.folder else ""
    return (
        f"Cases are named by the part of the file names without the modality: {where}"
        f"{first.path.name} belongs to the case {first.case_id}."
    )


def _no_case(path: Path) -> Problem:
    message = (
        f"The name of {path.name} holds no case, as in `<case>_<modality>`; the file is not used."
        " Rename it, or write a CSV manifest."
    )
    return Problem("warning", message, None, path)


LAYOUT = FolderLayout(
    "files named by case and modality",
    "files `<case>_<modality>.nii.gz` of many cases in one folder, or in a folder per modality",
    fit,
    list_cases,
    can_be_declared=False,
)
