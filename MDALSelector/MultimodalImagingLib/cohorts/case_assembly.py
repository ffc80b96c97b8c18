"""From listed files to cases: names are matched, headers are read, problems are collected."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from MultimodalImagingLib.cohorts.case_names import usable_case_names
from MultimodalImagingLib.cohorts.cases import Case, FoundFile, Listing, Problem
from MultimodalImagingLib.cohorts.label_choice import (
    choose_label,
    exact_pattern,
    names_exactly,
    telling_pattern,
)
from MultimodalImagingLib.cohorts.modality_patterns import (
    IGNORE,
    LABEL,
    ModalityPatterns,
    PatternMatch,
    normalized_name,
)
from MultimodalImagingLib.cohorts.patient_ids import patients_of_cases
from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.images.geometry import Grid
from MultimodalImagingLib.images.geometry_checks import impossible_grid, unit_hint, unusual_grid
from MultimodalImagingLib.images.position import Position
from MultimodalImagingLib.images.volume_io import ImageFile, read_position
from MultimodalImagingLib.jobs.environment import same_name


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


def assemble_cases(listing: Listing, patterns: ModalityPatterns) -> Assembly:
    """Build the cases of a listing; whatever cannot be used becomes a problem."""
    case_ids, name_problems = usable_case_names([same_name(name) for name in listing.case_ids])
    builder = _Builder(listing, patterns, patients_of_cases(case_ids))
    by_case: dict[str, list[FoundFile]] = defaultdict(list)
    for file in (replace(file, case_id=same_name(file.case_id)) for file in listing.files):
        by_case[file.case_id].append(file)
    built = [builder.case(case_id, by_case[case_id]) for case_id in case_ids]
    cases = tuple(case for case in built if case is not None)
    found = {modality for case in cases for modality in case.images}
    declared = [name for name in builder.declared.values() if name in found]
    return Assembly(
        (*declared, *sorted(found.difference(declared))),
        cases,
        (*name_problems, *builder.problems, *builder.unknown_in_folders()),
        tuple(builder.matches),
        builder.positions,
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
    """Collects matches, positions and problems while cases are built."""

    def __init__(
        self, listing: Listing, patterns: ModalityPatterns, patients: Mapping[str, str]
    ) -> None:
        self._listing = listing
        said = {
            same_name(name): patient for name, patient in listing.patient_ids.items() if patient
        }
        self._patients = {**patients, **said}
        self._attributes = {same_name(name): row for name, row in listing.attributes.items()}
        self._patterns = patterns
        self.declared = declared_modalities(listing.modalities, patterns)
        self.problems: list[Problem] = []
        self.matches: list[FileMatch] = []
        self.positions: dict[ImageFile, Position] = {}
        self._unknown_in: dict[str, list[FoundFile]] = defaultdict(list)

    def unknown_in_folders(self) -> list[Problem]:
        """Name the files in sub-folders of cases that nothing is known of, once per folder."""
        return [_unknown(folder, files) for folder, files in sorted(self._unknown_in.items())]

    def case(self, case_id: str, files: Sequence[FoundFile]) -> Case | None:
        """Build one case; `None` if it has no readable image."""
        matches = [(file, self._match(file)) for file in files]
        candidates, labels = self._sort(matches)
        images = {
            modality: file
            for modality in sorted(candidates)
            if (file := self._only_image(case_id, modality, candidates[modality])) is not None
        }
        label = self._label(case_id, labels)
        used = {*images.values(), label} if images else set()
        self.matches += [_file_match(*match, used) for match in matches]
        if not images:
            self.problems.append(Problem("error", _no_image(candidates), case_id))
            return None
        attributes = self._attributes.get(case_id, {})
        return Case(case_id, self._patients[case_id], images, label, attributes)

    def _sort(
        self, matches: Iterable[tuple[FoundFile, PatternMatch]]
    ) -> tuple[dict[str, list[FoundFile]], list[tuple[FoundFile, PatternMatch]]]:
        """Sort files into images per modality and possible label maps."""
        images: dict[str, list[FoundFile]] = defaultdict(list)
        labels: list[tuple[FoundFile, PatternMatch]] = []
        for file, match in matches:
            if match.target is None and file.folder and not match.candidates:
                self._unknown_in[file.folder].append(file)
            elif match.target is None:
                self.problems.append(_unmatched(file, match))
            elif match.target == LABEL:
                labels.append((file, match))
            elif match.target != IGNORE:
                images[match.target].append(file)
        return images, labels

    def _match(self, file: FoundFile) -> PatternMatch:
        if file.is_label:
            return PatternMatch(LABEL, is_whole=True)
        if file.modality is None:
            return match_with_folder(file, self._patterns)
        match = self._patterns.match(file.modality)
        if match.target in (LABEL, IGNORE):
            return match
        return PatternMatch(self.declared[file.modality], match.expressions, match.parts)

    def _only_image(
        self, case_id: str, modality: str, files: Sequence[FoundFile]
    ) -> ImageFile | None:
        nearest = [file for file in files if file.depth == min(f.depth for f in files)]
        if len(nearest) == 1:
            if len(files) > 1:
                self.problems.append(_further_images(modality, nearest[0], files))
            return self._readable(nearest[0])
        message = (
            f"Expected one {modality} image, found {len(nearest)}: {_names(nearest)}; none of them"
            " is used. Say which to leave out with a pattern such as"
            f" `{telling_pattern(nearest, number=-1)}=ignore`."
        )
        self.problems.append(Problem("error", message, case_id, nearest[0].path))
        return None

    def _label(
        self, case_id: str, candidates: Sequence[tuple[FoundFile, PatternMatch]]
    ) -> ImageFile | None:
        choice = choose_label(case_id, candidates)
        if choice.problem is not None:
            self.problems.append(choice.problem)
        return None if choice.file is None else self._readable(choice.file)

    def _readable(self, file: FoundFile) -> ImageFile | None:
        """Read the header; `None`, and a problem, if the file cannot be used."""
        try:
            position = read_position(file.image_file)
        except CohortError as error:
            self.problems.append(Problem("error", str(error), file.case_id, file.path))
            return None
        impossible, unusual = impossible_grid(position.grid), unusual_grid(position.grid)
        if impossible is not None:
            hint = unit_hint(position.grid, position.unit)
            self.problems.append(_bad_spacing("error", file, impossible, hint))
            return None
        if unusual is not None:
            self.problems.append(_bad_spacing("warning", file, unusual))
        self.positions[file.image_file] = position
        return file.image_file


def _no_image(candidates: Mapping[str, Sequence[FoundFile]]) -> str:
    if candidates:
        return (
            "Expected at least one readable image of a known modality, found none that can be used"
            f" among {', '.join(sorted(candidates))}; the case is left out. The problems of these"
            " files say what to do."
        )
    return (
        "Expected at least one readable image of a known modality, found none; the case is"
        " left out. Add images, or correct the table of modality patterns."
    )


def match_with_folder(file: FoundFile, patterns: ModalityPatterns) -> PatternMatch:
    """Match a file by its own name, and by the sub-folder of the case that it lies in.

    What is to be ignored is ignored. A folder of labels (`seg/T1.nii.gz`) makes labels of all
    files in it, except of one that a pattern names. Else the folder tells only what the name does
    not: `CT/0001.nii.gz`.
    """
    own = patterns.match(file.name)
    if not file.folder:
        return own
    folder = patterns.match(file.folder.replace("/", "_"))
    if own.target == IGNORE or names_exactly(own, file.name):
        return own
    if folder.target in (LABEL, IGNORE):
        return folder
    return folder if own.target is None and not own.candidates else own


def _further_images(modality: str, used: FoundFile, files: Sequence[FoundFile]) -> Problem:
    others = [file for file in files if file is not used]
    message = f"Further {modality} images are not used: {_names(others)}; it is {used.shown}."
    return Problem("info", message, used.case_id, others[0].path)


def _unknown(folder: str, files: Sequence[FoundFile]) -> Problem:
    example = exact_pattern(folder)
    message = (
        f"{len(files)} files in the folder {folder} of cases are not used, for example"
        f" {files[0].path.name} of {files[0].case_id}: nothing tells what they are. Add a pattern"
        f" such as `{example}=NAME`, `{example}=label` or `{example}=ignore`."
    )
    return Problem("warning", message, None, files[0].path)


def _file_match(
    file: FoundFile, match: PatternMatch, used: Collection[ImageFile | None]
) -> FileMatch:
    pattern, part = " and ".join(match.expressions), " and ".join(match.parts)
    return FileMatch(file, match.target, pattern, part, file.image_file in used)


def _bad_spacing(
    severity: Literal["error", "warning"], file: FoundFile, found: str, hint: str = ""
) -> Problem:
    advice = "The file is not used. " if severity == "error" else ""
    message = (
        f"Expected the spacing of a clinical image in {file.path.name}, found {found}. {advice}"
        f"{hint}Check the unit (mm) and the slice distance in its header."
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
    return ", ".join(sorted(file.shown for file in files))
