from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from MultimodalImagingLib.cohorts.cases import FoundFile, Problem
from MultimodalImagingLib.cohorts.file_matching import choose_label
from MultimodalImagingLib.cohorts.label_folder import label_maps_in, match_labels
from MultimodalImagingLib.cohorts.modality_patterns import (
    DEFAULT_PATTERNS,
    ModalityPatterns,
    parse_pattern,
)

CASES = ("case01", "case02", "P7_2020", "HGG_Brats18_A00_1", "Jürgen_4")


@pytest.mark.parametrize(
    ("file", "case"),
    [
        ("case01.nii.gz", "case01"),
        ("CASE01.nii.gz", "case01"),
        ("case01_seg.nii.gz", "case01"),
        ("case01-label.nrrd", "case01"),
        ("case01_0000.nii.gz", "case01"),
        ("case01.seg.nrrd", "case01"),
        ("case01_manual_segmentation.nii", "case01"),
        ("case01_1000007.nii.gz", "case01"),
        ("P7.nii.gz", "P7_2020"),
        ("Brats18_A00_1_seg.nii.gz", "HGG_Brats18_A00_1"),
        ("2020.nii.gz", "P7_2020"),
        (unicodedata.normalize("NFD", "Jürgen_4.nii.gz"), "Jürgen_4"),
        ("case011.nii.gz", None),
        ("case01_CT.nii.gz", None),  # an image of the case
        ("case01_case02.nii.gz", None),
        ("other.nii.gz", None),
    ],
)
def test_a_label_file_is_matched_by_its_name(file: str, case: str | None) -> None:
    found = match_labels([Path(file)], CASES)
    assert found.labels == ({} if case is None else {case: Path(file)})
    assert found.unused == (() if case is not None else (Path(file),))


def test_the_closest_name_is_taken_and_the_other_file_named() -> None:
    found = match_labels([Path("case01_seg.nii.gz"), Path("case01.nii.gz")], CASES)
    assert found.labels == {"case01": Path("case01.nii.gz")}
    assert found.unused == (Path("case01_seg.nii.gz"),)


def test_of_two_equally_close_files_none_is_taken() -> None:
    found = match_labels([Path("case01_seg.nii.gz"), Path("case01_mask.nii.gz")], CASES)
    assert found.labels == {}
    assert [problem.case_id for problem in found.problems] == ["case01"]
    assert "case01_mask.nii.gz, case01_seg.nii.gz" in found.problems[0].message


def test_a_match_by_a_part_of_the_name_is_said() -> None:
    found = match_labels([Path("case01_1000007.nii.gz"), Path("case02.nii.gz")], CASES)
    assert sorted(found.labels) == ["case01", "case02"]
    assert [problem.severity for problem in found.problems] == ["info"]
    assert "case01_1000007.nii.gz with case01" in found.problems[0].message


def test_a_file_that_two_cases_may_mean_is_not_taken() -> None:
    found = match_labels([Path("7.nii.gz")], ("siteA_7", "siteB_7"))
    assert found.labels == {}
    assert "siteA_7, siteB_7" in found.problems[0].message


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_a_folder_per_case_holds_its_label_beside_images(tmp_path: Path) -> None:
    label = touch(tmp_path / "case01" / "seg.nii.gz")
    touch(tmp_path / "case01" / "t1.nii.gz")
    other = touch(tmp_path / "deep" / "er" / "case02_mask.nii.gz")
    touch(tmp_path / "P7_2020" / "rater1.nii.gz")
    touch(tmp_path / "P7_2020" / "rater2.nii.gz")
    found = label_maps_in(tmp_path, CASES)
    assert found.labels == {"case01": label, "case02": other}
    assert [problem.case_id for problem in found.problems] == ["P7_2020"]


def choice(*names: str, pattern: str | None = None) -> tuple[FoundFile | None, Problem | None]:
    rows = [] if pattern is None else [parse_pattern(pattern)]
    table: ModalityPatterns = DEFAULT_PATTERNS.with_first(rows)
    files = [
        FoundFile("a", Path(f"{n}.nii.gz"), Path(n).name, folder=n.rpartition("/")[0])
        for n in names
    ]
    return choose_label("a", [(file, table.match(file.name)) for file in files])


@pytest.mark.parametrize(
    ("names", "pattern", "chosen"),
    [
        (("seg", "seg_pet"), None, "seg"),
        (("rater1", "rater2", "consensus"), None, "consensus"),
        (("rater1", "rater2", "staple_seg"), None, "staple_seg"),
        (("rater1", "rater2", "consensus"), "rater2=label", "rater2"),
        (("dseg", "T1w_label-lesion_roi"), None, "T1w_label-lesion_roi"),
        (("tumor_segmentation", "brain_segmentation"), None, "tumor_segmentation"),
        (("dseg",), None, "dseg"),
        (("mask", "derivatives/seg"), None, "mask"),
        (("dseg", "derivatives/lesion_mask"), None, "derivatives/lesion_mask"),
        (("seg (1)", "seg (2)"), r"seg_\(2\)=label", "seg (2)"),
    ],
)
def test_one_of_several_labels_is_chosen_by_rules_and_the_others_named(
    names: tuple[str, ...], pattern: str | None, chosen: str
) -> None:
    label, problem = choice(*names, pattern=pattern)
    assert label is not None
    assert label.path == Path(f"{chosen}.nii.gz")
    rest = set(names) - {chosen}
    text = "" if problem is None else problem.message
    assert all(Path(name).name in text for name in rest)


@pytest.mark.parametrize(
    ("names", "advice"),
    [
        (("rater1", "rater2"), "`rater1=label`"),
        (("seg_liver", "seg_tumor"), "`seg_liver=label`"),
        (("a/seg", "b/seg"), "`a=label`"),
        (("consensus_a", "consensus_b"), "`consensus_a=label`"),
    ],
)
def test_labels_that_no_rule_tells_apart_are_asked_about(
    names: tuple[str, ...], advice: str
) -> None:
    label, problem = choice(*names)
    assert label is None
    assert problem is not None
    assert problem.severity == "warning"
    assert advice in problem.message
    assert "emove" not in problem.message
