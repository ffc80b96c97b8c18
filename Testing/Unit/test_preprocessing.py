from __future__ import annotations

import gzip
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from MultimodalImagingLib.cohorts.cohort import find_cohort
from MultimodalImagingLib.errors import CancelledError, CohortError, CrossModalError
from MultimodalImagingLib.jobs.progress import NullReporter
from MultimodalImagingLib.preparation import case_preparation
from MultimodalImagingLib.preparation.prepared_case import PreprocessingSpec, cache_file
from MultimodalImagingLib.preparation.preprocessing import (
    PreparedCohort,
    default_spec,
    prepare_cohort,
)
from MultimodalImagingLib.record import checksums
from MultimodalImagingLib.record.checksums import FileChecksums

SPEC = PreprocessingSpec((4.0, 4.0, 4.0), {"CT": "CT", "T1": "MR"})


class CountingReporter(NullReporter):
    def __init__(self, *, cancel_after: int | None = None) -> None:
        self.n_done = 0
        self.texts: list[str] = []
        self.cancel_after = cancel_after

    def advance(self, n: int = 1) -> None:
        self.n_done += n
        if self.n_done == self.cancel_after:
            msg = "Stopped."
            raise CancelledError(msg)

    def info(self, text: str) -> None:
        self.texts.append(text)


def make_cohort(folder: Path, n_cases: int = 3) -> Path:
    for number in range(n_cases):
        generator = np.random.default_rng(number)
        inside = np.linalg.norm(np.indices((12, 14, 16)) - 7.0, axis=0) < 5
        for name, values in {"ct": (-1000.0, 40.0), "t1": (0.0, 300.0)}.items():
            array = np.where(inside, values[1], values[0]) + generator.normal(0, 8, inside.shape)
            image = sitk.GetImageFromArray(array.astype(np.float32))
            image.SetSpacing((4.0, 4.0, 5.0))
            path = folder / f"case-{number}" / f"{name}.nii.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            sitk.WriteImage(image, str(path))
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_cohort(tmp_path / "cohort")


def prepare(folder: Path, cache: Path, **kwargs) -> PreparedCohort:
    reporter = kwargs.pop("reporter", NullReporter())
    return prepare_cohort(find_cohort(folder), SPEC, cache=cache, reporter=reporter)


def forbid_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args, **_kwargs):
        pytest.fail("An image was read.")

    monkeypatch.setattr(case_preparation, "read_volume", refuse)
    monkeypatch.setattr(case_preparation, "read_grid", refuse)


def test_cases_come_in_order_with_their_modalities(folder: Path, tmp_path: Path) -> None:
    reporter = CountingReporter()
    cohort = prepare(folder, tmp_path / "cache", reporter=reporter)
    assert cohort.case_ids == ("case-0", "case-1", "case-2")
    assert len(cohort) == reporter.n_done == 3
    assert [case.case_id for case in cohort] == list(cohort.case_ids)
    assert [header.modalities for header in cohort.headers] == [("CT", "T1")] * 3
    assert cohort.problems == ()
    assert cohort[1].images["T1"].dtype == np.float32


def test_second_run_reads_no_image_and_gives_the_same_arrays(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = find_cohort(folder)
    first = list(prepare_cohort(found, SPEC, cache=tmp_path / "cache", reporter=NullReporter()))
    forbid_reading(monkeypatch)
    second = list(prepare_cohort(found, SPEC, cache=tmp_path / "cache", reporter=NullReporter()))
    for before, after in zip(first, second, strict=True):
        assert before.grid == after.grid
        for modality in before.modalities:
            assert np.array_equal(before.images[modality], after.images[modality])


def test_a_file_replaced_with_its_size_and_time_kept_is_prepared_again(
    folder: Path, tmp_path: Path
) -> None:
    before = prepare(folder, tmp_path / "cache")[0].images["CT"]
    target, source = folder / "case-0" / "ct.nii", folder / "case-1" / "ct.nii"
    for path in (target, source):
        gzipped = path.with_name("ct.nii.gz")
        path.write_bytes(gzip.decompress(gzipped.read_bytes()))
        gzipped.unlink()
    prepare(folder, tmp_path / "cache")
    state = target.stat()
    target.write_bytes(source.read_bytes())
    os.utime(target, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert target.stat().st_size == state.st_size
    after = prepare(folder, tmp_path / "cache")
    assert not np.array_equal(after[0].images["CT"], before)
    assert np.array_equal(after[0].images["CT"], after[1].images["CT"])


def test_a_copied_cohort_is_not_prepared_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(folder, folder / ".crossmodal" / "cache")
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))  # new times, new place on the disk
    found = find_cohort(copy)
    forbid_reading(monkeypatch)
    cache = copy / ".crossmodal" / "cache"
    assert len(prepare_cohort(found, SPEC, cache=cache, reporter=NullReporter())) == 3


def test_a_checksum_is_computed_once_for_an_untouched_file(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checksums, "_QUIET_S", -1.0)
    path = folder / "case-0" / "ct.nii.gz"
    first = FileChecksums(tmp_path / "cache", folder)
    checksum = first.of(path)
    first.save()
    monkeypatch.setattr(checksums, "file_checksum", lambda _path: "read again")
    assert FileChecksums(tmp_path / "cache", folder).of(path) == checksum
    path.write_bytes(path.read_bytes())
    assert FileChecksums(tmp_path / "cache", folder).of(path) == "read again"
    assert first.of(tmp_path / "nowhere") == ""
    (tmp_path / "cache" / "checksums.json").write_text("[1")
    assert FileChecksums(tmp_path / "cache", folder).of(path) == "read again"


def test_cached_arrays_equal_the_fresh_ones_to_half_precision(folder: Path, tmp_path: Path) -> None:
    found = find_cohort(folder)
    cached = prepare(folder, tmp_path / "cache")[0]
    fresh = case_preparation.prepare_case(found.cases[0], SPEC)
    assert cached.grid == fresh.grid
    for modality in fresh.modalities:
        np.testing.assert_allclose(
            cached.images[modality], fresh.images[modality], atol=2e-3, rtol=1e-3
        )
        assert np.array_equal(cached.bodies[modality], fresh.bodies[modality])
        assert np.array_equal(cached.coverage[modality], fresh.coverage[modality])
    assert np.array_equal(cached.body, fresh.body)


def test_cache_files_are_the_same_bytes_on_every_run(folder: Path, tmp_path: Path) -> None:
    prepare(folder, tmp_path / "first")
    prepare(folder, tmp_path / "second")
    names = sorted(p.relative_to(tmp_path / "first") for p in (tmp_path / "first").rglob("*.safe*"))
    assert len(names) == 3
    for name in names:
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


def test_a_changed_file_is_read_again_and_the_others_are_not(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = prepare(folder, tmp_path / "cache")[1]
    shutil.copy(folder / "case-2" / "t1.nii.gz", folder / "case-1" / "t1.nii.gz")
    os.utime(folder / "case-1" / "t1.nii.gz", ns=(10**18, 10**18))
    read: list[str] = []
    original = case_preparation.read_volume

    def spy(file, **settings):
        read.append(file.path.parent.name)
        return original(file, **settings)

    monkeypatch.setattr(case_preparation, "read_volume", spy)
    after = prepare(folder, tmp_path / "cache")[1]
    assert set(read) == {"case-1"}
    assert not np.array_equal(before.images["T1"], after.images["T1"])


def test_another_spacing_or_kind_makes_other_files(folder: Path, tmp_path: Path) -> None:
    found, cache = find_cohort(folder), tmp_path / "cache"
    for spec in (
        SPEC,
        replace(SPEC, spacing_mm=(5.0, 5.0, 5.0)),
        replace(SPEC, kinds={"CT": "CT", "T1": "OTHER"}),
    ):
        prepared = prepare_cohort(found, spec, cache=cache, reporter=NullReporter())
        assert prepared[0].grid.spacing_mm == spec.spacing_mm
    assert len(list(cache.rglob("*.safetensors"))) == 9


@pytest.mark.parametrize("damage", ["truncated", "garbage", "flipped"])
def test_a_damaged_cache_file_is_made_again_and_said_so(
    folder: Path, tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    expected = prepare(folder, tmp_path / "cache")[0]
    path = next((tmp_path / "cache").rglob("case-0*.safetensors"))
    data = bytearray(path.read_bytes())
    if damage == "truncated":
        data = data[: len(data) // 2]
    elif damage == "garbage":
        data[:] = b"x" * len(data)
    else:
        data[-100] ^= 0xFF
    path.write_bytes(bytes(data))
    reporter = CountingReporter()
    result = prepare(folder, tmp_path / "cache", reporter=reporter)[0]
    assert np.array_equal(result.images["CT"], expected.images["CT"])
    assert "case-0" in caplog.text
    assert (len(reporter.texts) == 1) == (damage != "flipped")


def test_a_case_that_cannot_be_used_is_a_problem_and_the_rest_goes_on(
    folder: Path, tmp_path: Path
) -> None:
    moved = sitk.ReadImage(str(folder / "case-1" / "t1.nii.gz"))
    moved.SetOrigin((900.0, 0.0, 0.0))
    sitk.WriteImage(moved, str(folder / "case-1" / "t1.nii.gz"))
    cohort = prepare(folder, tmp_path / "cache")
    assert cohort.case_ids == ("case-0", "case-2")
    (problem,) = cohort.problems
    assert problem.severity == "error"
    assert str(problem).startswith("Case case-1: the modalities need")


def test_an_unusable_image_is_tried_again_and_a_warning_is_remembered(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = sitk.ReadImage(str(folder / "case-0" / "ct.nii.gz"))
    sitk.WriteImage(image * 1e-3, str(folder / "case-0" / "ct.nii.gz"))
    sitk.WriteImage(image * 0.0, str(folder / "case-2" / "ct.nii.gz"))
    found = find_cohort(folder)
    first = prepare_cohort(found, SPEC, cache=tmp_path / "cache", reporter=NullReporter())
    assert [p.severity for p in first.problems] == ["warning", "error"]
    assert first.headers[2].modalities == ("T1",)
    read: list[str] = []
    original = case_preparation.read_volume

    def spy(file, **settings):
        read.append(file.path.parent.name)
        return original(file, **settings)

    monkeypatch.setattr(case_preparation, "read_volume", spy)
    second = prepare_cohort(found, SPEC, cache=tmp_path / "cache", reporter=NullReporter())
    assert second.problems == first.problems
    assert set(read) == {"case-2"}


def test_cancelling_stops_and_leaves_only_whole_files(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(CancelledError):
        prepare(folder, tmp_path / "cache", reporter=CountingReporter(cancel_after=1))
    reporter = CountingReporter()
    assert len(prepare(folder, tmp_path / "cache", reporter=reporter)) == 3
    assert reporter.texts == []


def test_a_cache_that_cannot_be_written_is_explained(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where a folder should be")
    with pytest.raises(CrossModalError, match=r"case-.*cannot be written.*choose another folder"):
        prepare(folder, tmp_path / "cache")


def test_case_names_that_differ_only_in_case_or_signs_have_their_own_files(tmp_path: Path) -> None:
    names = ["Case 1", "case 1", "case/1", "case_1", "Fälle-1", "Falle-1"]
    files = {str(cache_file(tmp_path, name, SPEC)).lower() for name in names}
    assert len(files) == len(names)
    assert all(file.isascii() for file in files)


def test_default_spec_takes_the_coarsest_spacing_and_the_kinds_from_names(folder: Path) -> None:
    spec = default_spec(find_cohort(folder))
    assert dict(spec.kinds) == {"CT": "CT", "T1": "MR"}
    assert spec.spacing_mm == (4.4, 4.4, 4.4)


@pytest.mark.cohort
def test_real_cohort_with_native_grids_is_prepared_without_problems(
    real_cohorts: Path, tmp_path: Path
) -> None:
    found = find_cohort(real_cohorts / "sts51_native")
    cohort = prepare_cohort(found, default_spec(found), cache=tmp_path, reporter=NullReporter())
    assert len(cohort) == 10
    assert cohort.problems == ()
    assert all(len(header.modalities) == 3 for header in cohort.headers)


def test_a_prepared_case_whose_arrays_were_damaged_is_prepared_again(
    folder: Path, tmp_path: Path
) -> None:
    before = prepare(folder, tmp_path / "cache")[0]
    path = cache_file(tmp_path / "cache", before.case_id, SPEC)
    whole = path.read_bytes()
    middle = len(whole) - 5000
    path.write_bytes(whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :])
    after = prepare(folder, tmp_path / "cache")[0]
    for modality, image in before.images.items():
        np.testing.assert_array_equal(after.images[modality], image)
    np.testing.assert_array_equal(after.body, before.body)


@pytest.mark.parametrize("spacing", [(4.0, 4.0), (4.0, 0.0, 4.0), (4.0, -1.0, 4.0)])
def test_a_spacing_that_no_image_has_is_refused(spacing: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="three positive spacings"):
        PreprocessingSpec(spacing, {"CT": "CT"})


@pytest.mark.parametrize("kinds", [{}, {"CT": "X-ray"}])
def test_a_kind_that_does_not_exist_is_refused(kinds: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="for every modality"):
        PreprocessingSpec((4.0, 4.0, 4.0), kinds)


def test_a_cohort_of_unreadable_images_has_no_spacing(folder: Path) -> None:
    found = find_cohort(folder)
    for case in found.cases:
        for image in case.images.values():
            image.path.write_bytes(b"damaged")
    with pytest.raises(CohortError, match="No image of cohort"):
        default_spec(replace(found, positions={}))
