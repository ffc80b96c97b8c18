"""Layout: one folder per case, at any level: `<case>/`, `<group>/<case>/`, `<patient>/<study>/`.

Images of a case may lie in sub-folders of it: `<case>/anat/T1.nii.gz`, `<case>/CT/1.nii.gz`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from MultimodalImagingLib.cohorts.case_grouping import (
    is_image_folder,
    is_label_folder,
    is_part_name,
    is_set_of_files,
    names_modality,
    several_cases,
)
from MultimodalImagingLib.cohorts.case_names import UpperLevels
from MultimodalImagingLib.cohorts.cases import Fit, FolderLayout, FoundFile, Listing, Problem
from MultimodalImagingLib.cohorts.folders import (
    images_in,
    is_result,
    name_in_case,
    stem,
    subfolders,
)
from MultimodalImagingLib.cohorts.modality_patterns import ModalityPatterns
from MultimodalImagingLib.jobs.texts import listed

_LEVELS = 4
_PART_LEVELS = 3
_MOST_FOLDERS = 200_000
_MOST_FRUITLESS = 5_000  # folders without a case, after which there is none


@dataclass(frozen=True)
class _CaseFolder:
    """A folder that is a case, and the folders above it up to the cohort's."""

    path: Path
    levels: tuple[str, ...]


def fit(root: Path, patterns: ModalityPatterns) -> Fit:
    """Tell how sure it is that there are folders of cases; less so if only levels down."""
    first = next(_Search(root, patterns).case_folders(), None)
    if first is None:
        return Fit.NONE
    if len(first.levels) == 1:
        return Fit.SEEN
    direct = any(_is_case(folder, patterns) for folder in _top_folders(root, patterns, []))
    return Fit.SEEN if direct else Fit.INFERRED


def list_cases(root: Path, patterns: ModalityPatterns) -> Listing:
    """List the images of every case; folders without any are named, but are no cases."""
    search = _Search(root, patterns)
    found = [case for folder in search.case_folders() for case in search.cases_of(folder)]
    upper = UpperLevels([levels for levels, _ in found])
    case_ids = {levels: upper.case_id(levels) for levels, _ in found}
    return Listing(
        LAYOUT.name,
        root,
        tuple(case_ids[levels] for levels, _ in found),
        tuple(
            FoundFile(case_ids[levels], file.path, file.name, folder=file.folder)
            for levels, files in found
            for file in files
        ),
        (*search.problems, *search.empty_folders()),
        {case_ids[levels]: patient for levels in case_ids if (patient := upper.patient(levels))},
        naming=upper.sentence,
    )


def one_case(folder: Path, patterns: ModalityPatterns) -> list[FoundFile]:
    """List the images of a folder that is one case, those in its parts too; else nothing."""
    if not _is_case(folder, patterns) or several_cases(images_in(folder, []), patterns, fewest=2):
        return []
    name = folder.resolve().name
    case = _CaseFolder(folder, (name,))
    return [
        replace(file, case_id=name)
        for _, files in _Search(folder, patterns).cases_of(case)
        for file in files
    ]


class _Search:
    """Goes through the folders of a cohort; collects problems."""

    def __init__(self, root: Path, patterns: ModalityPatterns) -> None:
        self._root = root
        self._patterns = patterns
        self._n_looked_at = 0
        self._n_cases = 0
        self._n_others = 0  # results, and folders with files of many cases
        self._empty: list[_CaseFolder] = []
        self.problems: list[Problem] = []

    def case_folders(self) -> Iterator[_CaseFolder]:
        """Yield every folder that holds one case, or visits of one patient."""
        for folder in _top_folders(self._root, self._patterns, self.problems):
            yield from self._below(_CaseFolder(folder, (folder.name,)))

    def empty_folders(self) -> list[Problem]:
        """Name the folders without any image, in one problem."""
        names = ["/".join(folder.levels) for folder in self._empty]
        if not names:
            return []
        message = (
            f"The folder {names[0]} holds no image and is not taken for a case. Add its images, or"
            " leave it if it is something else."
        )
        if len(names) > 1:
            message = (
                f"{len(names)} folders hold no image and are not taken for cases: {listed(names)}."
                " Add their images, or leave them if they are something else."
            )
        return [Problem("warning", message, None, self._empty[0].path)]

    def cases_of(self, folder: _CaseFolder) -> list[tuple[tuple[str, ...], list[FoundFile]]]:
        """Return levels and files of the case in a folder, or of each of several.

        Files that begin with the folder's name and go on differently (`<patient>_<study>_t2w`) are
        of several studies of the patient.
        """
        direct = images_in(folder.path, self.problems, case_id=folder.path.name)
        groups = several_cases(direct, self._patterns, fewest=2)
        if groups and all(_continues(folder.path.name, case) for case in groups):
            return [
                ((*folder.levels, case), [FoundFile(case, path, rest) for path, rest in group])
                for case, group in groups.items()
            ]
        files = [FoundFile("", path, _name(path, folder.levels)) for path in direct]
        return [(folder.levels, [*files, *self._in_parts(folder)])]

    def _below(self, folder: _CaseFolder) -> Iterator[_CaseFolder]:
        self._n_looked_at += 1
        if self._is_too_much():
            return
        before, n_empty = self._state, len(self._empty)
        if _is_case(folder.path, self._patterns):
            self._n_cases += 1
            yield folder
            return
        if is_result(folder.path) or images_in(folder.path, []):
            self._n_others += 1
            return
        if len(folder.levels) < _LEVELS:
            case_id = "_".join(folder.levels)
            for child in subfolders(folder.path, self.problems, root=self._root, case_id=case_id):
                yield from self._below(_CaseFolder(child, (*folder.levels, child.name)))
        if self._state == before:
            del self._empty[n_empty:]  # the uppermost one stands for those in it
            self._empty.append(folder)

    @property
    def _state(self) -> tuple[int, int, int]:
        """Changes with everything that is found."""
        return self._n_cases, self._n_others, len(self.problems)

    def _is_too_much(self) -> bool:
        most = _MOST_FOLDERS if self._n_cases else _MOST_FRUITLESS
        if self._n_looked_at == most + 1:
            message = (
                f"Looked at {most} folders of {self._root.name} and stopped; further ones are not"
                " used. Give a folder that holds the cohort alone."
            )
            self.problems.append(Problem("error", message, None, self._root))
        return self._n_looked_at > most

    def _in_parts(self, folder: _CaseFolder) -> list[FoundFile]:
        files: list[FoundFile] = []
        level = [folder.path]
        for _ in range(_PART_LEVELS):
            below = [part for upper in level for part in subfolders(upper, [], root=self._root)]
            level = [part for part in below if not is_result(part)]
            for part in level:
                where = part.relative_to(folder.path).as_posix()
                files += [
                    FoundFile("", path, _name(path, folder.levels), folder=where)
                    for path in images_in(part, self.problems, case_id=folder.path.name)
                ]
        return files


def _top_folders(root: Path, patterns: ModalityPatterns, problems: list[Problem]) -> list[Path]:
    """Return the folders in which cases are looked for, those of a folder `images` in its place."""
    parts = _parts(root, patterns)
    found: list[Path] = []
    for folder in subfolders(root, problems):
        if is_part_name(folder.name, folder_of="cohort"):
            is_of_cases = is_image_folder(folder) and not images_in(folder, [])
            found += subfolders(folder, problems, root=root) if is_of_cases else []
        elif folder not in parts and not is_label_folder(folder, patterns):
            found.append(folder)
    return found


def _is_case(folder: Path, patterns: ModalityPatterns) -> bool:
    """Tell whether images of one case, or of one patient, lie in a folder or in parts of it."""
    if is_result(folder):
        return False
    files = images_in(folder, [])
    if files:
        return not is_set_of_files(folder, files, patterns)
    return bool(_parts(folder, patterns))


def _parts(folder: Path, patterns: ModalityPatterns) -> list[Path]:
    """Find the sub-folders that hold parts of one case: named after a modality or kind of data.

    A modality that names several of them (`CT1`, `CT2`) names cases.
    """
    named = {}
    for child in subfolders(folder, []):
        target = names_modality(child, patterns)
        if target is not None and _is_case(child, patterns):
            named[child] = target
    counts = Counter(named.values())
    return [child for child, target in named.items() if not target or counts[target] == 1]


def _continues(name: str, longer: str) -> bool:
    rest = longer[len(name) :]
    return longer.casefold().startswith(name.casefold()) and rest[:1] in ("_", "-", ".", " ")


def _name(path: Path, levels: Sequence[str]) -> str:
    """Name without suffix, and without the folder or all levels at its beginning."""
    names = ["_".join(levels), *reversed(levels)]
    return next((name for n in names if (name := name_in_case(path, n)) != stem(path)), stem(path))


LAYOUT = FolderLayout(
    "folder per case",
    "folders, one per case, that hold image files (`<case>/<modality>.nii.gz`), also one or more"
    " levels down (`<group>/<case>`, `<patient>/<study>`)",
    fit,
    list_cases,
    can_be_declared=False,
)
