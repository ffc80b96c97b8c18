from __future__ import annotations

import json
from pathlib import Path

import pytest

from MultimodalImagingLib.cohorts.case_names import patient_of_case
from MultimodalImagingLib.cohorts.modality_patterns import (
    DEFAULT_PATTERNS,
    IGNORE,
    LABEL,
    ModalityPattern,
    ModalityPatterns,
    normalized_name,
    parse_pattern,
    read_patterns,
    write_patterns,
)
from MultimodalImagingLib.errors import UsageError


@pytest.mark.parametrize(
    ("names", "modality"),
    [
        (
            "t1c t1ce T1CE t1-ce t1gd T1_Gd t1post t1_post t1.post T1+C ce_T1w gd-T1 t1w_gad",
            "T1c",
        ),
        ("ce-gadolinium_T1w t1wce t1km t1_contrast t1_post_contrast cet1", "T1c"),
        ("t1 T1 t1n t1w T1w t1_native T1-weighted mprage acq-mprage_T1w", "T1"),
        ("flair FLAIR t2f t2flair T2-FLAIR t2w_flair", "FLAIR"),
        ("t2 t2w T2w t2_tse", "T2"),
        ("t2star T2starw t2_star", "T2star"),
        ("ct CT ncct cect ct_hu", "CT"),
        ("pet PET pt suv SUVbw fdg_pet pet_suv FDG-PET", "PET"),
        ("adc ADC", "ADC"),
        ("dwi DWI dwi_b1000 b800", "DWI"),
        ("swi", "SWI"),
        ("pd PDw", "PD"),
    ],
)
def test_the_usual_names_are_known_whatever_their_case_and_separators(
    names: str, modality: str
) -> None:
    for name in names.split():
        assert DEFAULT_PATTERNS.match(name).target == modality, name


@pytest.mark.parametrize(
    "name",
    [
        "seg",
        "Seg",
        "segmentation",
        "Segm",
        "label",
        "labels",
        "mask",
        "gt",
        "ground_truth",
        "GTVp",
        "roi",
        "dseg",
        "tumor",
    ],
)
def test_a_plain_label_name_is_a_whole_match(name: str) -> None:
    match = DEFAULT_PATTERNS.match(name)
    assert (match.target, match.is_whole) == (LABEL, True)


@pytest.mark.parametrize("name", ["seg_pet", "seg-t1", "pet_mask", "tumor_seg", "lesion_mask_2"])
def test_a_mask_of_something_is_a_label_but_not_the_plain_one(name: str) -> None:
    match = DEFAULT_PATTERNS.match(name)
    assert (match.target, match.is_whole) == (LABEL, False)


@pytest.mark.parametrize("name", ["brain_mask", "desc-brain_mask", "body-mask", "brainmask"])
def test_masks_of_the_whole_brain_or_body_are_not_taken_for_labels(name: str) -> None:
    assert DEFAULT_PATTERNS.match(name).target == IGNORE


@pytest.mark.parametrize("name", ["t10", "ct2", "actor", "x_t1x", "p-e-t", "scan", ""])
def test_only_whole_parts_of_a_name_match(name: str) -> None:
    assert DEFAULT_PATTERNS.match(name).target is None


def test_two_modalities_in_one_name_are_ambiguous_and_both_are_named() -> None:
    match = DEFAULT_PATTERNS.match("t1_to_ct")
    assert match.target is None
    assert set(match.candidates) == {"T1", "CT"}
    assert set(match.parts) == {"t1", "ct"}


def test_the_same_modality_twice_is_not_ambiguous() -> None:
    assert DEFAULT_PATTERNS.match("t1_mprage").target == "T1"


def test_an_earlier_row_has_the_part_that_it_matches() -> None:
    assert DEFAULT_PATTERNS.match("t1_gd").parts == ("t1_gd",)
    corrected = DEFAULT_PATTERNS.with_first([ModalityPattern("t1_to_ct", "T1")])
    assert corrected.match("T1-to-CT").target == "T1"
    assert corrected.match("T1-to-CT").expressions == ("t1_to_ct",)


def test_a_first_row_corrects_what_the_table_says() -> None:
    table = DEFAULT_PATTERNS.with_first(
        [parse_pattern("t2=FLAIR"), parse_pattern("seg_pet=ignore"), parse_pattern("best=label")]
    )
    assert table.match("t2").target == "FLAIR"
    assert table.match("t2w").target == "T2"
    assert table.match("seg_pet").target == IGNORE
    assert table.match("best").target == LABEL


@pytest.mark.parametrize(
    ("text", "expression", "target"),
    [
        ("t1_gd=T1c", "t1_gd", "T1c"),
        ("T1-Gd = T1c", "t1_gd", "T1c"),
        ("a=b=T1", "a=b", "T1"),
        (r"p\d+-x=PET", r"p\d+-x", "PET"),
        ("[a-c]1=T1", "[a-c]1", "T1"),
    ],
)
def test_a_row_is_read_from_the_command_line(text: str, expression: str, target: str) -> None:
    assert parse_pattern(text) == ModalityPattern(expression, target)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("t1c", "Expected PATTERN=NAME"),
        ("=T1", "found an empty one"),
        ("t1=", "found an empty one"),
        ("t1(=T1", r"pattern 't1\(' is no regular expression"),
    ],
)
def test_a_row_that_cannot_be_used_is_explained(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_pattern(text)


def test_names_are_lower_case_with_one_separator() -> None:
    assert normalized_name("_T1 -- Post.contrast_") == "t1_post_contrast"


def test_a_table_is_the_same_after_writing_and_reading(tmp_path: Path) -> None:
    table = DEFAULT_PATTERNS.with_first([ModalityPattern("größe", "T1")])
    write_patterns(tmp_path / "modalities.json", table)
    assert read_patterns(tmp_path / "modalities.json") == table
    assert "größe" in (tmp_path / "modalities.json").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "content",
    [
        "not json",
        "[]",
        json.dumps({"format": 2, "patterns": []}),
        json.dumps({"format": 1}),
        json.dumps({"format": 1, "patterns": [{"pattern": "t1"}]}),
        json.dumps({"format": 1, "patterns": [{"pattern": "(", "modality": "T1"}]}),
        json.dumps({"format": 1, "patterns": [{"pattern": 1, "modality": "T1"}]}),
    ],
)
def test_a_damaged_table_is_refused_with_its_path(tmp_path: Path, content: str) -> None:
    path = tmp_path / "modalities.json"
    path.write_text(content)
    with pytest.raises(UsageError, match=r"modalities\.json, but it cannot be used"):
        read_patterns(path)


def test_an_empty_table_matches_nothing() -> None:
    assert ModalityPatterns(()).match("t1").target is None


@pytest.mark.parametrize(
    ("case_id", "patient"),
    [
        ("BraTS-GLI-00001-000", "BraTS-GLI-00001"),
        ("BraTS-MET-00042-001", "BraTS-MET-00042"),
        ("BraTS20_Training_001", "BraTS20_Training_001"),
        ("UPENN-GBM-00012_21", "UPENN-GBM-00012"),
        ("case-001", "case-001"),
        ("STS_001", "STS_001"),
        ("sub-7_ses-2", "sub-7"),
        ("p7_visit2", "p7"),
        ("p7-tp1", "p7"),
        ("p7_timepoint_03", "p7"),
        ("p7 week 4", "p7"),
        ("p7_baseline", "p7"),
        ("p7_FollowUp1", "p7"),
        ("ses-2", "ses-2"),
        ("scanner_5", "scanner_5"),
    ],
)
def test_visits_of_a_patient_are_known_by_the_end_of_the_case_name(
    case_id: str, patient: str
) -> None:
    assert patient_of_case(case_id) == patient
