"""Images that are there twice are named, and their cases are of one patient at most by name."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from phantoms import plain_cohort

from MultimodalImagingLib.cohorts.cohort import find_cohort


@pytest.fixture
def cohort(tmp_path: Path) -> Path:
    return plain_cohort(tmp_path / "cohort", n_cases=3, kinds=("T1", "T2", "FLAIR"))


def test_a_plain_cohort_holds_nothing_twice(cohort: Path) -> None:
    assert find_cohort(cohort).duplicates == {}


def test_two_equal_modalities_of_a_case_are_named_with_their_files(cohort: Path) -> None:
    shutil.copy(cohort / "case00" / "t1.nii.gz", cohort / "case00" / "t2.nii.gz")
    found = find_cohort(cohort)
    assert list(found.duplicates) == ["case00"]
    assert "T1 (t1.nii.gz) and T2 (t2.nii.gz)" in found.duplicates["case00"]
    assert [p.severity for p in found.problems if p.case_id == "case00"] == ["error"]


def test_a_case_that_is_there_twice_names_the_other_one(cohort: Path) -> None:
    shutil.copytree(cohort / "case01", cohort / "other")
    found = find_cohort(cohort)
    assert "all images" in found.duplicates["case01"]
    assert "of other" in found.duplicates["case01"]
    assert "of case01" in found.duplicates["other"]
    patients = {case.case_id: case.patient_id for case in found.cases}
    assert patients["case01"] == patients["other"] != patients["case00"]


def test_one_image_of_another_case_is_named_in_both(cohort: Path) -> None:
    shutil.copy(cohort / "case00" / "t2.nii.gz", cohort / "case02" / "t2.nii.gz")
    found = find_cohort(cohort)
    assert set(found.duplicates) == {"case00", "case02"}
    assert all("T2" in text for text in found.duplicates.values())
    assert len({case.patient_id for case in found.cases}) == 3


def test_a_hard_link_is_a_copy_and_an_equal_label_is_none(cohort: Path) -> None:
    os.link(cohort / "case00" / "flair.nii.gz", cohort / "case01" / "flair_copy.nii.gz")
    (cohort / "case01" / "flair.nii.gz").unlink()
    (cohort / "case01" / "flair_copy.nii.gz").rename(cohort / "case01" / "flair.nii.gz")
    shutil.copy(cohort / "case00" / "seg.nii.gz", cohort / "case02" / "seg.nii.gz")
    assert set(find_cohort(cohort).duplicates) == {"case00", "case01"}


def test_images_that_differ_in_one_voxel_are_different(cohort: Path) -> None:
    import gzip

    plain = gzip.decompress((cohort / "case00" / "t1.nii.gz").read_bytes())
    for name in ("t1", "t2"):
        data = bytearray(plain)
        data[30_000] ^= name == "t2"
        (cohort / "case00" / f"{name}.nii.gz").unlink()
        (cohort / "case00" / f"{name}.nii").write_bytes(data)
    assert find_cohort(cohort).duplicates == {}
