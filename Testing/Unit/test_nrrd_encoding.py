"""Compressed NRRD files hold what the plain ones held."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from MultimodalImagingLib.images.nrrd_encoding import compress_nrrd


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.float32])
def test_the_copy_is_smaller_and_equal(tmp_path, kind):
    array = np.zeros((40, 50, 60), dtype=kind)
    array[10:30, 5:9] = 3
    image = sitk.GetImageFromArray(array)
    image.SetSpacing((0.5, 2.0, 3.0))
    image.SetMetaData("Segment0_Name", "encoding: raw in a name")
    plain, packed = tmp_path / "a.nrrd", tmp_path / "b.nrrd"
    sitk.WriteImage(image, str(plain), False)
    compress_nrrd(plain, packed)
    copy = sitk.ReadImage(str(packed))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(copy), array)
    assert copy.GetSpacing() == image.GetSpacing()
    assert copy.GetMetaData("Segment0_Name") == "encoding: raw in a name"
    assert packed.stat().st_size < plain.stat().st_size / 10


def test_voxels_that_look_like_a_header_are_kept(tmp_path):
    text = b"\n\nNRRD\nencoding: raw\n\n" * 30
    array = np.frombuffer(text[:512], dtype=np.uint8).reshape(8, 8, 8)
    plain, packed = tmp_path / "a.nrrd", tmp_path / "b.nrrd"
    sitk.WriteImage(sitk.GetImageFromArray(array), str(plain), False)
    compress_nrrd(plain, packed)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(packed))), array)


@pytest.mark.parametrize(
    "content", [b"", b"NRRD0004\n", b"NRRD0004\nencoding: gzip\n\nabc", b"x" * 99]
)
def test_other_files_are_refused(tmp_path, content):
    plain = tmp_path / "a.nrrd"
    plain.write_bytes(content)
    with pytest.raises(ValueError, match=r"found a\.nrrd"):
        compress_nrrd(plain, tmp_path / "b.nrrd")
    assert not (tmp_path / "b.nrrd").exists()
