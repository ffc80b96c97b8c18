"""Cases, problems, and what a layout is: the files of a cohort as it lists them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Literal

from MultimodalImagingLib.cohorts.modality_patterns import ModalityPatterns
from MultimodalImagingLib.images.stored_image import ImageFile


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

    severity: Literal["error", "warning", "info"]
    message: str
    case_id: str | None = None
    path: Path | None = None

    def __str__(self) -> str:
        """Return the message after the case that it is about."""
        return self.message if self.case_id is None else f"Case {self.case_id}: {self.message}"


def files_of_cases(cases: Iterable[Case], problems: Iterable[Problem] = ()) -> list[Path]:
    """Return the image and label files of cases, and those that cannot be used."""
    files = [file.path for case in cases for file in case.images.values()]
    files += [case.label.path for case in cases if case.label is not None]
    return files + [p.path for p in problems if p.path is not None and p.path.is_file()]


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
    """

    case_id: str
    path: Path
    name: str = ""
    modality: str | None = None
    is_label: bool = False
    component: int | None = None
    folder: str = ""

    @property
    def depth(self) -> int:
        """Number of folders between the case and the file."""
        return len(Path(self.folder).parts)

    @property
    def shown(self) -> str:
        """The file as messages name it: with its sub-folder, if it lies in one."""
        return f"{self.folder}/{self.path.name}" if self.folder else self.path.name

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
