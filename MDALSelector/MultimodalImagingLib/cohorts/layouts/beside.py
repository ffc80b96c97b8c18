"""What lies beside the cases in a cohort's folder: label maps are found, other images named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from MultimodalImagingLib.cohorts.cases import FoundFile, Listing, Problem
from MultimodalImagingLib.cohorts.folders import images_in, is_result, subfolders
from MultimodalImagingLib.cohorts.label_folder import label_maps_in
from MultimodalImagingLib.cohorts.modality_patterns import LABEL, ModalityPatterns
from MultimodalImagingLib.jobs.sentences import listed

_LEVELS = 4
_MOST_FOLDERS = 2_000


def with_labels_beside(listing: Listing, patterns: ModalityPatterns) -> Listing:
    """Add the label maps that lie in a folder of labels beside the cases, matched by name."""
    files: list[FoundFile] = []
    problems: list[Problem] = []
    for folder in _unlisted(listing):
        if patterns.match(folder.name).target != LABEL:
            continue
        found = label_maps_in(folder, listing.case_ids, patterns)
        if found.labels:
            files += [_label(listing.root, case, path) for case, path in found.labels.items()]
            problems.append(_found(folder, len(found.labels), found.unused))
            problems += found.problems
    return replace(listing, files=(*listing.files, *files), problems=(*listing.problems, *problems))


def unused_folders(listing: Listing) -> list[Problem]:
    """Name the folders beside the cases that hold images of which none is used."""
    problems = []
    known = {file.path for file in listing.files} | {problem.path for problem in listing.problems}
    for folder in _unlisted(listing):
        n_results, found = _images_below(folder)
        files = [path for path in found if path not in known]
        if n_results:
            problems.append(_results(folder, n_results))
        if files:
            problems.append(_unused(folder, files))
    loose = [path for path in images_in(listing.root, []) if path not in known]
    return [*problems, *([_loose(loose)] if loose else [])]


def _unlisted(listing: Listing) -> list[Path]:
    """Return the folders directly in the cohort in which no listed file lies."""
    depth = len(listing.root.parts)
    used = {file.path.parts[depth] for file in listing.files if len(file.path.parts) > depth}
    return [path for path in subfolders(listing.root, []) if path.name not in used]


def _images_below(folder: Path) -> tuple[int, list[Path]]:
    """Return the number of result folders below a folder, and all other images."""
    n_results, n_folders, files = 0, 0, []
    level = [folder]
    for _ in range(_LEVELS):
        results = [path for path in level if is_result(path)]
        n_results += len(results)
        level = [path for path in level if path not in results][: _MOST_FOLDERS - n_folders]
        n_folders += len(level)
        files += [path for item in level for path in images_in(item, [])]
        level = [path for item in level for path in subfolders(item, [], root=folder)]
    return n_results, files


def _label(root: Path, case: str, path: Path) -> FoundFile:
    where = path.parent.relative_to(root).as_posix()
    return FoundFile(case, path, path.name, is_label=True, folder=where)


def _found(folder: Path, n_labels: int, unused: tuple[Path, ...]) -> Problem:
    message = f"Label maps of {n_labels} cases were found in the folder {folder.name}."
    if unused:
        names = listed([path.name for path in unused])
        message += f" {len(unused)} files in it belong to no case: {names}."
    return Problem("info", message, None, folder)


def _results(folder: Path, n_results: int) -> Problem:
    message = (
        f"The folder {folder.name} holds {n_results} results of `ciml-segmenter segment`; they are"
        " neither cases nor labels."
    )
    return Problem("info", message, None, folder)


def _unused(folder: Path, files: list[Path]) -> Problem:
    message = (
        f"{len(files)} files in {folder.name}/ were not used, for example"
        f" {files[0].relative_to(folder.parent).as_posix()}. If they are label maps of these cases,"
        f" choose them with `--labels {folder.name}` of `ciml-segmenter train`."
    )
    return Problem("warning", message, None, files[0])


def _loose(files: list[Path]) -> Problem:
    message = (
        f"{len(files)} files directly in the cohort's folder belong to no case and were not used:"
        f" {listed([path.name for path in files])}."
    )
    return Problem("info", message, None, files[0])
