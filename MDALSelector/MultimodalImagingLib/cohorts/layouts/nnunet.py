"""Layout: nnU-Net raw dataset, `imagesTr/<case>_0000.nii.gz` and `dataset.json`."""

from __future__ import annotations

from pathlib import Path

from MultimodalImagingLib.cohorts.cases import FoundFile, Listing, Problem
from MultimodalImagingLib.cohorts.dataset_json import (
    CHANNEL_NAME,
    FILE_NAME,
    IMAGE_FOLDERS,
    DatasetDescription,
    check_file_ending,
    has_images,
    label_files,
    read_description,
    uses_channel_files,
)
from MultimodalImagingLib.cohorts.folders import images_in, repeated_case, stem
from MultimodalImagingLib.cohorts.layouts.fit import Fit
from MultimodalImagingLib.cohorts.modality_patterns import ModalityPatterns

NAME = "nnU-Net"
LOOKED_FOR = "`dataset.json` with `channel_names` beside `imagesTr/<case>_0000.nii.gz`"
CAN_BE_DECLARED = True


def fit(root: Path, _patterns: ModalityPatterns) -> Fit:
    """Tell whether this is an nnU-Net raw dataset."""
    return Fit(Fit.DECLARED * (has_images(root) and uses_channel_files(root)))


def list_cases(root: Path, _patterns: ModalityPatterns) -> Listing:
    """List all channels of all cases in `imagesTr` and `imagesTs`."""
    description = read_description(root)
    check_file_ending(root, description)
    problems: list[Problem] = []
    files: list[FoundFile] = []
    folder_of_case: dict[str, str] = {}
    for name in IMAGE_FOLDERS:
        for path in images_in(root / name, problems):
            file = _channel_file(path, description, problems)
            if file is None:
                continue
            if folder_of_case.setdefault(file.case_id, name) == name:
                files.append(file)
            else:
                problems.append(repeated_case(file.case_id, path))
    files += label_files(root, folder_of_case, problems)
    channels = tuple(description.channels.values())
    return Listing(
        NAME,
        root,
        tuple(folder_of_case),
        tuple(files),
        tuple(problems),
        modalities=channels,
        naming="Cases are named after their files without the channel (`_0000`) at the end.",
    )


def _channel_file(
    path: Path, description: DatasetDescription, problems: list[Problem]
) -> FoundFile | None:
    found = CHANNEL_NAME.match(stem(path))
    number = int(found["channel"]) if found else -1
    if found and number in description.channels:
        return FoundFile(found["case"], path, stem(path), description.channels[number])
    known = ", ".join(f"_{number:04d}" for number in description.channels)
    message = (
        f"Expected the name of {path.parent.name}/{path.name} to end with one of {known}, the"
        f" channels in {FILE_NAME}; the file is not used. Rename it, or add the channel."
    )
    problems.append(Problem("error", message, found["case"] if found else None, path))
    return None
