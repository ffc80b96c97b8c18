"""From listed files to cases: names are matched, headers are read, problems are collected."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from MultimodalImagingLib.cohorts.case_names import usable_case_names
from MultimodalImagingLib.cohorts.cases import Case, FoundFile, Listing, Problem
from MultimodalImagingLib.cohorts.file_names import plain_one
from MultimodalImagingLib.cohorts.modality_patterns import (
    IGNORE,
    LABEL,
    ModalityPatterns,
    PatternMatch,
)
from MultimodalImagingLib.cohorts.name_matcher import NameMatcher
from MultimodalImagingLib.cohorts.name_problems import NameProblems
from MultimodalImagingLib.cohorts.patient_ids import patient_of_case
from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.images.geometry import Grid
from MultimodalImagingLib.images.geometry_checks import impossible_grid, unusual_grid
from MultimodalImagingLib.images.volume_io import ImageFile, read_grid


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
class Assembly:
    """The cases of a listing.

    Attributes:
        modalities: Modalities of the cases: first the declared ones in their order, then sorted.
        cases: Cases with at least one readable image, sorted by case.
        problems: All problems found here.
        matches: What every file was taken for.
        grids: Grid of every readable image and label map.
    """

    modalities: tuple[str, ...]
    cases: tuple[Case, ...]
    problems: tuple[Problem, ...]
    matches: tuple[FileMatch, ...]
    grids: Mapping[ImageFile, Grid]


def assemble_cases(listing: Listing, patterns: ModalityPatterns) -> Assembly:
    """Build the cases of a listing; whatever cannot be used becomes a problem."""
    case_ids, name_problems = usable_case_names(listing.case_ids)
    builder = _Builder(listing, patterns)
    by_case: dict[str, list[FoundFile]] = defaultdict(list)
    for file in listing.files:
        by_case[file.case_id].append(file)
    built = [builder.case(case_id, by_case[case_id]) for case_id in case_ids]
    cases = tuple(case for case in built if case is not None)
    found = {modality for case in cases for modality in case.images}
    declared = [name for name in builder.matcher.declared.values() if name in found]
    return Assembly(
        (*declared, *sorted(found.difference(declared))),
        cases,
        (*name_problems, *builder.problems, *builder.names.problems()),
        tuple(builder.matches),
        builder.grids,
    )


class _Builder:
    """Collects matches, grids and problems while cases are built."""

    def __init__(self, listing: Listing, patterns: ModalityPatterns) -> None:
        self._listing = listing
        self.matcher = NameMatcher(listing, patterns)
        self.names = NameProblems()
        self.problems: list[Problem] = []
        self.matches: list[FileMatch] = []
        self.grids: dict[ImageFile, Grid] = {}

    def case(self, case_id: str, files: Sequence[FoundFile]) -> Case | None:
        """Build one case; `None` if it has no readable image."""
        matches = self.matcher.match_case(files)
        candidates, labels, masks = self._sort(matches)
        images = {
            modality: file
            for modality in sorted(candidates)
            if (file := self._only_image(modality, candidates[modality])) is not None
        }
        label = self._label(case_id, labels, masks)
        used = {*images.values(), label} if images else set()
        self.matches += [
            _file_match(
                file, match, self.matcher.shaped(file).shape, is_used=file.image_file in used
            )
            for file, match in matches
        ]
        if not images:
            message = (
                "Expected at least one readable image of a known modality, found none; the case is"
                " left out. Add images, or correct the table of modality patterns."
            )
            self.problems.append(Problem("error", message, case_id))
            return None
        patient = self._listing.patient_ids.get(case_id) or patient_of_case(case_id)
        attributes = self._listing.attributes.get(case_id, {})
        return Case(case_id, patient, images, label, attributes)

    def _sort(
        self, matches: Iterable[tuple[FoundFile, PatternMatch]]
    ) -> tuple[dict[str, list[tuple[FoundFile, PatternMatch]]], list[FoundFile], list[FoundFile]]:
        """Sort files into images per modality, plain labels, and further masks."""
        images: dict[str, list[tuple[FoundFile, PatternMatch]]] = defaultdict(list)
        labels: list[FoundFile] = []
        masks: list[FoundFile] = []
        for file, match in matches:
            if match.target is None:
                self.names.add_unknown(self.matcher.shaped(file), match.candidates)
            elif match.target == LABEL:
                (labels if match.is_whole else masks).append(file)
            elif match.target != IGNORE:
                images[match.target].append((file, match))
        return images, labels, masks

    def _only_image(
        self, modality: str, found: Sequence[tuple[FoundFile, PatternMatch]]
    ) -> ImageFile | None:
        """Choose the image of a modality: what the user's own row says, else the plain one."""
        own = [file for file, match in found if self.matcher.is_own(match)]
        files = own or [file for file, _ in found]
        chosen = 0 if len(files) == 1 else plain_one([file.name for file in files])
        if chosen is None:
            self.names.add_double(modality, [self.matcher.shaped(file) for file in files])
            return None
        used = files[chosen]
        others = [self.matcher.shaped(file) for file, _ in found if file is not used]
        self.names.add_used(modality, self.matcher.shaped(used), others)
        return self._readable(used)

    def _label(
        self, case_id: str, labels: Sequence[FoundFile], masks: Sequence[FoundFile]
    ) -> ImageFile | None:
        """Choose the label map: the plain one, or the only mask there is."""
        candidates = labels or masks
        if len(candidates) > 1:
            message = (
                f"Expected one label map, found {len(candidates)}: {_names(candidates)}; none of"
                " them is used. Name the right one with a pattern such as `seg_final=label` and"
                " the others with `=ignore`."
            )
            self.problems.append(Problem("warning", message, case_id, candidates[0].path))
            return None
        if labels and masks:
            message = (
                f"Further masks are not used: {_names(masks)}; the label is {labels[0].path.name}."
            )
            self.problems.append(Problem("info", message, case_id, masks[0].path))
        return self._readable(candidates[0]) if candidates else None

    def _readable(self, file: FoundFile) -> ImageFile | None:
        """Read the header; `None`, and a problem, if the file cannot be used."""
        try:
            grid = read_grid(file.image_file)
        except CohortError as error:
            self.problems.append(Problem("error", str(error), file.case_id, file.path))
            return None
        impossible, unusual = impossible_grid(grid), unusual_grid(grid)
        if impossible is not None:
            self.problems.append(_bad_spacing("error", file, impossible))
            return None
        if unusual is not None:
            self.problems.append(_bad_spacing("warning", file, unusual))
        self.grids[file.image_file] = grid
        return file.image_file


def _file_match(file: FoundFile, match: PatternMatch, shape: str, *, is_used: bool) -> FileMatch:
    pattern = " and ".join(match.expressions)
    part = match.place if match.target else " and ".join(match.parts)
    return FileMatch(file, match.target, pattern, part, is_used, shape, match.candidates)


def _bad_spacing(severity: Literal["error", "warning"], file: FoundFile, found: str) -> Problem:
    advice = "The file is not used. " if severity == "error" else ""
    message = (
        f"Expected the spacing of a clinical image in {file.path.name}, found {found}. {advice}"
        "Check the unit (mm) and the slice distance in its header."
    )
    return Problem(severity, message, file.case_id, file.path)


def _names(files: Iterable[FoundFile]) -> str:
    return ", ".join(sorted(file.path.name for file in files))
