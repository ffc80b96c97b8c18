"""Layouts with a `dataset.json`: nnU-Net raw, and the Medical Segmentation Decathlon.

nnU-Net has a file per channel, `imagesTr/<case>_0000.nii.gz`; an image of the Decathlon is 4-D,
`imagesTr/<case>.nii.gz`, or 3-D where there is one modality.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from MultimodalImagingLib.cohorts.cases import Fit, FolderLayout, FoundFile, Listing, Problem
from MultimodalImagingLib.cohorts.folders import images_in, is_folder, repeated_case, stem
from MultimodalImagingLib.cohorts.label_folder import match_labels
from MultimodalImagingLib.cohorts.modality_patterns import ModalityPatterns
from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.images.stored_image import image_suffix
from MultimodalImagingLib.images.volume_io import n_components
from MultimodalImagingLib.jobs.texts import counted
from MultimodalImagingLib.record.json_entry import json_value

_FILE_NAME = "dataset.json"
_IMAGE_FOLDERS = {
    "imagesTr": "labelsTr",
    "imagesVa": "labelsVa",
    "imagesVal": "labelsVal",
    "imagesTs": "labelsTs",
}
_CHANNEL_NAME = re.compile(r"^(?P<case>.+)_(?P<channel>\d{4})$")


@dataclass(frozen=True)
class _Description:
    """What a `dataset.json` says.

    Attributes:
        channels: Name per channel number, in order.
        is_nnunet: Whether it is nnU-Net's form (`channel_names`), not the Decathlon's.
        file_ending: Suffix of all files, if the description names it.
        images: Names without suffix of the images that `training` and `test` list.
    """

    channels: Mapping[int, str]
    is_nnunet: bool
    file_ending: str | None
    images: frozenset[str] = frozenset()


def list_nnunet(root: Path, _patterns: ModalityPatterns) -> Listing:
    """List all channels of all cases in `imagesTr` and `imagesTs`.

    Raises:
        CohortError: If the description names an ending that cannot be read.
    """
    description = _read_description(root)
    ending = description.file_ending
    if ending is not None and image_suffix(Path("x" + ending)) is None:
        msg = (
            f"Expected 3-D images in {root}, found the file ending {ending!r} in {_FILE_NAME}."
            " Convert the images to .nii.gz first."
        )
        raise CohortError(msg)
    naming = "Cases are named after their files without the channel (`_0000`) at the end."
    return _listing(root, NNUNET, description, naming)


def list_decathlon(root: Path, _patterns: ModalityPatterns) -> Listing:
    """List the 3-D images inside the 4-D files of `imagesTr` and `imagesTs`."""
    naming = "Cases are named after their files, digits at the end included."
    return _listing(root, DECATHLON, _read_description(root), naming)


def _listing(root: Path, layout: FolderLayout, description: _Description, naming: str) -> Listing:
    has_channel_files = layout is NNUNET
    files_of = _channel_files if has_channel_files else _components
    problems: list[Problem] = []
    files: list[FoundFile] = []
    folder_of_case: dict[str, str] = {}
    for name in _IMAGE_FOLDERS:
        for path in images_in(root / name, problems):
            found = _channel(path, description)
            case_id = stem(path) if not has_channel_files else found and found["case"]
            if case_id and folder_of_case.setdefault(case_id, name) != name:
                problems.append(repeated_case(case_id, path))
            else:
                files += files_of(path, description, problems)
    files += _label_files(root, folder_of_case, problems)
    return Listing(
        layout.name,
        root,
        tuple(folder_of_case),
        tuple(files),
        tuple(problems),
        modalities=tuple(description.channels.values()),
        naming=naming,
    )


def _uses_channel_files(root: Path) -> bool:
    """Tell whether images are `<case>_0000`, one file per channel, and not `<case>`.

    Label maps and the lists in `dataset.json` have the names of cases and decide. Where there are
    none, the numbers at the ends of names have to be channels of the description.
    """
    description = _read_description(root)
    stems = {stem(path) for name in _IMAGE_FOLDERS for path in images_in(root / name, [])}
    numbered = [found for name in stems if (found := _CHANNEL_NAME.match(name)) is not None]
    cases = {stem(p) for name in _IMAGE_FOLDERS.values() for p in images_in(root / name, [])}
    cases |= description.images
    n_known = sum(int(found["channel"]) in description.channels for found in numbered)
    if len(description.channels) > 1 and 0 < len(stems) == n_known:
        return True
    n_whole = len(stems & cases)
    n_channels = sum(found["case"] in cases for found in numbered)
    if n_whole != n_channels:
        return n_channels > n_whole
    if description.is_nnunet:
        return n_known > 0 or not stems
    return 2 * n_known > len(stems)


def _read_description(root: Path) -> _Description:
    """Read a `dataset.json`.

    Raises:
        CohortError: If it is no JSON, or does not say which channels there are.
    """
    path = root / _FILE_NAME
    try:
        content = json_value(path.read_text(encoding="utf-8-sig"))
        is_nnunet = "channel_names" in content
        names = content["channel_names" if is_nnunet else "modality"]
        items = names.items() if isinstance(names, dict) else enumerate(names)
        channels = _distinct({int(number): str(name) for number, name in items})
        ending = content.get("file_ending")
        images = _listed_images(content)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        msg = (
            f"Expected `channel_names` (nnU-Net) or `modality` (Decathlon) in {path}, such as"
            f' {{"0": "CT"}}, but it cannot be read ({type(error).__name__}: {error}). Correct it.'
        )
        raise CohortError(msg) from error
    if not channels:
        msg = f'Expected at least one channel in {path}, such as {{"0": "CT"}}. Correct it.'
        raise CohortError(msg)
    return _Description(
        dict(sorted(channels.items())),
        is_nnunet,
        ending if isinstance(ending, str) else None,
        images,
    )


def _listed_images(content: Mapping[str, object]) -> frozenset[str]:
    """Return the names that `training` and `test` list; nothing of what has another form."""
    lists = [content.get(key) for key in ("training", "validation", "test")]
    entries = [entry for found in lists if isinstance(found, list) for entry in found]
    names = [entry.get("image") if isinstance(entry, dict) else entry for entry in entries]
    return frozenset(stem(Path(name)) for name in names if isinstance(name, str))


def _distinct(channels: dict[int, str]) -> dict[int, str]:
    """Add the channel's number to names that occur more than once, such as `MRI`."""
    names = list(channels.values())
    return {n: f"{name}_{n:04d}" if names.count(name) > 1 else name for n, name in channels.items()}


def _label_files(
    root: Path, case_ids: Mapping[str, str], problems: list[Problem]
) -> list[FoundFile]:
    """Find the label maps `labelsTr/<case>.nii.gz`, also `<case>_seg.nii.gz` and the like.

    Args:
        root: The cohort's folder.
        case_ids: Folder of the images of every case.
        problems: Receives label maps without images, and folders that cannot be read.
    """
    files: list[FoundFile] = []
    for image_folder, label_folder in _IMAGE_FOLDERS.items():
        cases = [case for case, folder in case_ids.items() if folder == image_folder]
        found = match_labels(images_in(root / label_folder, problems), cases)
        files += [FoundFile(case, path, is_label=True) for case, path in found.labels.items()]
        problems += found.problems
        if n_unused := len(found.unused):
            others = f" (and {counted(n_unused - 1, 'other')} the same)" if n_unused > 1 else ""
            message = (
                f"The label map {label_folder}/{found.unused[0].name} has no image in"
                f" {image_folder}{others}; it is not used. Add the image, or give both the name of"
                " the case."
            )
            problems.append(Problem("warning", message, None, found.unused[0]))
    return files


def _channel(path: Path, description: _Description) -> re.Match[str] | None:
    """Take a name apart that ends with a channel of the description."""
    found = _CHANNEL_NAME.match(stem(path))
    return found if found and int(found["channel"]) in description.channels else None


def _channel_files(
    path: Path, description: _Description, problems: list[Problem]
) -> list[FoundFile]:
    if found := _channel(path, description):
        modality = description.channels[int(found["channel"])]
        return [FoundFile(found["case"], path, stem(path), modality)]
    known = ", ".join(f"_{number:04d}" for number in description.channels)
    message = (
        f"Expected the name of {path.parent.name}/{path.name} to end with one of {known}, the"
        f" channels in {_FILE_NAME}; the file is not used. Rename it, or add the channel."
    )
    other = _CHANNEL_NAME.match(stem(path))
    problems.append(Problem("error", message, other and other["case"], path))
    return []


def _components(path: Path, description: _Description, problems: list[Problem]) -> list[FoundFile]:
    modalities = tuple(description.channels.values())
    try:
        n_found = n_components(path)
        message = (
            f"Expected {counted(len(modalities), 'image')} ({', '.join(modalities)}, by"
            f" {_FILE_NAME}) in"
            f" {path.name}, found {n_found}. Correct the file or {_FILE_NAME}."
        )
    except CohortError as error:
        n_found, message = 0, str(error)
    if n_found != len(modalities):
        problems.append(Problem("error", message, stem(path), path))
        return []
    return [
        FoundFile(stem(path), path, stem(path), modality, component=number if n_found > 1 else None)
        for number, modality in enumerate(modalities)
    ]


def _fit(root: Path, *, has_channel_files: bool) -> Fit:
    """Tell whether this is a dataset of the form with or without a file per channel."""
    has_images = any(is_folder(root / name) for name in _IMAGE_FOLDERS)
    is_dataset = has_images and (root / _FILE_NAME).is_file()
    is_it = is_dataset and _uses_channel_files(root) == has_channel_files
    return Fit.DECLARED if is_it else Fit.NONE


NNUNET = FolderLayout(
    "nnU-Net",
    "`dataset.json` with `channel_names` beside `imagesTr/<case>_0000.nii.gz`",
    lambda root, _patterns: _fit(root, has_channel_files=True),
    list_nnunet,
    can_be_declared=True,
)
DECATHLON = FolderLayout(
    "Medical Segmentation Decathlon",
    "`dataset.json` with `modality` beside 4-D images `imagesTr/<case>.nii.gz`",
    lambda root, _patterns: _fit(root, has_channel_files=False),
    list_decathlon,
    can_be_declared=True,
)
