from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.images.geometry import grid_of_image, is_same_grid
from MultimodalImagingLib.images.position import Position
from MultimodalImagingLib.images.stored_image import ImageFile
from MultimodalImagingLib.images.volume_io import read_position

AFFINE = np.array([[-2.0, 0, 0, 10], [0, -3.0, 0, 20], [0, 0, 4.0, -30], [0, 0, 0, 1]])


def rotation(generator: np.random.Generator) -> np.ndarray:
    q, _ = np.linalg.qr(generator.normal(size=(3, 3)))
    return q


def placed(generator: np.random.Generator) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, :3] = rotation(generator) * [2.0, 3.0, 4.0]
    affine[:3, 3] = generator.uniform(-100, 100, 3)
    return affine


def written(
    path: Path,
    *,
    sform: np.ndarray = AFFINE,
    qform: np.ndarray = AFFINE,
    codes: tuple[int, int] = (1, 1),
    unit: str = "mm",
) -> Path:
    """Write a file of 5x6x7 voxels; codes are those of qform and sform."""
    image = nibabel.Nifti1Image(np.zeros((5, 6, 7), np.int16), AFFINE, dtype=np.int16)
    image.set_sform(sform, codes[1])
    image.set_qform(qform, codes[0])
    image.header["qform_code"], image.header["sform_code"] = codes
    image.header.set_xyzt_units(unit)
    nibabel.save(image, path)
    return path


def position(path: Path) -> Position:
    return read_position(ImageFile(path))


def grid_of_itk(path: Path):
    reader = sitk.ImageFileReader()
    reader.SetImageIO("NiftiImageIO")
    reader.SetFileName(str(path))
    reader.ReadImageInformation()
    return grid_of_image(reader)


@pytest.mark.parametrize("qform_code", range(5))
@pytest.mark.parametrize("sform_code", range(5))
def test_the_form_in_use_is_the_one_that_slicer_uses(
    tmp_path: Path, qform_code: int, sform_code: int
) -> None:
    generator = np.random.default_rng(5 * qform_code + sform_code)
    for unit in ("mm", "meter", "micron", "unknown"):
        path = written(
            tmp_path / "t1.nii",
            sform=placed(generator),
            qform=placed(generator),
            codes=(qform_code, sform_code),
            unit=unit,
        )
        expected = grid_of_itk(path)
        tolerance = 1e-3 * max(expected.spacing_mm)
        if qform_code or sform_code:
            assert is_same_grid(position(path).grid, expected, tolerance_mm=tolerance)
        else:
            assert position(path).grid.spacing_mm == pytest.approx(expected.spacing_mm)
            assert position(path).grid.origin_mm == (0.0, 0.0, 0.0)


def test_two_forms_that_differ_by_more_than_a_voxel_are_both_kept(tmp_path: Path) -> None:
    moved = AFFINE.copy()
    moved[:3, 3] += [30, 0, 40]
    for codes, used, other in (((1, 1), "sform", "qform"), ((1, 2), "qform", "sform")):
        found = position(written(tmp_path / "t1.nii", sform=moved, codes=codes))
        assert (found.source, found.other and found.other.name) == (used, other)
        shift = np.subtract(found.grid.origin_mm, found.other.grid.origin_mm)
        assert abs(shift) == pytest.approx([30, 0, 40], abs=1e-4)
    moved[:3, 3] = AFFINE[:3, 3] + [1.5, 0, 0]
    assert position(written(tmp_path / "t1.nii", sform=moved)).other is None


def test_a_form_that_is_mirrored_against_the_other_one_is_told(tmp_path: Path) -> None:
    mirrored = AFFINE @ np.diag([1, 1, -1, 1.0])
    found = position(written(tmp_path / "t1.nii", qform=mirrored, codes=(1, 2)))
    assert found.other is not None
    assert found.grid.direction[8] == -1


def test_spacings_that_contradict_the_sform_are_told(tmp_path: Path) -> None:
    path = written(tmp_path / "t1.nii", codes=(0, 1))
    data = bytearray(path.read_bytes())
    data[80:92] = np.array([9, 9, 9], "<f4").tobytes()
    path.write_bytes(bytes(data))
    found = position(path)
    assert found.grid.spacing_mm == (9, 9, 9)
    assert found.other is not None
    assert found.other.grid.spacing_mm == (2, 3, 4)


def test_a_header_without_codes_holds_no_position(tmp_path: Path) -> None:
    found = position(written(tmp_path / "t1.nii", codes=(0, 0)))
    assert not found.is_known
    assert found.grid.direction == (1, 0, 0, 0, 1, 0, 0, 0, 1)
    assert position(written(tmp_path / "t1.nii", codes=(0, 1))).is_known


def test_an_sform_without_extent_gives_way_to_the_qform(tmp_path: Path) -> None:
    path = written(tmp_path / "t1.nii")
    data = bytearray(path.read_bytes())
    data[280:328] = bytes(48)
    path.write_bytes(bytes(data))
    assert position(path).source == "qform"


@pytest.mark.parametrize(("unit", "name"), [("meter", "metre"), ("micron", "micrometre")])
def test_other_units_are_converted_and_named(tmp_path: Path, unit: str, name: str) -> None:
    scale = {"meter": 1e-3, "micron": 1e3}[unit]
    affine = AFFINE.copy()
    affine[:3] *= scale
    found = position(written(tmp_path / "t1.nii", sform=affine, qform=affine, unit=unit))
    assert found.grid.spacing_mm == pytest.approx((2, 3, 4), rel=1e-5)
    assert found.unit == name
    assert position(written(tmp_path / "t1.nii")).unit == ""


@pytest.mark.parametrize(("shear", "n_remarks"), [(1e-5, 0), (1e-4, 0), (2e-3, 1)])
def test_a_shear_that_moves_no_voxel_by_a_tenth_is_set_right(
    tmp_path: Path, shear: float, n_remarks: int
) -> None:
    affine = AFFINE.copy()
    affine[1, 2] = 4 * shear
    found = position(written(tmp_path / "t1.nii", sform=affine, codes=(0, 1)))
    axes = found.grid.direction_matrix
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-6)
    assert len(found.remarks) == n_remarks


def test_a_larger_shear_is_refused_with_its_size_and_what_to_do(tmp_path: Path) -> None:
    affine = AFFINE.copy()
    affine[1, 2] = 4 * 0.25
    path = written(tmp_path / "t1.nii", sform=affine, codes=(0, 1))
    with pytest.raises(CohortError, match=r"sheared by 14 degrees.*up to 3.9 mm\)\. Resample it"):
        position(path)
    assert position(written(path, sform=affine, codes=(1, 1))).source == "qform"
