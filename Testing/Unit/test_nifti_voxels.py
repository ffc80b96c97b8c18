from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.images.arrays import EnclosedNonFiniteError, with_finite_background
from MultimodalImagingLib.images.nifti import read_nifti_header, read_nifti_voxels
from MultimodalImagingLib.images.stored_image import ImageFile
from MultimodalImagingLib.images.volume_io import read_volume

INTEGERS = ("u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8")
TYPE_CODES = (2, 256, 512, 4, 768, 8, 1280, 1024)


def stored(path: Path, component: int = 0) -> np.ndarray:
    return read_nifti_voxels(path, read_nifti_header(path), component)


def spoiled(shape: tuple[int, ...], kind: type) -> np.ndarray:
    array = np.random.default_rng(0).normal(size=shape).astype(kind)
    array.flat[[3, 17, 40]] = (np.nan, np.inf, -np.inf)
    return array


def ball(values: float) -> np.ndarray:
    """A body of varying values with something else around it."""
    k, j, i = np.meshgrid(*[np.linspace(-1, 1, 9)] * 3, indexing="ij")
    inside = np.random.default_rng(0).uniform(5.0, 9.0, (9, 9, 9)).astype(np.float32)
    return np.where(k**2 + j**2 + i**2 < 0.7, inside, np.float32(values))


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_stored_nan_and_infinities_stay_what_they_are(
    tmp_path: Path, suffix: str, kind: type
) -> None:
    path = tmp_path / f"image{suffix}"
    array = spoiled((4, 5, 6), kind)
    sitk.WriteImage(sitk.GetImageFromArray(array), str(path))
    np.testing.assert_array_equal(stored(path), array)


def test_only_the_asked_image_of_a_4d_file_is_read(tmp_path: Path) -> None:
    arrays = [np.ones((4, 5, 6), np.float32), spoiled((4, 5, 6), np.float32)]
    joined = sitk.JoinSeries([sitk.GetImageFromArray(array) for array in arrays])
    path = tmp_path / "both.nii.gz"
    sitk.WriteImage(joined, str(path))
    np.testing.assert_array_equal(stored(path, 0), arrays[0])
    np.testing.assert_array_equal(stored(path, 1), arrays[1])


@pytest.mark.parametrize("order", "<>")
def test_both_byte_orders_are_understood(tmp_path: Path, order: str) -> None:
    values = spoiled((3, 4, 5), np.float32)
    path = tmp_path / "image.nii.gz"
    path.write_bytes(gzip.compress(nifti(values.astype(f"{order}f4"), order=order)))
    np.testing.assert_array_equal(stored(path), values)


def nifti(
    array: np.ndarray, *, code: int = 16, order: str = "<", scale: tuple[float, float] = (1, 0)
) -> bytes:
    header = bytearray(352)
    struct.pack_into(f"{order}i", header, 0, 348)
    struct.pack_into(f"{order}8h", header, 40, 3, *array.shape[::-1], 1, 1, 1, 1)
    struct.pack_into(f"{order}2h", header, 70, code, 8 * array.itemsize)
    struct.pack_into(f"{order}8f", header, 76, 1, 1, 1, 1, 1, 1, 1, 1)
    struct.pack_into(f"{order}3f", header, 108, 352, *scale)
    header[344:348] = b"n+1\0"
    return bytes(header) + array.tobytes()


@pytest.mark.parametrize("scale", [(1.0, 0.0), (2.5, -7.0), (0.0, 0.0), (1.0, -9.0), (3.0, 0.0)])
@pytest.mark.parametrize(("kind", "code"), zip(INTEGERS, TYPE_CODES, strict=True))
def test_every_type_reads_as_the_library_of_slicer_reads_it(
    tmp_path: Path, kind: str, code: int, scale: tuple[float, float]
) -> None:
    array = np.random.default_rng(0).integers(0, 100, (4, 5, 6)).astype(kind)
    path = tmp_path / "image.nii"
    path.write_bytes(nifti(array, code=code, scale=scale))
    image = sitk.ReadImage(str(path), imageIO="NiftiImageIO")
    np.testing.assert_allclose(stored(path), sitk.GetArrayFromImage(image), rtol=1e-6)
    assert (stored(path).dtype.kind == "f") == (scale not in [(1.0, 0.0), (0.0, 0.0)])


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_a_file_that_got_shorter_since_its_lengths_were_compared_is_refused(
    tmp_path: Path, suffix: str
) -> None:
    data = nifti(np.ones((4, 5, 6), np.uint8), code=2)[:-30]
    path = tmp_path / f"image{suffix}"
    path.write_bytes(gzip.compress(data) if suffix == ".nii.gz" else data)
    with pytest.raises(ValueError, match="truncated file with 75 %"):
        stored(path)


def test_an_unknown_type_of_numbers_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "image.nii"
    path.write_bytes(nifti(np.zeros((4, 5, 6), np.uint8), code=77))
    with pytest.raises(CohortError, match="an unknown type of numbers"):
        read_volume(ImageFile(path))


def test_a_claim_that_no_compressed_file_can_hold_takes_no_memory(tmp_path: Path) -> None:
    data = bytearray(nifti(np.zeros((4, 5, 6), np.uint8), code=2))
    struct.pack_into("<8h", data, 40, 3, 32767, 32767, 32767, 1, 1, 1, 1)
    path = tmp_path / "image.nii.gz"
    path.write_bytes(gzip.compress(bytes(data)))
    with pytest.raises(CohortError, match="truncated file with 0 %"):
        read_volume(ImageFile(path))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_around_the_body_becomes_air(value: float) -> None:
    array, n_replaced = with_finite_background(ball(value))
    assert n_replaced == int((~np.isfinite(ball(value))).sum())
    np.testing.assert_array_equal(array, ball(0.0))
    below, _ = with_finite_background(ball(value) - 20)
    assert below.min() == (ball(9.0) - 20).min()
    air, _ = with_finite_background(ball(value), background=-1024.0)
    assert air[0, 0, 0] == -1024.0


def test_what_is_not_finite_inside_the_body_is_refused_with_its_number() -> None:
    array = ball(np.nan)
    array[4, 4, 3:5] = np.nan
    with pytest.raises(EnclosedNonFiniteError, match="2 voxels"):
        with_finite_background(array)


def test_an_image_without_any_finite_voxel_is_refused() -> None:
    with pytest.raises(EnclosedNonFiniteError, match="every voxel"):
        with_finite_background(np.full((9, 9, 9), np.nan))


def test_finite_values_and_integers_are_returned_as_they_are() -> None:
    for array in (ball(0.0), np.arange(27).reshape(3, 3, 3)):
        same, n_replaced = with_finite_background(array)
        assert same is array
        assert n_replaced == 0


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
def test_every_format_tells_of_replaced_voxels(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"t1{suffix}"
    sitk.WriteImage(sitk.GetImageFromArray(ball(np.nan)), str(path))
    remarks: list[str] = []
    volume = read_volume(ImageFile(path), remarks=remarks)
    np.testing.assert_array_equal(volume.array, ball(0.0))
    assert f"t1{suffix}" in remarks[0]
    assert str(int(np.isnan(ball(np.nan)).sum())) in remarks[0]
