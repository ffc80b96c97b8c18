from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from MultimodalImagingLib.cohorts.cases import Case, Problem
from MultimodalImagingLib.cohorts.content_checks import check_images, check_volume
from MultimodalImagingLib.cohorts.label_survey import label_problems, survey_labels
from MultimodalImagingLib.images.geometry import Grid, Volume
from MultimodalImagingLib.images.stored_image import ImageFile
from MultimodalImagingLib.images.volume_io import write_volume
from MultimodalImagingLib.jobs.progress import NullReporter

GRID = Grid((6, 5, 4), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), tuple(np.eye(3).ravel()))


def noise() -> np.ndarray:
    return np.random.default_rng(0).normal(size=GRID.array_shape).astype(np.float32)


def written(path: Path, array: np.ndarray) -> ImageFile:
    write_volume(path, Volume(array, GRID))
    return ImageFile(path)


def faults_of_label(label: ImageFile) -> list[Problem]:
    case = Case("a", "a", {}, label)
    survey = survey_labels({"a": label}, NullReporter())
    return list(label_problems([case], survey, with_empty=True))


def spoiled(value: float) -> np.ndarray:
    array = noise()
    array[1, 2, 3] = value
    return array


def test_a_varying_finite_image_is_good() -> None:
    assert check_volume(Volume(noise(), GRID)) is None


@pytest.mark.parametrize(
    ("array", "found"),
    [
        (spoiled(np.nan), "1 voxel with NaN or infinity"),
        (spoiled(-np.inf), "1 voxel with NaN or infinity"),
        (np.full(GRID.array_shape, 3.5), "the same value 3.5 in all voxels"),
    ],
)
def test_an_image_that_cannot_be_used_is_named(array: np.ndarray, found: str) -> None:
    assert check_volume(Volume(array, GRID)) == found


@pytest.mark.parametrize(
    "array",
    [
        (noise() > 0).astype(np.uint8),
        np.round(np.abs(noise())),
        np.where(noise() > 0, 1.992, 0.0).astype(np.float32),
        np.where(noise() > 0, -1, 2).astype(np.int16),
    ],
)
def test_whole_numbers_are_good_labels(tmp_path: Path, array: np.ndarray) -> None:
    label = written(tmp_path / "seg.nii.gz", array)
    assert faults_of_label(label) == []


@pytest.mark.parametrize(
    ("array", "found"),
    [
        (np.full(GRID.array_shape, 0.5), "found values between 0 and 1 such as 0.5"),
        (spoiled(np.inf), "NaN or infinity"),
        (noise() * 100, "different values such as"),
    ],
)
def test_a_label_of_other_numbers_is_named(tmp_path: Path, array: np.ndarray, found: str) -> None:
    for name in ("seg.nii.gz", "seg.nrrd"):
        label = written(tmp_path / name, array.astype(np.float32))
        (problem,) = faults_of_label(label)
        assert found in problem.message
        assert "Case a" in str(problem)


def test_all_files_of_a_case_are_read_and_all_faults_named(tmp_path: Path) -> None:
    damaged = written(tmp_path / "adc.nii.gz", noise())
    data = bytearray(damaged.path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    damaged.path.write_bytes(bytes(data))
    images = {
        "CT": written(tmp_path / "ct.nii.gz", noise()),
        "PET": written(tmp_path / "pet.nii.gz", spoiled(np.nan)),
        "T1": written(tmp_path / "t1.nrrd", spoiled(np.inf)),
        "T2": written(tmp_path / "t2.nii.gz", np.zeros(GRID.array_shape, np.int16)),
        "ADC": damaged,
    }
    label = written(tmp_path / "seg.nii.gz", np.zeros(GRID.array_shape, np.uint8))
    problems = [*check_images(Case("a", "a", images)), *faults_of_label(label)]
    advice = "Replace the file; until then the modality counts as missing in this case."
    assert [(p.severity, str(p)) for p in problems] == [
        (
            "error",
            "Case a: Expected finite values in pet.nii.gz, found 1 voxel with NaN or infinity"
            " inside the image. Set them to 0 if nothing was measured there, or get the file"
            " again.",
        ),
        (
            "error",
            "Case a: Expected finite values in t1.nrrd, found 1 voxel with NaN or infinity inside"
            " the image. Set them to 0 if nothing was measured there, or get the file again.",
        ),
        (
            "error",
            "Case a: Expected finite, varying values in the T2 image t2.nii.gz, found the same"
            f" value 0 in all voxels. {advice}",
        ),
        (
            "error",
            "Case a: Expected one 3-D image in adc.nii.gz, found damaged compressed data. Replace"
            " the file by an intact copy.",
        ),
        (
            "warning",
            "Case a: Expected a label map with at least one labeled voxel in seg.nii.gz, found an"
            " empty mask. Leave it if there is nothing to label, else label the case.",
        ),
    ]
    assert [p.path for p in problems][:1] == [tmp_path / "pet.nii.gz"]


def test_a_good_case_has_no_faults(tmp_path: Path) -> None:
    images = {"CT": written(tmp_path / "ct.nii.gz", noise())}
    assert list(check_images(Case("a", "a", images))) == []


def test_a_mask_among_the_images_is_named_as_one(tmp_path: Path) -> None:
    mask = written(tmp_path / "t1.nii.gz", (noise() > 0).astype(np.uint8))
    (problem,) = check_images(Case("a", "a", {"T1": mask}))
    assert problem.severity == "error"
    assert "found a mask" in problem.message
    assert "`t1_mask=label`" in problem.message
