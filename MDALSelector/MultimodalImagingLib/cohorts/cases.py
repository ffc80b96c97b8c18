"""Cohorts and cases, their problems, and what a layout lists of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property
from pathlib import Path
from typing import Literal

from MultimodalImagingLib.cohorts.modality_patterns import ModalityPatterns
from MultimodalImagingLib.images.geometry import Grid
from MultimodalImagingLib.images.position import Position
from MultimodalImagingLib.images.stored_image import ImageFile
from MultimodalImagingLib.record.series_file import SUFFIX, with_slices

Severity = Literal["error", "warning", "info"]


@dataclass(frozen=True)
class Case:
    """One examination with all its modalities.

    Attributes:
        case_id: Unique in the cohort; usable as a file name; as `same_name` writes it.
        patient_id: Cases of one patient must not be split between training and test.
        images: File per modality; a modality that the case lacks is not in it.
        label: The label map, if there is one.
        attributes: Further columns of a CSV manifest.
    """

    case_id: str
    patient_id: str
    images: Mapping[str, ImageFile]
    label: ImageFile | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Problem:
    """Something in a cohort that the user should know.

    Attributes:
        severity: `"error"`: a file or case is not used, or cannot be trusted as it is;
            `"warning"`: used, but look at it; `"info"`: nothing to do.
        message: What was expected, what was found, what to do.
        case_id: The case, if it is about one.
        path: The file or folder, if it is about one.
    """

    severity: Severity
    message: str
    case_id: str | None = None
    path: Path | None = None

    def __str__(self) -> str:
        """Return the message after the case that it is about."""
        return self.message if self.case_id is None else f"Case {self.case_id}: {self.message}"


def files_of_cases(cases: Iterable[Case], problems: Iterable[Problem] = ()) -> list[Path]:
    """Return the image and label files of cases, and those that cannot be used.

    Of a DICOM volume these are the files of its slices.
    """
    files = [file.path for case in cases for file in case.images.values()]
    files += [case.label.path for case in cases if case.label is not None]
    files += [p.path for p in problems if p.path is not None and p.path.is_file()]
    return with_slices(files)


@dataclass(frozen=True)
class FoundFile:
    """An image file that belongs to a case.

    Attributes:
        case_id: The case.
        path: The file.
        name: What patterns are matched with: the file's name without case and suffix.
        modality: The modality that the cohort's own description names; `None`: ask the patterns.
        is_label: Whether the cohort's own description says that it is the label map.
        component: Index along the fourth axis of a 4-D file.
        folder: Where it lies below the folder of its case, such as `anat`; empty if directly in
            it. A file nearer to the case comes first; the folder's name tells what files are
            whose own names do not.
        shape: The part of its name that files of other cases have too; empty until that is known.
        kind: What a DICOM header says it is, `CT`, `PET` or `MR`; empty for other files.
        place: What only this DICOM series is called, such as `case-0001 series 5`.
        details: What else its header says, for people.
        left_out: Why it is not used unless the user says otherwise; empty for most files.
    """

    case_id: str
    path: Path
    name: str = ""
    modality: str | None = None
    is_label: bool = False
    component: int | None = None
    folder: str = ""
    shape: str = ""
    kind: str = ""
    place: str = ""
    details: str = ""
    left_out: str = ""

    @property
    def depth(self) -> int:
        """Number of folders between the case and the file."""
        return len(Path(self.folder).parts)

    @property
    def shown(self) -> str:
        """The file as messages name it: with its sub-folder, if it lies in one."""
        return f"{self.folder}/{self.path.name}" if self.folder else self.path.name

    @property
    def example(self) -> str:
        """The file as the table of names shows it: of a DICOM series what its header says."""
        name = self.path.name
        return f"{self.details}: {name.removesuffix(SUFFIX)}" if self.details else name

    @property
    def image_file(self) -> ImageFile:
        """The file as an image to read."""
        return ImageFile(self.path, self.component)


@dataclass(frozen=True)
class Listing:
    """What lies in a cohort's folder, before names are matched and headers are read.

    Attributes:
        layout: Name of the layout.
        root: The cohort's folder.
        case_ids: All cases, also those without any image.
        files: All image files of the cases.
        problems: What went wrong while listing.
        patient_ids: Patient per case where the layout says so.
        attributes: Further columns per case.
        modalities: Modalities that the layout declares, in its order; empty if it does not.
        naming: How cases got their names, a sentence.
        is_private: Whether names of folders and files may be those of patients, so that no message
            may tell them.
    """

    layout: str
    root: Path
    case_ids: tuple[str, ...]
    files: tuple[FoundFile, ...]
    problems: tuple[Problem, ...] = ()
    patient_ids: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    modalities: tuple[str, ...] = ()
    naming: str = ""
    is_private: bool = False


class Fit(IntEnum):
    """The surest layout is taken; two that are declared are one too many."""

    NONE = 0
    INFERRED = 1  # by names and levels; a manifest in the folder comes before
    SEEN = 2  # plain to see
    DECLARED = 3  # the cohort describes itself


@dataclass(frozen=True)
class FolderLayout:
    """A layout that a folder can have.

    Attributes:
        name: Its name.
        looked_for: What is looked for, in words.
        fit: Tells how sure it is that a folder has it.
        list_cases: Lists the cases of such a folder.
        can_be_declared: Whether a cohort can say itself that it has this layout.
    """

    name: str
    looked_for: str
    fit: Callable[[Path, ModalityPatterns], Fit]
    list_cases: Callable[[Path, ModalityPatterns], Listing]
    can_be_declared: bool


@dataclass(frozen=True)
class FileMatch:
    """What one file of a case was taken for, and why.

    Attributes:
        file: The file.
        target: Modality, `LABEL`, `IGNORE`, or `None` if nothing or several things match.
        pattern: The pattern that matched; empty if there is none or none was asked.
        part: The part of the name that it matched, from the first to the last word.
        is_used: Whether the file is an image or the label map of a case.
        candidates: The modalities that the name fits.
    """

    file: FoundFile
    target: str | None
    pattern: str = ""
    part: str = ""
    is_used: bool = False
    candidates: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cohort:
    """All usable cases of a folder, and everything that is wrong with it.

    Attributes:
        root: The folder.
        layout: Name of the layout that was recognized.
        modalities: Modalities that at least one case has: in the order in which the cohort's own
            description names them, else sorted.
        cases: Sorted by case.
        problems: All problems of the folder.
        patterns: The table with which names were matched.
        matches: What every file was taken for, and by which pattern.
        positions: Where every readable image and label map lies, from the headers.
        naming: How cases got their names, a sentence; empty where a manifest names them.
        duplicates: What is wrong with every case that holds an image that is there twice.
        left_out: What to say first: modalities that most cases have and the cohort goes on without.
    """

    root: Path
    layout: str
    modalities: tuple[str, ...]
    cases: tuple[Case, ...]
    problems: tuple[Problem, ...]
    patterns: ModalityPatterns
    matches: tuple[FileMatch, ...] = ()
    positions: Mapping[ImageFile, Position] = field(default_factory=dict)
    naming: str = ""
    duplicates: Mapping[str, str] = field(default_factory=dict)
    left_out: str = ""

    @cached_property
    def grids(self) -> dict[ImageFile, Grid]:
        """Grid of every readable image and label map."""
        return {file: position.grid for file, position in self.positions.items()}

    @property
    def incomplete(self) -> dict[str, tuple[str, ...]]:
        """The modalities that a case lacks, for every case that lacks some."""
        missing = {
            case.case_id: tuple(m for m in self.modalities if m not in case.images)
            for case in self.cases
        }
        return {case_id: lacks for case_id, lacks in missing.items() if lacks}

    @property
    def files(self) -> list[Path]:
        """All files that belong to cases, also those that cannot be used."""
        found = [match.file.path for match in self.matches]
        return with_slices(found) + files_of_cases(self.cases, self.problems)

    def image_grids(self, case: Case) -> dict[str, Grid]:
        """Return the grid of every image of a case, in the order of `modalities`."""
        return {m: self.grids[case.images[m]] for m in self.modalities if m in case.images}
