"""From listed files to cases: names are matched, headers are read, problems are collected."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from MultimodalImagingLib.cohorts.case_names import usable_case_names
from MultimodalImagingLib.cohorts.cases import Case, FoundFile, Listing, Problem
from MultimodalImagingLib.cohorts.modality_patterns import (
    IGNORE,
    LABEL,
    ModalityPatterns,
    PatternMatch,
    normalized_name,
)
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
        part: The part of the name that it matched.
        is_used: Whether the file is an image or the label map of a case.
    """

    file: FoundFile
    target: str | None
    pattern: str = ""
    part: str = ""
    is_used: bool = False


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
    declared = [name for name in builder.declared.values() if name in found]
    return Assembly(
        (*declared, *sorted(found.difference(declared))),
        cases,
        (*name_problems, *builder.problems),
        tuple(builder.matches),
        builder.grids,
    )


def declared_modalities(names: Sequence[str], patterns: ModalityPatterns) -> dict[str, str]:
    """Translate the names that a cohort declares (`T1Gd`) to those of the patterns (`T1c`).

    Names that no pattern knows stay as they are, and so do names that would become the same.

    Returns:
        Modality per declared name, in the same order.
    """
    matches = {name: patterns.match(name) for name in names}
    known = {
        name: match.target
        for name, match in matches.items()
        if match.target is not None and match.target not in (LABEL, IGNORE)
    }
    counts = Counter(known.values())
    return {name: known[name] if counts[known.get(name, "")] == 1 else name for name in names}


class _Builder:
    """Collects matches, grids and problems while cases are built."""

    def __init__(self, listing: Listing, patterns: ModalityPatterns) -> None:
        self._listing = listing
        self._patterns = patterns
        self.declared = declared_modalities(listing.modalities, patterns)
        self.problems: list[Problem] = []
        self.matches: list[FileMatch] = []
        self.grids: dict[ImageFile, Grid] = {}

    def case(self, case_id: str, files: Sequence[FoundFile]) -> Case | None:
        """Build one case; `None` if it has no readable image."""
        matches = [(file, self._match(file)) for file in files]
        candidates, labels, masks = self._sort(matches)
        images = {
            modality: file
            for modality in sorted(candidates)
            if (file := self._only_image(case_id, modality, candidates[modality])) is not None
        }
        label = self._label(case_id, labels, masks)
        used = {*images.values(), label} if images else set()
        self.matches += [_file_match(*match, used) for match in matches]
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
    ) -> tuple[dict[str, list[FoundFile]], list[FoundFile], list[FoundFile]]:
        """Sort files into images per modality, plain labels, and further masks."""
        images: dict[str, list[FoundFile]] = defaultdict(list)
        labels: list[FoundFile] = []
        masks: list[FoundFile] = []
        for file, match in matches:
            if match.target is None:
                self.problems.append(_unmatched(file, match))
            elif match.target == LABEL:
                (labels if match.is_whole else masks).append(file)
            elif match.target != IGNORE:
                images[match.target].append(file)
        return images, labels, masks

    def _match(self, file: FoundFile) -> PatternMatch:
        if file.is_label:
            return PatternMatch(LABEL, is_whole=True)
        match = self._patterns.match(file.name if file.modality is None else file.modality)
        if file.modality is None or match.target in (LABEL, IGNORE):
            return match
        return PatternMatch(self.declared[file.modality], match.expressions, match.parts)

    def _only_image(
        self, case_id: str, modality: str, files: Sequence[FoundFile]
    ) -> ImageFile | None:
        if len(files) == 1:
            return self._readable(files[0])
        message = (
            f"Expected one {modality} image, found {len(files)}: {_names(files)}; none of them is"
            " used. Remove all but one, or tell them apart with modality patterns."
        )
        self.problems.append(Problem("error", message, case_id, files[0].path))
        return None

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
        return self._readable(candidates[0], is_label=True) if candidates else None

    def _readable(self, file: FoundFile, *, is_label: bool = False) -> ImageFile | None:
        """Read the header; `None`, and a problem, if the file cannot be used."""
        try:
            grid = read_grid(file.image_file, is_label=is_label)
        except CohortError as error:
            self.problems.append(Problem("error", str(error), file.case_id, file.path))
            return None
        # A label map may be the smallest box around its segments, down to a single voxel.
        impossible = None if is_label else impossible_grid(grid)
        unusual = unusual_grid(grid)
        if impossible is not None:
            self.problems.append(_bad_spacing("error", file, impossible))
            return None
        if unusual is not None:
            self.problems.append(_bad_spacing("warning", file, unusual))
        self.grids[file.image_file] = grid
        return file.image_file


def _file_match(
    file: FoundFile, match: PatternMatch, used: Collection[ImageFile | None]
) -> FileMatch:
    pattern, part = " and ".join(match.expressions), " and ".join(match.parts)
    return FileMatch(file, match.target, pattern, part, file.image_file in used)


def _bad_spacing(severity: Literal["error", "warning"], file: FoundFile, found: str) -> Problem:
    advice = "The file is not used. " if severity == "error" else ""
    message = (
        f"Expected the spacing of a clinical image in {file.path.name}, found {found}. {advice}"
        "Check the unit (mm) and the slice distance in its header."
    )
    return Problem(severity, message, file.case_id, file.path)


def _unmatched(file: FoundFile, match: PatternMatch) -> Problem:
    example = normalized_name(file.name)
    if match.candidates:
        message = (
            f"The name of {file.path.name} fits {' and '.join(match.candidates)}; the file is not"
            f" used. Say which it is with a pattern such as `{example}={match.candidates[0]}`."
        )
    else:
        message = (
            f"No pattern tells the modality of {file.path.name}; the file is not used. Add a"
            f" pattern such as `{example}=NAME`, or `{example}=ignore`."
        )
    return Problem("warning", message, file.case_id, file.path)


def _names(files: Iterable[FoundFile]) -> str:
    return ", ".join(sorted(file.path.name for file in files))
