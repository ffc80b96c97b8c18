"""The `dataset.json` of nnU-Net and of the Medical Segmentation Decathlon."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from MultimodalImagingLib.cohorts.cases import FoundFile, Problem
from MultimodalImagingLib.cohorts.folders import images_in, is_folder, stem
from MultimodalImagingLib.cohorts.label_folder import match_labels
from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.images.volume_io import image_suffix
from MultimodalImagingLib.record.json_text import json_value

FILE_NAME = "dataset.json"
IMAGE_FOLDERS = {
    "imagesTr": "labelsTr",
    "imagesVa": "labelsVa",
    "imagesVal": "labelsVal",
    "imagesTs": "labelsTs",
}
CHANNEL_NAME = re.compile(r"^(?P<case>.+)_(?P<channel>\d{4})$")


@dataclass(frozen=True)
class DatasetDescription:
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


def has_images(root: Path) -> bool:
    """Tell whether there is a `dataset.json` beside image folders."""
    has_folder = any(is_folder(root / name) for name in IMAGE_FOLDERS)
    return has_folder and (root / FILE_NAME).is_file()


def uses_channel_files(root: Path) -> bool:
    """Tell whether images are `<case>_0000`, one file per channel, and not `<case>`.

    Label maps and the lists in `dataset.json` have the names of cases and decide. Where there are
    none, the numbers at the ends of names have to be channels of the description.
    """
    description = read_description(root)
    stems = {stem(path) for name in IMAGE_FOLDERS for path in images_in(root / name, [])}
    numbered = [found for name in stems if (found := CHANNEL_NAME.match(name)) is not None]
    cases = {stem(p) for name in IMAGE_FOLDERS.values() for p in images_in(root / name, [])}
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


def read_description(root: Path) -> DatasetDescription:
    """Read a `dataset.json`.

    Raises:
        CohortError: If it is no JSON, or does not say which channels there are.
    """
    path = root / FILE_NAME
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
    return DatasetDescription(
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


def label_files(
    root: Path, case_ids: Mapping[str, str], problems: list[Problem]
) -> list[FoundFile]:
    """Find the label maps `labelsTr/<case>.nii.gz`, also `<case>_seg.nii.gz` and the like.

    Args:
        root: The cohort's folder.
        case_ids: Folder of the images of every case.
        problems: Receives label maps without images, and folders that cannot be read.
    """
    files: list[FoundFile] = []
    for image_folder, label_folder in IMAGE_FOLDERS.items():
        cases = [case for case, folder in case_ids.items() if folder == image_folder]
        found = match_labels(images_in(root / label_folder, problems), cases)
        files += [FoundFile(case, path, is_label=True) for case, path in found.labels.items()]
        problems += found.problems
        if found.unused:
            message = (
                f"The label map {label_folder}/{found.unused[0].name} has no image in"
                f" {image_folder}{_and_others(len(found.unused))}; it is not used. Add the image,"
                " or give both the name of the case."
            )
            problems.append(Problem("warning", message, None, found.unused[0]))
    return files


def _and_others(n_files: int) -> str:
    return f" (and {n_files - 1} others the same)" if n_files > 1 else ""


def check_file_ending(root: Path, description: DatasetDescription) -> None:
    """Refuse file types that hold no 3-D images.

    Raises:
        CohortError: If the description names an ending that cannot be read.
    """
    ending = description.file_ending
    if ending is not None and image_suffix(Path("x" + ending)) is None:
        msg = (
            f"Expected 3-D images in {root}, found the file ending {ending!r} in {FILE_NAME}."
            " Convert the images to .nii.gz first."
        )
        raise CohortError(msg)
