"""Damaged NRRD and MetaImage headers are refused before a library crashes on them."""

from __future__ import annotations

import numpy as np
import pytest
from phantoms import save_itk

from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.images.stored_image import ImageFile
from MultimodalImagingLib.images.text_header import read_text_header, text_header_fault
from MultimodalImagingLib.images.volume_io import read_volume

ARRAY = np.arange(512, dtype=np.int16).reshape(8, 8, 8)


@pytest.fixture
def nrrd(tmp_path):
    return save_itk(tmp_path / "image.nrrd", ARRAY, compress=False)


@pytest.fixture
def meta(tmp_path):
    return save_itk(tmp_path / "image.mha", ARRAY, compress=False)


def _change(path, old, new):
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new, 1))


@pytest.mark.parametrize("suffix", ["nrrd", "mha"])
@pytest.mark.parametrize("compress", [False, True])
def test_intact_headers_have_no_fault(tmp_path, suffix, compress):
    path = save_itk(tmp_path / f"image.{suffix}", ARRAY, compress=compress)

    assert text_header_fault(read_text_header(path)) is None
    assert read_volume(ImageFile(path)).array.sum() == ARRAY.sum()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"sizes: 8 8 8", b"sizes: 8 8 " + b"a" * 5000),
        (b"sizes: 8 8 8", b"sizes: 8 8"),
        (b"sizes: 8 8 8", b"sizes: 0 8 8"),
        (b"sizes: 8 8 8", b"sizes: 8 8 99999999999999999999"),
        (b"dimension: 3", b"dimension: 16"),
        (b"dimension: 3", b"dimension: 3\ndimension: 3"),
        (b"kinds: domain domain domain", b"kinds: " + b"a" * 5000 + b" domain domain"),
        (b"kinds: domain domain domain", b"kinds: domain domain"),
        (b"type: short", b"type: block"),
    ],
)
def test_damaged_nrrd_headers_are_refused(nrrd, old, new):
    _change(nrrd, old, new)

    assert text_header_fault(read_text_header(nrrd)) is not None  # before ITK sees the file
    with pytest.raises(CohortError, match=r"image\.nrrd"):
        read_volume(ImageFile(nrrd))


def test_an_encoding_that_cannot_be_checked_is_refused(nrrd):
    _change(nrrd, b"encoding: raw", b"encoding: hex\nbyte skip: 9")

    with pytest.raises(CohortError, match=r"image\.nrrd"):
        read_volume(ImageFile(nrrd))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"NDims = 3", b"NDims = 65535"),
        (b"NDims = 3", b"NDims = 3\nNDims = -1"),
        (b"NDims = 3", b"NDims = x"),
        (b"DimSize = 8 8 8", b"DimSize = 8 8 8 0"),
        (b"DimSize = 8 8 8", b"DimSize = -8 8 8"),
        (b"ElementSpacing = 4 4 4", b"ElementSpacing = 4 4 nan"),
        (b"TransformMatrix = 1 0 0", b"TransformMatrix = 1 0"),
        (b"ElementDataFile = LOCAL", b"ElementDataFile = %s%n"),
        (b"MET_SHORT", b"MET_OTHER"),
        (b"DimSize = 8 8 8", b"DimSize = 99999 99999 9999\nHeaderSize = 1"),
        (b"DimSize = 8 8 8", b"ElementNumberOfChannels = 1000000000\nDimSize = 8 8 8"),
        (b"DimSize = 8 8 8", b"ElementNumberOfChannels = 0\nDimSize = 8 8 8"),
    ],
)
def test_damaged_meta_image_headers_are_refused(meta, old, new):
    _change(meta, old, new)

    assert text_header_fault(read_text_header(meta)) is not None
    with pytest.raises(CohortError, match=r"image\.mha"):
        read_volume(ImageFile(meta))
