from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.images.file_contents import Payload, payload_fault
from MultimodalImagingLib.images.geometry import Grid, Volume
from MultimodalImagingLib.images.stored_image import ImageFile
from MultimodalImagingLib.images.volume_io import read_grid, write_volume

NUMBERS = np.arange(3000, dtype=np.float32).reshape(10, 15, 20)


def intact(suffix: str, folder: Path) -> bytes:
    path = folder / f"intact{suffix}"
    sitk.WriteImage(sitk.GetImageFromArray(NUMBERS), str(path))
    return path.read_bytes()


def archive(kind: str, folder: Path) -> bytes:
    data, stream = intact(".nii", folder), io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(stream, "w") as file:
            file.writestr("t1.nii", data)
    else:
        with tarfile.open(fileobj=stream, mode="w:gz") as file:
            file.add(folder / "intact.nii", "t1.nii")
    return stream.getvalue()


def numpy_file() -> bytes:
    stream = io.BytesIO()
    np.save(stream, NUMBERS)
    return stream.getvalue()


CONTENTS = {
    "a Git LFS pointer": lambda _: (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 9\n"
    ),
    "git-annex": lambda _: b"/annex/objects/MD5E-s1--2.nii.gz\n",
    "a web page": lambda _: b"\n<!DOCTYPE html><html><body>Log in</body></html>" * 9,
    "a JSON text": lambda _: json.dumps({"error": "not found"}).encode(),
    "bzip2": lambda folder: bz2.compress(intact(".nii", folder)),
    "xz": lambda folder: lzma.compress(intact(".nii", folder)),
    "a ZIP archive": lambda folder: archive("zip", folder),
    "a TAR archive, compressed": lambda folder: archive("tar", folder),
    "compressed twice": lambda folder: gzip.compress(intact(".nii.gz", folder)),
    "an NRRD image": lambda folder: intact(".nrrd", folder),
    "a MetaImage": lambda folder: intact(".mha", folder),
    "a NumPy array": lambda _: numpy_file(),
    "a PNG picture": lambda _: b"\x89PNG\r\n\x1a\n" + b"0" * 600,
    "a DICOM file": lambda _: bytes(128) + b"DICM" + b"1" * 600,
    "nothing but zeros": lambda _: bytes(4000),
    "an empty file": lambda _: b"",
}


@pytest.mark.parametrize("found", CONTENTS)
def test_what_a_file_holds_in_place_of_an_image_is_named(
    tmp_path: Path, found: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "t1.nii.gz"
    path.write_bytes(CONTENTS[found](tmp_path))
    with pytest.raises(CohortError, match=r"t1\.nii\.gz") as error:
        read_grid(ImageFile(path))
    assert found in str(error.value)
    assert "intact copy" not in str(error.value)
    captured = capfd.readouterr()
    assert captured.out + captured.err == ""


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
def test_other_formats_name_foreign_content_too(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"t1{suffix}"
    for found in ("a Git LFS pointer", "a web page", "a ZIP archive"):
        path.write_bytes(CONTENTS[found](tmp_path))
        with pytest.raises(CohortError, match=found):
            read_grid(ImageFile(path))
    path.write_bytes(intact(".nii", tmp_path))
    with pytest.raises(CohortError, match="a NIfTI image"):
        read_grid(ImageFile(path))


def test_a_link_to_nothing_says_how_to_get_the_file(tmp_path: Path) -> None:
    path = tmp_path / "t1.nii.gz"
    path.symlink_to("../.git/annex/objects/none")
    with pytest.raises(CohortError, match=r"a link to a file that is not there.*datalad get"):
        read_grid(ImageFile(path))


def test_a_truncated_download_is_told_from_foreign_content(tmp_path: Path) -> None:
    path = tmp_path / "t1.nii.gz"
    grid = Grid((20, 15, 10), (1, 1, 1), (0, 0, 0), tuple(np.eye(3).ravel().tolist()))
    write_volume(path, Volume(NUMBERS, grid))
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(CohortError, match="truncated"):
        read_grid(ImageFile(path))


def test_a_length_that_fits_only_modulo_four_gigabytes_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "image.nii.gz"
    path.write_bytes(gzip.compress(bytes(1000)))
    assert payload_fault(Payload(path, 0, "gzip", 1000), is_thorough=False) is None
    fault = payload_fault(Payload(path, 0, "gzip", 1000 + 2**32), is_thorough=False)
    assert fault is not None
    assert fault.startswith("a truncated file")
