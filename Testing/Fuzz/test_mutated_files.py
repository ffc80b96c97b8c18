"""Damaged files of every kind are refused with a sentence, in time and in little memory."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from fuzz import findings
from fuzz_subjects import FAULTS, IMAGES, SUBJECTS, make_base
from small_example import SmallExample

# Files per kind in every run of the tests; those that need torch or draw a page take longer, and
# DICOM is a dozen files each.
N_SAMPLE = dict.fromkeys(SUBJECTS, 25) | {"task": 12, "model": 5, "record": 10, "dicom": 8}
N_ALL = dict.fromkeys(SUBJECTS, 400) | dict.fromkeys(IMAGES, 3334)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory, small_example: SmallExample) -> Path:
    folder = tmp_path_factory.mktemp("base")
    result = small_example.results / "case00"
    make_base(folder, model=small_example.model, run=small_example.run, result=result)
    return folder


@pytest.mark.parametrize("kind", SUBJECTS)
def test_some_mutated_files_are_taken_well(kind, base, tmp_path):
    numbers = range(N_SAMPLE[kind])

    assert not list(findings(kind, numbers, base=base, work=tmp_path))


@pytest.mark.evidence
@pytest.mark.parametrize("kind", SUBJECTS)
def test_all_mutated_files_are_taken_well(kind, base, tmp_path):
    numbers = range(N_ALL[kind])

    assert not list(findings(kind, numbers, base=base, work=tmp_path))


def test_same_number_gives_the_same_file(base, tmp_path):
    contents = []
    for name in ("first", "second"):
        SUBJECTS["nrrd"](base, tmp_path / name, random.Random("nrrd-5"))
        files = sorted((tmp_path / name).rglob("*"))
        contents.append([path.read_bytes() for path in files if path.is_file()])

    assert contents[0] == contents[1]


PLANTED = ("traceback", "crash", "MB", "hang (computing)")


@pytest.mark.parametrize(
    "n_faults",
    [
        2,
        pytest.param(len(FAULTS), marks=pytest.mark.evidence),  # half a minute: it hangs
    ],
)
def test_planted_faults_are_found(tmp_path, n_faults):
    found = list(findings("fault", range(n_faults), base=tmp_path, work=tmp_path, longest_s=20.0))

    assert [finding.number for finding in found] == list(range(n_faults))
    for finding, fault in zip(found, PLANTED, strict=False):
        assert finding.fault.endswith(fault)
