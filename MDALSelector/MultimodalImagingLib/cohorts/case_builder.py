"""From listed files to cases: names are matched, headers are read, problems are collected."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from MultimodalImagingLib.cohorts.case_names import patients_of_cases, usable_case_names
from MultimodalImagingLib.cohorts.cases import (
    Case,
    Cohort,
    FileMatch,
    FoundFile,
    Listing,
    Problem,
    Severity,
)
from MultimodalImagingLib.cohorts.file_matching import NameMatcher, choose_label, exact_pattern
from MultimodalImagingLib.cohorts.file_names import NameProblems, plain_one
from MultimodalImagingLib.cohorts.modality_patterns import (
    IGNORE,
    LABEL,
    ModalityPatterns,
    PatternMatch,
)
from MultimodalImagingLib.cohorts.saved_copies import without_saved_copies
from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.images.geometry import impossible_grid, unit_hint, unusual_grid
from MultimodalImagingLib.images.position import Position
from MultimodalImagingLib.images.stored_image import ImageFile
from MultimodalImagingLib.images.volume_io import read_position
from MultimodalImagingLib.jobs.environment import same_name
from MultimodalImagingLib.jobs.texts import counted


def build_cases(listing: Listing, patterns: ModalityPatterns) -> Cohort:
    """Build the cases of a listing; whatever cannot be used becomes a problem.

    Returns:
        The cases with at least one readable image; there may be none.
    """
    files = tuple(replace(file, case_id=same_name(file.case_id)) for file in listing.files)
    listing = replace(listing, files=files)
    case_ids, name_problems = usable_case_names([same_name(name) for name in listing.case_ids])
    builder = _Builder(listing, patterns, patients_of_cases(case_ids))
    by_case: dict[str, list[FoundFile]] = defaultdict(list)
    for file in files:
        by_case[file.case_id].append(file)
    built = [builder.case(case_id, by_case[case_id]) for case_id in case_ids]
    cases = tuple(case for case in built if case is not None)
    found = {modality for case in cases for modality in case.images}
    declared = [name for name in builder.matcher.declared.values() if name in found]
    unknown = (_unknown(*item) for item in sorted(builder.unknown_in.items()))
    return Cohort(
        listing.root,
        listing.layout,
        (*declared, *sorted(found.difference(declared))),
        cases,
        (*name_problems, *builder.problems, *builder.names.problems(), *unknown),
        patterns,
        tuple(builder.matches),
        builder.positions,
        listing.naming,
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
        self.unknown_in: dict[str, list[FoundFile]] = defaultdict(list)

    def case(self, case_id: str, files: Sequence[FoundFile]) -> Case | None:
        """Build one case; `None` if it has no readable image."""
        files, copies = without_saved_copies(case_id, files, self.matcher.match_case)
        self.problems += copies
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
            FileMatch(
                file,
                match.target,
                " and ".join(match.expressions),
                match.place if match.target else " and ".join(match.parts),
                file.image_file in used,
                match.candidates,
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
                self.unknown_in[file.folder].append(file)
            elif match.target is None:
                self.names.add_unknown(file, match.candidates)
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
            self.names.add_double(modality, files)
            return None
        used = files[chosen]
        twins = [file for file, _ in near if file is not used]
        self.names.add_used(modality, used, twins)
        if len(near) < len(found):
            further = [file for file, _ in found if file.depth > nearest]
            self.problems.append(_further_images(modality, used, further))
        return self._readable(used)

    def _label(self, case_id: str, candidates: Sequence[_Match]) -> ImageFile | None:
        label, problem = choose_label(case_id, candidates)
        self.problems += [problem] if problem else []
        return None if label is None else self._readable(label, is_label=True)

    def _readable(self, file: FoundFile, *, is_label: bool = False) -> ImageFile | None:
        """Read the header; `None`, and a problem, if the file cannot be used."""
        try:
            position = read_position(file.image_file, is_label=is_label)
        except CohortError as error:
            self.problems.append(Problem("error", str(error), file.case_id, file.path))
            return None
        # A label map may be the smallest box around its segments, down to a single voxel.
        if not is_label and (impossible := impossible_grid(position.grid)):
            advice = f"The file is not used. {unit_hint(position.grid, position.unit)}"
            self.problems.append(_bad_spacing("error", file, impossible, advice))
            return None
        if unusual := unusual_grid(position.grid):
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
    names = ", ".join(sorted(file.shown for file in others))
    message = f"Further {modality} images are not used: {names}; it is {used.shown}."
    return Problem("info", message, used.case_id, others[0].path)


def _unknown(folder: str, files: Sequence[FoundFile]) -> Problem:
    example = exact_pattern(folder)
    message = (
        f"{counted(len(files), 'file', 'is', 'are')} not used in the folder {folder} of cases,"
        " for example"
        f" {files[0].path.name} of {files[0].case_id}: no pattern says what they are. Add a pattern"
        f" such as `{example}=NAME`, `{example}=label` or `{example}=ignore`."
    )
    return Problem("warning", message, None, files[0].path)


def _bad_spacing(severity: Severity, file: FoundFile, found: str, advice: str = "") -> Problem:
    message = (
        f"Expected the spacing of a clinical image in {file.path.name}, found {found}. {advice}"
        "Check the unit (mm) and the slice distance in its header."
    )
    return Problem(severity, message, file.case_id, file.path)
