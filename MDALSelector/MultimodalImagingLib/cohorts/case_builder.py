"""From listed files to cases: names are matched, headers are read, problems are collected."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from MultimodalImagingLib.cohorts.case_names import patients_of_cases, usable_case_names
from MultimodalImagingLib.cohorts.cases import Case, FoundFile, Listing, Problem
from MultimodalImagingLib.cohorts.file_matching import NameMatcher, choose_label, exact_pattern
from MultimodalImagingLib.cohorts.file_names import NameProblems, plain_one
from MultimodalImagingLib.cohorts.modality_patterns import (
    IGNORE,
    LABEL,
    ModalityPatterns,
    PatternMatch,
)
from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.images.geometry import Grid, impossible_grid, unit_hint, unusual_grid
from MultimodalImagingLib.images.position import Position
from MultimodalImagingLib.images.stored_image import ImageFile
from MultimodalImagingLib.images.volume_io import read_position
from MultimodalImagingLib.jobs.environment import same_name


@dataclass(frozen=True)
class FileMatch:
    """What one file of a case was taken for, and why.

    Attributes:
        file: The file.
        target: Modality, `LABEL`, `IGNORE`, or `None` if nothing or several things match.
        pattern: The pattern that matched; empty if there is none or none was asked.
        part: The part of the name that it matched, from the first to the last word.
        is_used: Whether the file is an image or the label map of a case.
        shape: The part of the name that files of other cases have too.
        candidates: The modalities that the name fits.
    """

    file: FoundFile
    target: str | None
    pattern: str = ""
    part: str = ""
    is_used: bool = False
    shape: str = ""
    candidates: tuple[str, ...] = ()


@dataclass(frozen=True)
class BuiltCases:
    """The cases of a listing.

    Attributes:
        modalities: Modalities of the cases: first the declared ones in their order, then sorted.
        cases: Cases with at least one readable image, sorted by case.
        problems: All problems found here.
        matches: What every file was taken for.
        positions: Where every readable image and label map lies.
    """

    modalities: tuple[str, ...]
    cases: tuple[Case, ...]
    problems: tuple[Problem, ...]
    matches: tuple[FileMatch, ...]
    positions: Mapping[ImageFile, Position]

    @property
    def grids(self) -> dict[ImageFile, Grid]:
        """Grid of every readable image and label map."""
        return {file: position.grid for file, position in self.positions.items()}


def build_cases(listing: Listing, patterns: ModalityPatterns) -> BuiltCases:
    """Build the cases of a listing; whatever cannot be used becomes a problem."""
    files = tuple(replace(file, case_id=same_name(file.case_id)) for file in listing.files)
    listing = replace(listing, files=files)
    case_ids, name_problems = usable_case_names([same_name(name) for name in listing.case_ids])
    builder = _Builder(listing, patterns, patients_of_cases(case_ids))
    by_case: dict[str, list[FoundFile]] = defaultdict(list)
    for file in listing.files:
        by_case[file.case_id].append(file)
    built = [builder.case(case_id, by_case[case_id]) for case_id in case_ids]
    cases = tuple(case for case in built if case is not None)
    found = {modality for case in cases for modality in case.images}
    declared = [name for name in builder.matcher.declared.values() if name in found]
    return BuiltCases(
        (*declared, *sorted(found.difference(declared))),
        cases,
        (
            *name_problems,
            *builder.problems,
            *builder.names.problems(),
            *builder.unknown_in_folders(),
        ),
        tuple(builder.matches),
        builder.positions,
    )


_Match = tuple[FoundFile, PatternMatch]


class _Builder:
    """Collects matches, positions and problems while cases are built."""

    def __init__(
        self, listing: Listing, patterns: ModalityPatterns, patients: Mapping[str, str]
    ) -> None:
        said = {
            same_name(name): patient for name, patient in listing.patient_ids.items() if patient
        }
        self._patients = {**patients, **said}
        self._attributes = {same_name(name): row for name, row in listing.attributes.items()}
        self.matcher = NameMatcher(listing, patterns)
        self.names = NameProblems()
        self.problems: list[Problem] = []
        self.matches: list[FileMatch] = []
        self.positions: dict[ImageFile, Position] = {}
        self._unknown_in: dict[str, list[FoundFile]] = defaultdict(list)

    def unknown_in_folders(self) -> list[Problem]:
        """Name the files in sub-folders of cases that nothing is known of, once per folder."""
        return [_unknown(folder, files) for folder, files in sorted(self._unknown_in.items())]

    def case(self, case_id: str, files: Sequence[FoundFile]) -> Case | None:
        """Build one case; `None` if it has no readable image."""
        matches = self.matcher.match_case(files)
        candidates, labels = self._sort(matches)
        images = {
            modality: file
            for modality in sorted(candidates)
            if (file := self._only_image(modality, candidates[modality])) is not None
        }
        label = self._label(case_id, labels)
        used = {*images.values(), label} if images else set()
        self.matches += [
            _file_match(
                file, match, self.matcher.shaped(file).shape, is_used=file.image_file in used
            )
            for file, match in matches
        ]
        if not images:
            self.problems.append(Problem("error", _no_image(candidates), case_id))
            return None
        attributes = self._attributes.get(case_id, {})
        return Case(case_id, self._patients[case_id], images, label, attributes)

    def _sort(self, matches: Iterable[_Match]) -> tuple[dict[str, list[_Match]], list[_Match]]:
        """Sort files into images per modality and possible label maps."""
        images: dict[str, list[_Match]] = defaultdict(list)
        labels: list[_Match] = []
        for file, match in matches:
            if match.target is None and file.folder and not match.candidates:
                self._unknown_in[file.folder].append(file)
            elif match.target is None:
                self.names.add_unknown(self.matcher.shaped(file), match.candidates)
            elif match.target == LABEL:
                labels.append((file, match))
            elif match.target != IGNORE:
                images[match.target].append((file, match))
        return images, labels

    def _only_image(self, modality: str, found: Sequence[_Match]) -> ImageFile | None:
        """Choose the image of a modality.

        The files nearest to the case's folder come first; of these the one that the user's own row
        says, else the plain one.
        """
        nearest = min(file.depth for file, _ in found)
        near = [(file, match) for file, match in found if file.depth == nearest]
        own = [file for file, match in near if self.matcher.is_own(match)]
        files = own or [file for file, _ in near]
        chosen = 0 if len(files) == 1 else plain_one([file.name for file in files])
        if chosen is None:
            self.names.add_double(modality, [self.matcher.shaped(file) for file in files])
            return None
        used = files[chosen]
        twins = [self.matcher.shaped(file) for file, _ in near if file is not used]
        self.names.add_used(modality, self.matcher.shaped(used), twins)
        if len(near) < len(found):
            further = [file for file, _ in found if file.depth > nearest]
            self.problems.append(_further_images(modality, used, further))
        return self._readable(used)

    def _label(self, case_id: str, candidates: Sequence[_Match]) -> ImageFile | None:
        choice = choose_label(case_id, candidates)
        if choice.problem is not None:
            self.problems.append(choice.problem)
        return None if choice.file is None else self._readable(choice.file, is_label=True)

    def _readable(self, file: FoundFile, *, is_label: bool = False) -> ImageFile | None:
        """Read the header; `None`, and a problem, if the file cannot be used."""
        try:
            position = read_position(file.image_file, is_label=is_label)
        except CohortError as error:
            self.problems.append(Problem("error", str(error), file.case_id, file.path))
            return None
        # A label map may be the smallest box around its segments, down to a single voxel.
        impossible = None if is_label else impossible_grid(position.grid)
        unusual = unusual_grid(position.grid)
        if impossible is not None:
            hint = unit_hint(position.grid, position.unit)
            self.problems.append(_bad_spacing("error", file, impossible, hint))
            return None
        if unusual is not None:
            self.problems.append(_bad_spacing("warning", file, unusual))
        self.positions[file.image_file] = position
        return file.image_file


def _no_image(candidates: Iterable[str]) -> str:
    modalities = sorted(candidates)
    if modalities:
        return (
            "Expected at least one readable image of a known modality, found none that can be used"
            f" among {', '.join(modalities)}; the case is left out. The problems of these"
            " files say what to do."
        )
    return (
        "Expected at least one readable image of a known modality, found none; the case is"
        " left out. Add images, or correct the table of modality patterns."
    )


def _further_images(modality: str, used: FoundFile, others: Sequence[FoundFile]) -> Problem:
    message = f"Further {modality} images are not used: {_names(others)}; it is {used.shown}."
    return Problem("info", message, used.case_id, others[0].path)


def _unknown(folder: str, files: Sequence[FoundFile]) -> Problem:
    example = exact_pattern(folder)
    message = (
        f"{len(files)} files in the folder {folder} of cases are not used, for example"
        f" {files[0].path.name} of {files[0].case_id}: no pattern says what they are. Add a pattern"
        f" such as `{example}=NAME`, `{example}=label` or `{example}=ignore`."
    )
    return Problem("warning", message, None, files[0].path)


def _file_match(file: FoundFile, match: PatternMatch, shape: str, *, is_used: bool) -> FileMatch:
    pattern = " and ".join(match.expressions)
    part = match.place if match.target else " and ".join(match.parts)
    return FileMatch(file, match.target, pattern, part, is_used, shape, match.candidates)


def _bad_spacing(
    severity: Literal["error", "warning"], file: FoundFile, found: str, hint: str = ""
) -> Problem:
    advice = "The file is not used. " if severity == "error" else ""
    message = (
        f"Expected the spacing of a clinical image in {file.path.name}, found {found}. {advice}"
        f"{hint}Check the unit (mm) and the slice distance in its header."
    )
    return Problem(severity, message, file.case_id, file.path)


def _names(files: Iterable[FoundFile]) -> str:
    return ", ".join(sorted(file.shown for file in files))
