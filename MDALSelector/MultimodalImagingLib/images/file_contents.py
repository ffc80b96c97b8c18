"""What a file really holds: no image at all, or fewer voxels than its header promises.

Libraries fill the missing end of a truncated file with zeros, or write to standard error only.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

_READ_BYTES = 512
_GZIP = b"\x1f\x8b"
_NIFTI_SIZES = (b"\x5c\x01\x00\x00", b"\x00\x00\x01\x5c")

# First bytes, what such a file is, and what to do.
_STARTS: tuple[tuple[bytes, str, str], ...] = (
    (
        b"version https://git-lfs",
        "a Git LFS pointer in place of the image",
        "Fetch the image with `git lfs pull`.",
    ),
    (
        b"/annex/objects/",
        "a git-annex pointer in place of the image",
        "Fetch the image with `git annex get` or `datalad get`.",
    ),
    (b"BZh", "data compressed with bzip2", "Decompress it (`bunzip2`) and compress it with gzip."),
    (b"\xfd7zXZ\0", "data compressed with xz", "Decompress it (`unxz`) and compress it with gzip."),
    (b"\x28\xb5\x2f\xfd", "data compressed with zstd", "Decompress it and compress it with gzip."),
    (b"PK\x03\x04", "a ZIP archive", "Unpack it and put the image in its place."),
    (b"PK\x05\x06", "an empty ZIP archive", "Get the file again."),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "Unpack it and put the image in its place."),
    (b"Rar!", "a RAR archive", "Unpack it and put the image in its place."),
    (_GZIP, "data compressed with gzip", "Decompress it (`gunzip`)."),
    (b"NRRD000", "an NRRD image", "Give its name the suffix .nrrd."),
    (b"ObjectType", "a MetaImage", "Give its name the suffix .mha."),
    (b"\x89HDF", "an HDF5 file (perhaps MINC)", "Convert it to .nii.gz."),
    (b"\x93NUMPY", "a NumPy array", "Save it as .nii.gz with the position of its image."),
    (b"\x89PNG", "a PNG picture", "Give the 3-D image that it was made from."),
    (b"\xff\xd8\xff", "a JPEG picture", "Give the 3-D image that it was made from."),
    (b"II*\0", "a TIFF picture", "Convert it to .nii.gz with the position of its image."),
    (b"MM\0*", "a TIFF picture", "Convert it to .nii.gz with the position of its image."),
    (b"%PDF", "a PDF document", "Put the image in its place."),
    (_NIFTI_SIZES[0], "a NIfTI image", "Give its name the suffix .nii."),
    (_NIFTI_SIZES[1], "a NIfTI image", "Give its name the suffix .nii."),
    (b"\x00\x00\x00\x01\x00\x00", "a FreeSurfer image", "Convert it with `mri_convert`."),
)
# The same for marks that come later: their place in the file first.
_MARKS = (
    (128, b"DICM", "a DICOM file", "Convert the series to .nii.gz (`dcm2niix`, or 3D Slicer)."),
    (257, b"ustar", "a TAR archive", "Unpack it and put the image in its place."),
)
_WEB_PAGE = (b"<!doctype", b"<html", b"<?xml", b"<head", b"<error")
_JSON = (b'{"', b"{\n", b"{ ", b"{'")
_DOWNLOAD_AGAIN = "The download has failed; log in where it is needed, and get the file again."


def foreign_content(path: Path) -> tuple[str, str] | None:
    """Tell what a file holds in place of the image that its name promises.

    Returns:
        What it is, as the end of "found ...", and what to do; `None` if it is nothing known.

    Raises:
        OSError: If the file cannot be opened.
    """
    with path.open("rb") as file:
        data = file.read(_READ_BYTES)
    name = path.name.lower()
    if data.startswith(_NIFTI_SIZES) and name.endswith((".nii", ".nii.gz")):
        return None
    if data.startswith(b"ObjectType") and name.endswith((".mha", ".mhd")):
        return None
    if data.startswith(_GZIP) and name.endswith(".gz"):
        inner = _first_bytes(data)
        if inner.startswith(_GZIP):
            return "a file that is compressed twice", "Decompress it once (`gunzip`)."
        known = _known(inner)
        return known and (f"{known[0]}, compressed", known[1])
    return _known(data)


def _known(data: bytes) -> tuple[str, str] | None:
    for start, what, advice in _STARTS:
        if data.startswith(start):
            return what, advice
    for place, mark, what, advice in _MARKS:
        if data[place : place + len(mark)] == mark:
            return what, advice
    text = data.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((*_WEB_PAGE, *_JSON)):
        kind = "a web page" if text.startswith(_WEB_PAGE) else "a JSON text"
        return f"{kind} in place of the image", _DOWNLOAD_AGAIN
    return ("nothing but zeros", "Get the file again.") if data and not data.strip(b"\0") else None


def _first_bytes(data: bytes) -> bytes:
    try:
        return zlib.decompressobj(31).decompress(data, _READ_BYTES)
    except zlib.error:
        return b""


_BLOCK_BYTES = 1 << 18
# Deflate cannot make more than this of a byte.
_MOST_INFLATION = 1100


@dataclass(frozen=True)
class Payload:
    """Where the voxels lie in a file.

    Attributes:
        path: The file.
        offset: Where the (compressed) data begins, bytes.
        encoding: `"gzip"` and `"zlib"` carry a check sum, `"raw"` does not.
        n_bytes: Length of the uncompressed data that the header promises, bytes.
        n_stored: Length of the compressed data, if the header says it, bytes.
    """

    path: Path
    offset: int
    encoding: Literal["raw", "gzip", "zlib"]
    n_bytes: int
    n_stored: int | None = None


def payload_fault(payload: Payload, *, is_thorough: bool) -> str | None:
    """Say whether voxels are missing or damaged, as the end of "found ..."; else `None`.

    Args:
        payload: Where the voxels should be.
        is_thorough: Decompress everything and compare the check sum. Otherwise only the lengths
            that the file states are compared, and the rest only if they do not fit.

    Raises:
        OSError: If the file cannot be opened.
    """
    n_there = payload.path.stat().st_size - payload.offset
    if payload.encoding == "raw":
        return _fault(n_there, payload.n_bytes)
    if payload.n_stored is not None and n_there < payload.n_stored:
        return _fault(n_there, payload.n_stored)
    if not is_thorough and _is_length_as_stated(payload):
        return None
    try:
        with decompressing(), payload.path.open("rb") as file:
            file.seek(payload.offset)
            n_found = _inflated_length(file, payload.encoding)
    except ValueError as error:
        return str(error)
    return _fault(n_found, payload.n_bytes)


@contextmanager
def decompressing() -> Iterator[None]:
    """Say as a `ValueError` what is wrong with compressed data, as the end of "found ..."."""
    try:
        yield
    except EOFError as error:
        msg = "a compressed file that ends too early (truncated, perhaps a broken download)"
        raise ValueError(msg) from error
    except (zlib.error, gzip.BadGzipFile) as error:
        msg = "damaged compressed data"
        raise ValueError(msg) from error


def _fault(n_found: int, n_expected: int) -> str | None:
    if n_found >= n_expected:
        return None
    share = 100 * max(n_found, 0) / n_expected
    return f"a truncated file with {share:.0f} % of the data that its header promises"


def _is_length_as_stated(payload: Payload) -> bool:
    if payload.encoding == "zlib":
        return payload.n_stored is not None
    if payload.n_bytes > _MOST_INFLATION * payload.path.stat().st_size:
        return False
    with payload.path.open("rb") as file:
        file.seek(-4, 2)  # a gzip file ends with its uncompressed length modulo 2^32
        return int.from_bytes(file.read(4), "little") == payload.n_bytes % 2**32


def _inflated_length(file: BinaryIO, encoding: str) -> int:
    n_bytes = 0
    if encoding == "gzip":
        with gzip.open(file) as stream:
            while block := stream.read(4 * _BLOCK_BYTES):
                n_bytes += len(block)
        return n_bytes
    inflater = zlib.decompressobj()
    while not inflater.eof:
        block = inflater.unconsumed_tail or file.read(_BLOCK_BYTES)
        if not block:
            raise EOFError
        n_bytes += len(inflater.decompress(block, 4 * _BLOCK_BYTES))
    return n_bytes
