from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.images.file_contents import Payload, payload_fault
from MultimodalImagingLib.images.stored_image import ImageFile
from MultimodalImagingLib.images.text_header import (
    read_text_header,
    text_header_fault,
    text_payload,
    text_position,
)
from MultimodalImagingLib.images.volume_io import read_grid, read_volume

N_BYTES = 10 * 9 * 8 * 2


def written(path: Path, *, is_compressed: bool) -> Path:
    values = np.random.default_rng(0).integers(0, 900, (10, 9, 8)).astype(np.int16)
    sitk.WriteImage(sitk.GetImageFromArray(values), str(path), is_compressed)
    return path


def payload_of(path: Path) -> Payload:
    payload = text_payload(read_text_header(path))
    assert payload is not None
    return payload


@pytest.mark.parametrize(
    ("name", "is_compressed", "encoding"),
    [
        ("a.nrrd", False, "raw"),
        ("a.nrrd", True, "gzip"),
        ("a.mha", False, "raw"),
        ("a.mha", True, "zlib"),
    ],
)
def test_voxels_inside_the_file_begin_where_the_header_ends(
    tmp_path: Path, name: str, is_compressed: bool, encoding: str
) -> None:
    path = written(tmp_path / name, is_compressed=is_compressed)
    payload = payload_of(path)
    assert (payload.encoding, payload.n_bytes) == (encoding, N_BYTES)
    if encoding == "raw":
        assert path.stat().st_size - payload.offset == N_BYTES
    assert payload_fault(payload, is_thorough=True) is None
    assert payload_fault(payload, is_thorough=False) is None


@pytest.mark.parametrize(
    ("name", "other", "encoding"), [("a.nhdr", "a.raw.gz", "gzip"), ("a.mhd", "a.raw", "raw")]
)
def test_voxels_in_a_file_of_their_own_are_found(
    tmp_path: Path, name: str, other: str, encoding: str
) -> None:
    path = written(tmp_path / name, is_compressed=encoding == "gzip")
    payload = payload_of(path)
    assert payload == Payload(tmp_path / other, 0, encoding, N_BYTES)
    assert payload_fault(payload, is_thorough=True) is None
    (tmp_path / other).write_bytes((tmp_path / other).read_bytes()[:-50])
    assert payload_fault(payload, is_thorough=False) is not None


def replaced(path: Path, old: bytes, new: bytes) -> Path:
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new, 1))
    return path


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("a.nrrd", b"encoding: raw", b"encoding: hex"),
        ("a.nrrd", b"encoding: raw", b"line skip: 0\nencoding: raw"),
        ("a.nrrd", b"type: short", b"type: block"),
        ("a.nrrd", b"sizes: 8", b"sizes: x"),
        ("a.nhdr", b"data file: a.raw", b"data file: a%d.raw 1 9 1"),
        ("a.mhd", b"ElementDataFile = a.raw", b"ElementDataFile = LIST"),
        ("a.mha", b"ElementType = MET_SHORT", b"HeaderSize = -1\nElementType = MET_SHORT"),
        ("a.mha", b"DimSize", b"Sizes"),
    ],
)
def test_what_the_header_says_otherwise_is_left_to_the_reading_library(
    tmp_path: Path, name: str, old: bytes, new: bytes
) -> None:
    path = replaced(written(tmp_path / name, is_compressed=False), old, new)
    assert text_payload(read_text_header(path)) is None


def test_a_header_longer_than_what_is_looked_at_is_no_fault(tmp_path: Path) -> None:
    path = written(tmp_path / "a.nrrd", is_compressed=False)
    expected = read_volume(ImageFile(path)).array
    replaced(path, b"encoding: raw", b"encoding: raw\n" + b"note:=" + b"x" * 70_000)
    assert text_payload(read_text_header(path)) is None
    assert read_grid(ImageFile(path)).size == (8, 9, 10)
    np.testing.assert_array_equal(read_volume(ImageFile(path)).array, expected)


def test_a_compressed_file_whose_header_promises_more_is_truncated(tmp_path: Path) -> None:
    for name in ("a.mha", "a.nrrd"):
        path = written(tmp_path / name, is_compressed=True)
        replaced(path, b" 8 9 10", b" 8 9 20")
        fault = payload_fault(payload_of(path), is_thorough=True)
        assert fault == "a truncated file with 50 % of the data that its header promises"


@pytest.mark.parametrize("is_thorough", [False, True])
def test_a_whole_gzip_stream_with_less_than_the_header_promises_is_truncated(
    tmp_path: Path, is_thorough: bool
) -> None:
    """No end is missing and every check sum fits: only the length tells."""
    path = tmp_path / "a.raw.gz"
    path.write_bytes(gzip.compress(bytes(600)))
    whole = Payload(path, 0, "gzip", 600)
    assert payload_fault(whole, is_thorough=is_thorough) is None
    more = Payload(path, 0, "gzip", 1200)
    assert "50 %" in (payload_fault(more, is_thorough=is_thorough) or "")


@pytest.mark.parametrize("name", ["NDims", "DimSize", "ElementType", "ElementDataFile"])
def test_a_metaimage_header_that_lacks_a_line_is_refused_without_noise(
    tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "t1.mha"
    sitk.WriteImage(sitk.GetImageFromArray(np.ones((4, 5, 6), np.float32)), str(path))
    assert text_header_fault(read_text_header(path)) is None
    path.write_bytes(path.read_bytes().replace(name.encode(), b"X" * len(name), 1))
    assert text_header_fault(read_text_header(path)) == f"a MetaImage header without {name}"
    with pytest.raises(CohortError, match=f"without {name}"):
        read_grid(ImageFile(path))
    captured = capfd.readouterr()
    assert captured.out + captured.err == ""


def test_positions_that_headers_lack_or_contradict_are_told(tmp_path: Path) -> None:
    path = tmp_path / "t1.mha"
    sitk.WriteImage(sitk.GetImageFromArray(np.ones((4, 5, 6), np.float32)), str(path))
    assert text_position(read_text_header(path)) == (True, ())
    data = path.read_bytes()
    path.write_bytes(data.replace(b"AnatomicalOrientation = RAI", b"AnatomicalOrientation = LPS"))
    is_known, remarks = text_position(read_text_header(path))
    assert is_known
    assert "AnatomicalOrientation LPS" in remarks[0]
    assert "means RAI" in remarks[0]
    path.write_bytes(data.replace(b"TransformMatrix", b"XransformMatrix").replace(b"Offset", b"X"))
    assert text_position(read_text_header(path))[0] is False
    path.write_bytes(data.replace(b"TransformMatrix = 1", b"TransformMatrix = ?"))
    assert text_position(read_text_header(path)) == (True, ())
