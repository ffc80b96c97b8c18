"""Series of DICOM files become volumes with the right voxels at the right place, or a sentence."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from dicom_files import (
    AXIAL,
    CORONAL,
    SAGITTAL,
    SPACING,
    SeriesPlan,
    ct_plan,
    save,
    write_enhanced,
    write_series,
)
from pydicom import dcmread
from pydicom.uid import RLELossless

from MultimodalImagingLib.cohorts.cases import Cohort
from MultimodalImagingLib.cohorts.cohort import find_cohort
from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.images.geometry import Volume
from MultimodalImagingLib.images.volume_io import read_volume

MR = SeriesPlan()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A cohort that has one case with a CT, so that there is always something to use."""
    write_series(tmp_path / "x" / "ct", ct_plan())
    return tmp_path


def messages(cohort: Cohort) -> str:
    return "\n".join(f"{problem.severity}: {problem}" for problem in cohort.problems)


def only_volume(cohort: Cohort, modality: str) -> Volume:
    (case,) = cohort.cases
    return read_volume(case.images[modality])


@pytest.mark.parametrize("orientation", [AXIAL, SAGITTAL, CORONAL], ids=["ax", "sag", "cor"])
def test_voxels_lie_where_the_series_reader_of_itk_puts_them(
    folder: Path, orientation: tuple[float, ...]
) -> None:
    plan = replace(MR, orientation=orientation)
    paths = write_series(folder / "x" / "mr", plan)
    volume = only_volume(find_cohort(folder), "T1")
    expected = sitk.ReadImage([str(path) for path in paths])
    np.testing.assert_array_equal(volume.array, plan.values)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(expected), plan.values)
    np.testing.assert_allclose(volume.grid.spacing_mm, SPACING)
    np.testing.assert_allclose(volume.grid.origin_mm, expected.GetOrigin())
    np.testing.assert_allclose(volume.grid.direction, expected.GetDirection(), atol=1e-12)


def test_hounsfield_units_stay_whole_numbers(folder: Path) -> None:
    ct = only_volume(find_cohort(folder), "CT").array
    assert ct.dtype.kind == "i"
    np.testing.assert_array_equal(ct, ct_plan().values.astype(int) - 1024)


def test_every_slice_keeps_a_slope_of_its_own(folder: Path) -> None:
    """The first slope is a whole number, which must not make whole numbers of the other slices."""
    slopes = np.array([1.0, 0.5, 0.25, 0.125, 2.0, 0.5])

    def edit(k: int, dataset) -> None:
        dataset.RescaleSlope, dataset.RescaleIntercept = slopes[k], 0

    write_series(folder / "x" / "mr", MR, edit)
    volume = only_volume(find_cohort(folder), "T1")
    np.testing.assert_allclose(volume.array, MR.values * slopes[:, None, None])


@pytest.mark.parametrize("slopes", [(), (0.5,) * 6, (0.5, 2.0, 1.0, 0.25, 4.0, 3.0)])
def test_a_file_of_several_frames_is_one_volume(folder: Path, slopes: tuple[float, ...]) -> None:
    order = [3, 0, 5, 1, 4, 2]
    write_enhanced(folder / "x" / "mr.dcm", MR, slopes=slopes, order=order)
    volume = only_volume(find_cohort(folder), "T1")
    of_slice = np.ones(6)
    of_slice[order] = slopes or 1.0
    np.testing.assert_allclose(volume.array, MR.values * of_slice[:, None, None])
    np.testing.assert_allclose(volume.grid.origin_mm, MR.origin)
    np.testing.assert_allclose(volume.grid.spacing_mm, SPACING)


def test_missing_slices_are_named_and_the_series_is_not_used(folder: Path) -> None:
    paths = write_series(folder / "x" / "mr", MR)
    paths[2].unlink()
    cohort = find_cohort(folder)
    assert cohort.modalities == ("CT",)
    text = messages(cohort)
    assert "error: Case case-0001: Expected a volume in series 1 (t1_mprage), found" in text
    assert "1 slice missing of 6 (between slices 2 and 3; 4 mm apart else)" in text
    assert "Get the missing files" in text


def test_uneven_distances_are_not_straightened(folder: Path) -> None:
    def edit(k: int, dataset) -> None:
        dataset.ImagePositionPatient = [-10, -7, -12 + 4 * k + 0.7 * k * k]

    write_series(folder / "x" / "mr", MR, edit)
    assert "slices at uneven distances (4.7 to 10.3 mm)" in messages(find_cohort(folder))


def test_rounded_positions_are_even(folder: Path) -> None:
    def edit(k: int, dataset) -> None:
        dataset.ImagePositionPatient = [-10, -7, round(-12 + 4 * k + 0.1 * (k % 2), 1)]

    write_series(folder / "x" / "mr", MR, edit)
    assert find_cohort(folder).modalities == ("CT", "T1")


def test_a_tilted_gantry_is_named_and_not_straightened(folder: Path) -> None:
    shift = 4 * np.tan(np.radians(15))

    def edit(k: int, dataset) -> None:
        dataset.ImagePositionPatient = [-10, -7 + shift * k, -12 + 4 * k]
        dataset.GantryDetectorTilt = -15

    write_series(folder / "x" / "tilted", ct_plan(number=9, description="Neck"), edit)
    cohort = find_cohort(folder)
    assert cohort.modalities == ("CT",)
    assert len(cohort.matches) == 1
    text = messages(cohort)
    assert "shifted against each other by up to 5.36 mm" in text
    assert "(a gantry tilt of 15 degrees; the header says 15)" in text
    assert "Acquisition geometry regularization" in text


def test_orientations_of_one_series_are_volumes_of_their_own(folder: Path) -> None:
    for n, orientation in enumerate((AXIAL, SAGITTAL, CORONAL)):
        plan = replace(MR, orientation=orientation, shape=(3 + n, 10, 12))
        write_series(folder / "x" / f"mr{n}", plan, _new_images(n))
    cohort = find_cohort(folder)
    sizes = {m.file.place: m.file.details for m in cohort.matches if m.file.kind == "MR"}
    assert [place.rpartition(" ")[2] for place in sizes] == ["1.1", "1.2", "1.3"]
    assert "12x10x5, 2x1.5x4 mm" in sizes["case-0001 series 1.1"]
    assert "Expected one T1 image, found 3" in messages(cohort)
    assert "`case_0001_series_1_1=T1`" in messages(cohort)


def test_echoes_of_one_series_are_volumes_of_their_own(folder: Path) -> None:
    def edit(k: int, dataset) -> None:
        dataset.EchoTime = 12.0

    write_series(folder / "x" / "first", MR, edit)
    write_series(folder / "x" / "second", replace(MR, seed=5), _new_images(2))
    volumes = [m.file for m in find_cohort(folder).matches if m.file.kind == "MR"]
    arrays = [read_volume(file.image_file).array for file in volumes]
    assert len(arrays) == 2
    assert any(np.array_equal(array, MR.values) for array in arrays)
    assert any(np.array_equal(array, replace(MR, seed=5).values) for array in arrays)


def test_images_at_one_place_that_nothing_tells_apart_are_refused(folder: Path) -> None:
    write_series(folder / "x" / "first", MR)
    write_series(folder / "x" / "second", replace(MR, seed=5), _new_images(2, echo=False))
    text = messages(find_cohort(folder))
    assert "12 images at 6 places that nothing tells apart" in text


def test_copies_of_files_count_once_and_are_said(folder: Path) -> None:
    paths = write_series(folder / "x" / "mr", MR)
    for path in paths[:4]:
        (folder / "copy").mkdir(exist_ok=True)
        shutil.copy(path, folder / "copy" / path.name)
    changed = dcmread(folder / "copy" / paths[0].name)
    changed.PixelData = bytes(len(changed.PixelData))
    save(changed, folder / "copy" / paths[0].name)
    cohort = find_cohort(folder)
    text = messages(cohort)
    assert "4 of 10 files repeat an image: not used" in text
    assert "1 of the images have copies with another content" in text
    assert only_volume(cohort, "T1").grid.size == (12, 10, 6)


@pytest.mark.parametrize(
    ("syntax", "name"),
    [("RLE", "RLE"), ("JPEG2000", "JPEG 2000"), ("JPEG", "JPEG Lossless")],
)
def test_compressed_images_are_read(folder: Path, syntax: str, name: str) -> None:
    def edit(k: int, dataset) -> None:
        if syntax == "RLE":
            dataset.compress(RLELossless, generate_instance_uid=False)
            return
        encoded = _encoded(folder / "encoded.dcm", MR.values[k], syntax)
        dataset.PixelData = encoded.PixelData
        dataset["PixelData"].VR = "OB"
        dataset["PixelData"].is_undefined_length = True
        dataset.file_meta.TransferSyntaxUID = encoded.file_meta.TransferSyntaxUID

    paths = write_series(folder / "x" / "mr", MR, edit)
    (folder / "encoded.dcm").unlink(missing_ok=True)
    assert name in dcmread(paths[0]).file_meta.TransferSyntaxUID.name
    np.testing.assert_array_equal(only_volume(find_cohort(folder), "T1").array, MR.values)


def test_a_compression_that_is_not_read_is_named(folder: Path) -> None:
    def edit(k: int, dataset) -> None:
        dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.201"
        dataset["PixelData"].VR = "OB"
        dataset.PixelData = b"\xfe\xff\x00\xe0\x00\x00\x00\x00\xfe\xff\xdd\xe0\x00\x00\x00\x00"
        dataset["PixelData"].is_undefined_length = True

    write_series(folder / "x" / "mr", MR, edit)
    text = messages(find_cohort(folder))
    assert "found a compression that is not read (High-Throughput JPEG 2000" in text
    assert "gdcmconv --raw" in text


def test_truncated_files_and_such_without_a_place_are_named(folder: Path) -> None:
    for path in write_series(folder / "x" / "mr", MR):
        path.write_bytes(path.read_bytes()[:-20])
    write_series(
        folder / "x" / "other",
        replace(MR, number=2, description="t2_tse"),
        lambda _, dataset: delattr(dataset, "PixelSpacing"),
    )
    text = messages(find_cohort(folder))
    assert "Expected images of series 1 that can be read, found truncated files" in text
    assert "series 2 (t2_tse), found no position or spacing" in text


def test_a_file_that_went_or_broke_after_inspection_is_an_error_without_its_name(
    folder: Path,
) -> None:
    paths = write_series(folder / "x" / "mr", MR)
    (case,) = find_cohort(folder).cases
    paths[3].write_bytes(b"nothing")
    with pytest.raises(CohortError, match="found slice 4 of 6 that cannot be read") as broken:
        read_volume(case.images["T1"])
    paths[3].unlink()
    with pytest.raises(CohortError, match="found no file of slice 4 of 6") as gone:
        read_volume(case.images["T1"])
    assert paths[3].name not in f"{broken.value} {gone.value}"


def _new_images(n: int, *, echo: bool = True):
    """Make the images of a series others than those of another one with the same UID."""

    def edit(k: int, dataset) -> None:
        dataset.SOPInstanceUID = f"1.2.3.{n}.{k}"
        if echo:
            dataset.EchoTime = 90.0 + n

    return edit


def _encoded(path: Path, values: np.ndarray, compressor: str):
    """Compress one slice as GDCM does."""
    writer = sitk.ImageFileWriter()
    writer.SetImageIO("GDCMImageIO")
    writer.SetFileName(str(path))
    writer.UseCompressionOn()
    writer.SetCompressor(compressor)
    writer.Execute(sitk.GetImageFromArray(values[None]))
    return dcmread(path)
