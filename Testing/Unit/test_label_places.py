"""Where labels that are made here lie, and which of several counts."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest

from MultimodalImagingLib.cohorts.labelled_cases import (
    is_labelled,
    label_place,
    label_that_counts,
)
from MultimodalImagingLib.cohorts.saved_copies import saved_name
from MultimodalImagingLib.images.stored_image import ImageFile
from MultimodalImagingLib.record.cohort_record import CaseState, CohortRecord

NAMES = ["STS_019", "case 1", "a+b", "a%2Bb", "50%", "Ärzte", " x", "x ", "a,b", "[1]", "a.b"]
NAMES += ["a", "a+", "aÄ", "a]", "a%2B", "+"]


@pytest.fixture
def record(tmp_path: Path) -> CohortRecord:
    record = CohortRecord(tmp_path / ".crossmodal")
    record.labels.mkdir(parents=True)
    return record


def written(path: Path, *, at: int) -> Path:
    path.write_bytes(b"")
    os.utime(path, ns=(at, at))
    return path


@pytest.mark.parametrize("case", NAMES)
def test_a_label_in_its_place_is_that_of_its_case_and_of_no_other(
    record: CohortRecord, case: str
) -> None:
    place = label_place(case, record)
    place.write_bytes(b"")
    for name in NAMES:
        assert is_labelled(name, None, record, None) == (name == case)
    assert label_that_counts(case, None, record) == ImageFile(place)


def test_places_are_named_like_their_cases_and_differ(record: CohortRecord) -> None:
    assert label_place("STS_019", record).name == "STS_019.seg.nrrd"
    places = [label_place(name, record).name for name in NAMES]
    assert len({saved_name(place) for place in places}) == len(NAMES)
    assert [saved_name(place) for place in places] == places


def test_labels_of_earlier_versions_and_of_other_disks_are_found(record: CohortRecord) -> None:
    older = record.labels / f"{unicodedata.normalize('NFD', 'Ärzte+1')}.nii.gz"
    older.write_bytes(b"")
    found = label_that_counts("Ärzte+1", None, record)
    assert found == ImageFile(older)


@pytest.mark.parametrize("as_segmentation", [True, False])
def test_a_segmentation_that_was_corrected_after_the_label_map_counts(
    record: CohortRecord, *, as_segmentation: bool
) -> None:
    older = written(record.labels / "a.nii.gz", at=1_000_000_000)
    newer = written(record.labels / "a.seg.nrrd", at=2_000_000_000)
    assert label_that_counts("a", None, record, as_segmentation=as_segmentation) == ImageFile(newer)
    os.utime(older, ns=(3_000_000_000, 3_000_000_000))  # made from the segmentation
    counts = label_that_counts("a", None, record, as_segmentation=as_segmentation)
    assert counts == ImageFile(newer if as_segmentation else older)


def test_the_label_that_a_case_came_with_counts_if_none_was_made(record: CohortRecord) -> None:
    given = ImageFile(Path("seg.nii.gz"))
    assert label_that_counts("a", given, record) == given
    assert is_labelled("a", given, record, None)
    assert is_labelled("a", None, record, CaseState.LABELLED)
    assert not is_labelled("a", None, record, CaseState.SUGGESTED)
