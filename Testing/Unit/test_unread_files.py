from __future__ import annotations

from pathlib import Path

import pytest
from phantoms import plain_cohort

from MultimodalImagingLib.cohorts.cases import Problem
from MultimodalImagingLib.cohorts.cohort import find_cohort
from MultimodalImagingLib.errors import CohortError


def problems(root: Path) -> tuple[Problem, ...]:
    return find_cohort(root).problems


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("t1.mgz", "mri_convert"),
        ("t1.hdr", "fslchfiletype"),
        ("IM0001.dcm", "dcm2niix"),
        ("t1.PAR", "dcm2niix"),
        ("t1.npy", "NumPy"),
        ("t1.mnc", "mnc2nii"),
        ("t1.nii.bz2", "Unpack"),
        ("t1.nii.zip", "Unpack"),
        ("t1.nrrd.gz", "gunzip"),
    ],
)
def test_formats_that_are_not_read_are_named_with_what_to_do(
    tmp_path: Path, name: str, said: str
) -> None:
    root = plain_cohort(tmp_path, n_cases=3, kinds=("FLAIR", "T2"))
    for case in ("case00", "case02"):
        (root / case / name).write_bytes(b"1")
    (problem,) = problems(root)
    assert problem.severity == "warning"
    assert problem.message.startswith("2 files are in a format that is not read")
    assert f"case00/{name}" in problem.message
    assert said in problem.message


def test_pictures_are_a_note_and_other_files_are_nothing(tmp_path: Path) -> None:
    root = plain_cohort(tmp_path, n_cases=2, kinds=("FLAIR", "T2"))
    for name in ("qc.png", "notes.txt", "t1.json", ".hidden.dcm", "t1.bval"):
        (root / "case00" / name).write_bytes(b"1")
    (problem,) = problems(root)
    assert problem.severity == "info"
    assert problem.message.startswith("1 file is")


def test_a_case_of_nothing_else_and_a_cohort_of_nothing_else_are_named(tmp_path: Path) -> None:
    root = plain_cohort(tmp_path / "some", n_cases=2, kinds=("FLAIR", "T2"))
    (root / "case09").mkdir()
    (root / "case09" / "t1.mgz").write_bytes(b"1")
    assert any("case09/t1.mgz" in problem.message for problem in problems(root))
    other = tmp_path / "none" / "case00"
    other.mkdir(parents=True)
    (other / "t1.mgz").write_bytes(b"1")
    with pytest.raises(CohortError, match=r"case00/t1\.mgz.*mri_convert"):
        find_cohort(other.parent)
