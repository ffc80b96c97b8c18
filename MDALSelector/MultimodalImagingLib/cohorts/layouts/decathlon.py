"""Layout: Medical Segmentation Decathlon, `imagesTr/<case>.nii.gz` and `dataset.json`.

An image is 4-D, or 3-D where there is one modality.
"""

from __future__ import annotations

from pathlib import Path

from MultimodalImagingLib.cohorts.cases import FoundFile, Listing, Problem
from MultimodalImagingLib.cohorts.dataset_json import (
    FILE_NAME,
    IMAGE_FOLDERS,
    has_images,
    label_files,
    read_description,
    uses_channel_files,
)
from MultimodalImagingLib.cohorts.folders import images_in, repeated_case, stem
from MultimodalImagingLib.cohorts.layouts.fit import Fit
from MultimodalImagingLib.cohorts.modality_patterns import ModalityPatterns
from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.images.volume_io import n_components

NAME = "Medical Segmentation Decathlon"
LOOKED_FOR = "`dataset.json` with `modality` beside 4-D images `imagesTr/<case>.nii.gz`"
CAN_BE_DECLARED = True


def fit(root: Path, _patterns: ModalityPatterns) -> Fit:
    """Tell whether this is a Decathlon dataset."""
    return Fit(Fit.DECLARED * (has_images(root) and not uses_channel_files(root)))


def list_cases(root: Path, _patterns: ModalityPatterns) -> Listing:
    """List the 3-D images inside the 4-D files of `imagesTr` and `imagesTs`."""
    modalities = tuple(read_description(root).channels.values())
    problems: list[Problem] = []
    files: list[FoundFile] = []
    folder_of_case: dict[str, str] = {}
    for name in IMAGE_FOLDERS:
        for path in images_in(root / name, problems):
            if folder_of_case.setdefault(stem(path), name) == name:
                files += _components(path, modalities, problems)
            else:
                problems.append(repeated_case(stem(path), path))
    files += label_files(root, folder_of_case, problems)
    return Listing(
        NAME,
        root,
        tuple(folder_of_case),
        tuple(files),
        tuple(problems),
        modalities=modalities,
        naming="Cases are named after their files, digits at the end included.",
    )


def _components(
    path: Path, modalities: tuple[str, ...], problems: list[Problem]
) -> list[FoundFile]:
    try:
        n_found = n_components(path)
    except CohortError as error:
        problems.append(Problem("error", str(error), stem(path), path))
        return []
    if n_found != len(modalities):
        message = (
            f"Expected {len(modalities)} images ({', '.join(modalities)}, by {FILE_NAME}) in"
            f" {path.name}, found {n_found}. Correct the file or {FILE_NAME}."
        )
        problems.append(Problem("error", message, stem(path), path))
        return []
    is_4d = n_found > 1
    return [
        FoundFile(stem(path), path, stem(path), modality, component=number if is_4d else None)
        for number, modality in enumerate(modalities)
    ]
