from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from MultimodalImagingLib.images.nifti_values import n_non_finite
from MultimodalImagingLib.images.volume_io import ImageFile, read_volume


def spoiled(shape: tuple[int, ...], kind: type) -> np.ndarray:
    array = np.random.default_rng(0).normal(size=shape).astype(kind)
    array.flat[[3, 17, 40]] = (np.nan, np.inf, -np.inf)
    return array


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_stored_nan_and_infinities_are_counted_though_the_reader_hides_them(
    tmp_path: Path, suffix: str, kind: type
) -> None:
    path = tmp_path / f"image{suffix}"
    sitk.WriteImage(sitk.GetImageFromArray(spoiled((4, 5, 6), kind)), str(path))
    assert np.isfinite(read_volume(ImageFile(path)).array).all()
    assert n_non_finite(ImageFile(path)) == 3


def test_only_the_asked_image_of_a_4d_file_is_looked_at(tmp_path: Path) -> None:
    images = [np.ones((4, 5, 6), np.float32), spoiled((4, 5, 6), np.float32)]
    joined = sitk.JoinSeries([sitk.GetImageFromArray(image) for image in images])
    path = tmp_path / "both.nii.gz"
    sitk.WriteImage(joined, str(path))
    assert n_non_finite(ImageFile(path, 0)) == 0
    assert n_non_finite(ImageFile(path, 1)) == 3


def test_integers_hold_none(tmp_path: Path) -> None:
    path = tmp_path / "image.nii.gz"
    sitk.WriteImage(sitk.GetImageFromArray(np.full((4, 5, 6), -1, np.int16)), str(path))
    assert n_non_finite(ImageFile(path)) == 0


@pytest.mark.parametrize("order", "<>")
def test_both_byte_orders_are_understood(tmp_path: Path, order: str) -> None:
    values = spoiled((3, 4, 5), np.float32).astype(f"{order}f4")
    header = bytearray(352)
    struct.pack_into(f"{order}i", header, 0, 348)
    struct.pack_into(f"{order}8h", header, 40, 3, 5, 4, 3, 1, 1, 1, 1)
    struct.pack_into(f"{order}2h", header, 70, 16, 32)
    struct.pack_into(f"{order}8f", header, 76, 1, 1, 1, 1, 1, 1, 1, 1)
    struct.pack_into(f"{order}f", header, 108, 352)
    path = tmp_path / "image.nii.gz"
    path.write_bytes(gzip.compress(bytes(header) + values.tobytes()))
    assert n_non_finite(ImageFile(path)) == 3
