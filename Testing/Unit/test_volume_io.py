from __future__ import annotations

import gzip
import struct
import time
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from MultimodalImagingLib.errors import CohortError, CrossModalError
from MultimodalImagingLib.images.geometry import (
    Grid,
    Volume,
    image_from_volume,
    is_same_grid,
    resample,
)
from MultimodalImagingLib.images.stored_image import IMAGE_SUFFIXES, ImageFile, image_suffix
from MultimodalImagingLib.images.volume_io import n_components, read_grid, read_volume, write_volume

OBLIQUE = Grid(
    (7, 6, 5),
    (0.7, 1.1, 3.0),
    (-12.5, 40.25, 7.0),
    tuple(
        (
            np.array([[0.8, -0.6, 0.0], [0.6, 0.8, 0.0], [0.0, 0.0, 1.0]])
            @ np.array([[1.0, 0.0, 0.0], [0.0, 0.6, -0.8], [0.0, 0.8, 0.6]])
        ).ravel()
    ),
)
ONE_FILE_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha")


def numbered(grid: Grid = OBLIQUE, kind: str = "float32") -> Volume:
    n_voxels = int(np.prod(grid.size))
    return Volume(np.arange(n_voxels).reshape(grid.array_shape).astype(kind), grid)


def written(path: Path) -> Path:
    """A file with noise, so that it does not compress to nothing."""
    generator = np.random.default_rng(0)
    grid = Grid((20, 21, 22), (1.0, 2.0, 3.0), (0.0, 0.0, 0.0), tuple(np.eye(3).ravel()))
    write_volume(path, Volume(generator.normal(size=(22, 21, 20)).astype(np.float32), grid))
    return path


def patched_nifti(path: Path, *patches: tuple[int, str, tuple[float, ...]]) -> Path:
    """Overwrite header fields `(offset, format, values)` of an uncompressed NIfTI file."""
    written(path)
    data = bytearray(path.read_bytes())
    for offset, kind, values in patches:
        struct.pack_into(f"<{kind}", data, offset, *values)
    path.write_bytes(bytes(data))
    return path


def refusal(reader: Callable[[ImageFile], object], path: Path) -> str:
    with pytest.raises(CohortError) as raised:
        reader(ImageFile(path))
    message = str(raised.value)
    assert message.startswith("Expected one 3-D image in ")
    assert path.name in message
    assert str(path.parent) not in message
    assert message.endswith(".")
    return message


@pytest.mark.parametrize("suffix", ONE_FILE_SUFFIXES)
@pytest.mark.parametrize("kind", ["uint8", "int16", "float32", "float64"])
def test_what_is_written_is_read_again(tmp_path: Path, suffix: str, kind: str) -> None:
    path = tmp_path / f"Größe µ{suffix}"
    volume = numbered(kind=kind)
    write_volume(path, volume)
    found = read_volume(ImageFile(path))
    assert found.array.dtype == np.dtype(kind)
    np.testing.assert_array_equal(found.array, volume.array)
    assert is_same_grid(found.grid, OBLIQUE)
    assert is_same_grid(read_grid(ImageFile(path)), OBLIQUE)
    assert n_components(path) == 1


@pytest.mark.parametrize("orientation", ["RAS", "LAS", "PIL", "ASR", "SRP", "IPL"])
@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd"])
def test_an_image_stored_in_another_orientation_lies_at_the_same_place(
    tmp_path: Path, orientation: str, suffix: str
) -> None:
    volume = numbered()
    turned = sitk.DICOMOrient(image_from_volume(volume), orientation)
    path = tmp_path / f"t1{suffix}"
    sitk.WriteImage(turned, str(path))
    found = read_volume(ImageFile(path))
    assert found.grid.direction != OBLIQUE.direction
    back = resample(found, OBLIQUE, interpolation="nearest", fill=-1.0)
    np.testing.assert_array_equal(back.array, volume.array)


def test_booleans_are_written_as_zero_and_one(tmp_path: Path) -> None:
    mask = numbered().array % 2 == 0
    write_volume(tmp_path / "mask.nii.gz", Volume(mask, OBLIQUE))
    found = read_volume(ImageFile(tmp_path / "mask.nii.gz")).array
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found == 1, mask)


def test_the_same_volume_gives_the_same_bytes(tmp_path: Path) -> None:
    paths = [tmp_path / f"a{suffix}" for suffix in ONE_FILE_SUFFIXES]
    contents = []
    for pause_s in (0.0, 1.1):  # gzip headers can hold a time in seconds
        time.sleep(pause_s)
        for path in paths:
            write_volume(path, numbered())
        contents.append([path.read_bytes() for path in paths])
    assert contents[0] == contents[1]
    assert sorted(tmp_path.iterdir()) == sorted(paths)


def test_a_volume_that_cannot_be_written_is_explained_and_leaves_the_old_file(
    tmp_path: Path,
) -> None:
    (tmp_path / "a.xyz").write_text("old")
    with pytest.raises(CrossModalError, match=r"a\.xyz cannot be written"):
        write_volume(tmp_path / "a.xyz", numbered())
    assert (tmp_path / "a.xyz").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1
    with pytest.raises(CrossModalError, match="does not exist"):
        write_volume(tmp_path / "absent" / "a.nii.gz", numbered())


@pytest.mark.parametrize(
    ("name", "suffix"),
    [("a.NII.GZ", ".nii.gz"), ("b.seg.nrrd", ".nrrd"), ("c.nii.json", None), ("gz", None)],
)
def test_images_are_known_by_their_suffix_in_any_case(name: str, suffix: str | None) -> None:
    assert image_suffix(Path("folder.nii") / name) == suffix


def test_one_image_of_a_4d_file_is_read_by_its_number(tmp_path: Path) -> None:
    images = [sitk.GetImageFromArray(np.full((4, 5, 6), n, np.int16)) for n in range(3)]
    for image in images:
        image.SetSpacing((1.0, 2.0, 3.0))
        image.SetDirection((-1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 1.0))
    path = tmp_path / "case.nii.gz"
    sitk.WriteImage(sitk.JoinSeries(images), str(path))
    assert n_components(path) == 3
    for number in range(3):
        volume = read_volume(ImageFile(path, number))
        assert volume.array.shape == (4, 5, 6)
        assert (volume.array == number).all()
        assert volume.grid.spacing_mm == (1.0, 2.0, 3.0)
        assert volume.grid.direction[0] == -1.0
    with pytest.raises(CohortError, match="found 3 images, not number 3"):
        read_volume(ImageFile(path, 3))


@pytest.mark.parametrize("suffix", ONE_FILE_SUFFIXES)
def test_a_4d_file_with_a_single_image_is_that_image(tmp_path: Path, suffix: str) -> None:
    image = sitk.GetImageFromArray(np.arange(120, dtype=np.float32).reshape(4, 5, 6))
    path = tmp_path / f"case{suffix}"
    sitk.WriteImage(sitk.JoinSeries([image]), str(path))
    assert read_grid(ImageFile(path)).size == (6, 5, 4)
    assert read_volume(ImageFile(path)).array[3, 4, 5] == 119


def test_what_is_not_one_3d_scalar_image_is_refused(tmp_path: Path) -> None:
    contents = {
        "a 4-D image of 7x6x5x4 voxels": sitk.GetImageFromArray(
            np.zeros((4, 5, 6, 7), np.float32), isVector=False
        ),
        "a 2-D image of 6x5 voxels": sitk.GetImageFromArray(np.zeros((5, 6), np.float32)),
        "a 2-D image of 6x5x1 voxels": sitk.GetImageFromArray(np.zeros((1, 5, 6), np.float32)),
        "3 values per voxel": sitk.GetImageFromArray(
            np.zeros((4, 5, 6, 3), np.float32), isVector=True
        ),
    }
    for number, (found, image) in enumerate(contents.items()):
        path = tmp_path / f"image{number}.nii.gz"
        sitk.WriteImage(image, str(path))
        assert f"found {found}" in refusal(read_grid, path)
        assert f"found {found}" in refusal(read_volume, path)


@pytest.mark.parametrize("suffix", ONE_FILE_SUFFIXES)
def test_a_truncated_file_is_noticed_from_its_header(tmp_path: Path, suffix: str) -> None:
    path = written(tmp_path / f"t1{suffix}")
    whole = path.read_bytes()
    for n_bytes in (len(whole) // 2, len(whole) - 5):
        path.write_bytes(whole[:n_bytes])
        assert "truncated" in refusal(read_grid, path)
        assert "truncated" in refusal(read_volume, path)


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
def test_damaged_compressed_data_is_noticed_when_voxels_are_read(
    tmp_path: Path, suffix: str
) -> None:
    path = written(tmp_path / f"t1{suffix}")
    data = bytearray(path.read_bytes())
    for offset in range(len(data) // 2, len(data) // 2 + 8):
        data[offset] ^= 0x5A
    path.write_bytes(bytes(data))
    assert "found damaged compressed data" in refusal(read_volume, path)


def test_a_whole_file_in_several_gzip_members_is_no_truncated_file(tmp_path: Path) -> None:
    path = written(tmp_path / "t1.nii.gz")
    expected = read_volume(ImageFile(path)).array
    raw = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(raw[:9000]) + gzip.compress(raw[9000:]) + gzip.compress(b""))
    np.testing.assert_array_equal(read_volume(ImageFile(path)).array, expected)
    assert read_grid(ImageFile(path)).size == (20, 21, 22)


def test_nothing_that_the_reading_library_complains_about_reaches_the_terminal(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for suffix in ONE_FILE_SUFFIXES:
        path = written(tmp_path / f"t1{suffix}")
        path.write_bytes(path.read_bytes()[:-2000])
        refusal(read_volume, path)
    refusal(read_volume, patched_nifti(tmp_path / "a.nii", (268, "f", (float("nan"),))))
    refusal(read_volume, patched_nifti(tmp_path / "b.nii", (42, "h", (0,))))
    captured = capfd.readouterr()
    assert captured.out + captured.err == ""


@pytest.mark.parametrize("suffix", IMAGE_SUFFIXES)
@pytest.mark.parametrize(("content", "found"), [(b"", "an empty file"), (b"hello " * 99, "")])
def test_a_file_of_other_content_is_refused(
    tmp_path: Path, suffix: str, content: bytes, found: str
) -> None:
    path = tmp_path / f"t1{suffix}"
    path.write_bytes(content)
    assert found in refusal(read_grid, path)
    assert found in refusal(read_volume, path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert "No such file" in refusal(read_grid, tmp_path / "t1.nii.gz")
    assert "a file that cannot be opened" in refusal(read_grid, tmp_path / "t1.nii.gz")
    assert "none of .nii.gz, .nii" in refusal(read_grid, tmp_path / "t1.png")
    (tmp_path / "t2.nii.gz").symlink_to(tmp_path / "t1.nii.gz")
    assert "a link to a file that is not there" in refusal(read_grid, tmp_path / "t2.nii.gz")


def test_missing_voxels_of_a_header_file_are_noticed(tmp_path: Path) -> None:
    for header, voxels in ((".mhd", ".raw"), (".nhdr", ".raw")):
        path = tmp_path / f"t1{header}"
        sitk.WriteImage(sitk.GetImageFromArray(np.ones((4, 5, 6), np.float32)), str(path))
        assert read_volume(ImageFile(path)).array.shape == (4, 5, 6)
        path.with_suffix(voxels).unlink()
        assert "No such file" in refusal(read_grid, path)


NAN, INFINITY = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("patch", "found"),
    [
        ((80, "f", (NAN,)), "the spacing nan, 2, 3"),
        ((80, "f", (0.0,)), "the spacing 0, 2, 3"),
        ((84, "f", (INFINITY,)), "the spacing 1, inf, 3"),
        ((42, "h", (0,)), "the size 0x21x22"),
        ((40, "h", (9,)), "a header that claims 9 axes"),
        ((40, "h", (0,)), "a header that claims 0 axes"),
        ((268, "f", (NAN,)), "NaN or infinities in its position"),
        ((280, "f", (INFINITY,)), "NaN or infinities in its position"),
        ((0, "i", (777,)), "does not begin with a NIfTI header"),
    ],
)
def test_a_header_that_libraries_repair_silently_is_refused(
    tmp_path: Path, patch: tuple[int, str, tuple[float, ...]], found: str
) -> None:
    path = patched_nifti(tmp_path / "t1.nii", patch)
    assert found in refusal(read_grid, path)
    assert found in refusal(read_volume, path)


def test_axes_that_are_not_perpendicular_are_refused(tmp_path: Path) -> None:
    shear = (1.0, 0.5, 0.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0, 0.0, 3.0, 0.0)
    path = patched_nifti(tmp_path / "t1.nii", (252, "2h", (0, 1)), (280, "12f", shear))
    assert "axes that are not perpendicular" in refusal(read_grid, path)
    nrrd = written(tmp_path / "t1.nrrd")
    old = b"space directions: (1,0,0) (0,2,0) (0,0,3)"
    assert old in nrrd.read_bytes()
    nrrd.write_bytes(nrrd.read_bytes().replace(old, b"space directions: (1,0,0) (1,2,0) (0,0,3)"))
    assert "axes that are not perpendicular" in refusal(read_grid, nrrd)


def test_a_file_that_ends_inside_its_header_is_named(tmp_path: Path) -> None:
    path = written(tmp_path / "t1.nii")
    path.write_bytes(path.read_bytes()[:200])
    assert "a file that ends after 200 bytes" in refusal(read_grid, path)
    path = written(tmp_path / "t2.nii.gz")
    path.write_bytes(path.read_bytes()[:10] + b"\xff" * 400)
    assert "damaged compressed data" in refusal(read_grid, path)


def test_both_byte_orders_are_read(tmp_path: Path) -> None:
    expected = numbered(kind="int16").array
    write_volume(tmp_path / "little.nii", Volume(expected, OBLIQUE))
    path = tmp_path / "big.nii"
    path.write_bytes(_as_big_endian((tmp_path / "little.nii").read_bytes()))
    volume = read_volume(ImageFile(path))
    np.testing.assert_array_equal(volume.array, expected)
    assert is_same_grid(volume.grid, OBLIQUE)
    path.write_bytes(path.read_bytes()[:-100])
    assert "truncated" in refusal(read_grid, path)


def test_a_newer_nifti_version_is_read(tmp_path: Path) -> None:
    array = np.arange(120, dtype=np.float32).reshape(4, 5, 6)
    affine = np.array([[-2.0, 0, 0, 10], [0, -3.0, 0, 20], [0, 0, 4.0, -30], [0, 0, 0, 1]])
    path = tmp_path / "t1.nii.gz"
    nibabel.save(nibabel.Nifti2Image(array, affine), path)
    volume = read_volume(ImageFile(path))
    np.testing.assert_array_equal(volume.array, array.transpose())
    np.testing.assert_allclose(volume.grid.affine_ras, affine)


def test_a_negative_spacing_is_read_by_its_amount(tmp_path: Path) -> None:
    path = patched_nifti(tmp_path / "t1.nii", (80, "3f", (-1.0, 2.0, -3.0)))
    intact = read_grid(ImageFile(written(tmp_path / "t2.nii")))
    assert is_same_grid(read_grid(ImageFile(path)), intact)


@pytest.mark.parametrize(("written_as", "named"), [(".nii.gz", ".nii"), (".nii", ".nii.gz")])
def test_the_content_decides_about_compression_and_not_the_name(
    tmp_path: Path, written_as: str, named: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path / f"t1{written_as}")
    expected = read_volume(ImageFile(path))
    other = path.rename(tmp_path / f"t2{named}")
    np.testing.assert_array_equal(read_volume(ImageFile(other)).array, expected.array)
    assert read_grid(ImageFile(other)) == expected.grid
    captured = capfd.readouterr()
    assert captured.out + captured.err == ""


def _as_big_endian(data: bytes) -> bytes:
    fields = [(0, "i"), (40, "8h"), (70, "2h"), (76, "8f"), (108, "3f"), (252, "2h")]
    fields += [(256, "6f"), (280, "12f")]
    swapped = bytearray(data)
    for offset, kind in fields:
        struct.pack_into(f">{kind}", swapped, offset, *struct.unpack_from(f"<{kind}", data, offset))
    swapped[352:] = np.frombuffer(data[352:], dtype="<i2").astype(">i2").tobytes()
    return bytes(swapped)
