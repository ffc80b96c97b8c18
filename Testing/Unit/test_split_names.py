from __future__ import annotations

from pathlib import Path

import pytest

from MultimodalImagingLib.cohorts.case_grouping import NameParts, by_case, several_cases, split_name
from MultimodalImagingLib.cohorts.case_names import UpperLevels
from MultimodalImagingLib.cohorts.modality_patterns import DEFAULT_PATTERNS


@pytest.mark.parametrize(
    ("name", "case", "rest"),
    [
        ("CHUM-001__CT", "CHUM-001", "CT"),
        ("CHUM-001", "CHUM-001", ""),
        ("ct_train_1001_image", "train_1001", "ct_image"),
        ("ct_train_1001_label", "train_1001", "ct_label"),
        ("IXI002-Guys-0828-T1", "IXI002-Guys-0828", "T1"),
        ("10000_1000000_t2w", "10000_1000000", "t2w"),
        ("volume-10", "10", "volume"),
        ("segmentation-10", "10", "segmentation"),
        ("T1_001", "001", "T1"),
        ("P1_MR_002_T1", "P1_MR_002", "T1"),
        ("CT-001_T1", "CT-001", "T1"),
        ("case_01_t1_seg", "case_01", "t1_seg"),
        ("c1_t1_gd", "c1", "t1_gd"),
        ("amos_0001", "amos_0001", ""),
        ("t1", "", "t1"),
        ("t1_2mm", "", "t1_2mm"),
        ("orig_t1", "orig_t1", ""),
    ],
)
def test_a_name_is_taken_apart_into_case_and_modality(name: str, case: str, rest: str) -> None:
    assert split_name(name, DEFAULT_PATTERNS) == NameParts(case, rest)


def paths(*names: str) -> list[Path]:
    return [Path(f"{name}.nii.gz") for name in names]


def test_an_unknown_ending_belongs_to_the_case_that_other_files_name() -> None:
    groups = by_case(paths("UCSF-0004_T1", "UCSF-0004_ASL", "UCSF-0004"), DEFAULT_PATTERNS)
    assert {case: len(files) for case, files in groups.items()} == {"UCSF-0004": 3}


@pytest.mark.parametrize(
    ("names", "n_cases"),
    [
        (("a1_T1", "a2_T1", "a3_T1"), 3),
        (("001", "002", "003"), 3),
        (("a1_T1", "a2_T2", "a3_FLAIR"), 0),  # one of each: perhaps one case
        (("a1_T1", "a2_T1", "T1"), 0),
        (("a1_T1", "a2_T1"), 0),  # too few to be sure
        (("t1", "t1 (1)", "t1 - Copy"), 0),
        (("P7_T1", "P7_T1_bias", "P7_T2"), 0),
        (("P7_FA", "P7_eddy_FA", "P7_noreg_FA", "P7_reg_eddy_FA"), 0),
        (("P7_1_T1", "P7_2_T1", "P7_3_T1", "P7_T1"), 4),
    ],
)
def test_files_of_several_cases_are_known_by_a_modality_that_comes_again(
    names: tuple[str, ...], n_cases: int
) -> None:
    assert len(several_cases(paths(*names), DEFAULT_PATTERNS)) == n_cases


@pytest.mark.parametrize(
    ("found", "case_id", "patient"),
    [
        ([("HGG", "A1"), ("HGG", "A2"), ("LGG", "A3")], "HGG_A1", "HGG_A1"),
        ([("train", "001"), ("train", "002"), ("val", "001")], "train_001", "train_001"),
        ([("P1", "2020-01-01"), ("P1", "2021-01-01"), ("P2", "x")], "P1_2020-01-01", "P1"),
        ([("P1", "baseline"), ("P2", "baseline"), ("P2", "V2")], "P1_baseline", "P1"),
        ([("P1", "1.2.840.1"), ("P2", "1.2.840.7"), ("P3", "1.2.840.9")], "P1_1.2.840.1", "P1"),
        ([("P1", "P1_7"), ("P2", "P2_9")], "P1_7", "P1"),
        ([("S", "P1", "V1"), ("S", "P1", "V2"), ("T", "P2", "V1")], "S_P1_V1", "S_P1"),
        ([("V1", "P1"), ("V1", "P2"), ("V2", "P1"), ("V2", "P2")], "V1_P1", "P1"),
        ([("siteA", "P1_ses-1"), ("siteA", "P1_ses-2")], "siteA_P1_ses-1", "siteA_P1"),
        ([("train", "BraTS-GLI-00001-000")], "train_BraTS-GLI-00001-000", "train_BraTS-GLI-00001"),
        ([("case1",), ("case2",)], "case1", ""),
    ],
)
def test_the_level_above_a_case_is_a_patient_a_group_or_a_visit(
    found: list[tuple[str, ...]], case_id: str, patient: str
) -> None:
    levels = UpperLevels(found)
    assert levels.case_id(found[0]) == case_id
    assert levels.patient(found[0]) == patient
