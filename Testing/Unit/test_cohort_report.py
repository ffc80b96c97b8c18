"""What the command says about a cohort, as the panels read it."""

from __future__ import annotations

import re

import pytest

from MultimodalSlicerLib.cohort_report import (
    NamePart,
    modality_option,
    read_report,
    with_correction,
)

GRID = {
    "size": [10, 20, 30],
    "spacing_mm": [0.9765625, 0.9765625, 3.27],
    "origin_mm": [0.0, 0.0, 0.0],
    "direction": [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
}
CONTENT = {
    "summary": "2 cases",
    "layout": "folder per case",
    "modalities": ["CT", "PET"],
    "n_cases": 2,
    "patterns": [
        {"part": "ct", "target": "CT", "n_files": 2, "example": "ct.nii.gz", "is_used": True},
        {"part": "", "target": None, "n_files": 1, "example": "Foo.nii.gz", "is_used": False},
    ],
    "problems": [{"severity": "error", "case": None, "file": "x.nii", "message": "Damaged."}],
    "cases": [
        {
            "case": "A",
            "verdict": "same grid",
            "overlap": 1.0,
            "grids": {"CT": GRID, "PET": GRID},
            "files": {"CT": "A/ct.nii.gz", "PET": "A/pet.nii.gz"},
            "label": "A/seg.nii.gz",
        },
        {
            "case": "B",
            "verdict": "partial overlap",
            "overlap": 0.425,
            "grids": {"CT": GRID},
            "files": {"CT": "B/ct.nii.gz"},
            "label": None,
        },
    ],
}


def test_the_report_of_a_real_inspection_is_understood(tmp_path) -> None:
    import numpy as np
    import SimpleITK as sitk  # noqa: N813

    from MDALSelectorLib.inspection.cohort_inspection import inspect_cohort

    for case in ("A", "B"):
        (tmp_path / case).mkdir()
        for name in ("t1", "t2", "strange"):
            image = sitk.GetImageFromArray(np.zeros((8, 9, 10), dtype=np.float32))
            image.SetSpacing((20.0, 20.0, 20.0))
            sitk.WriteImage(image, str(tmp_path / case / f"{name}.nii.gz"))
    report = read_report(inspect_cohort(tmp_path).to_json())
    assert report.modalities == ("T1", "T2")
    assert [case.case_id for case in report.cases] == ["A", "B"]
    assert report.cases[0].files == {"T1": "A/t1.nii.gz", "T2": "A/t2.nii.gz"}
    assert "strange" in {part.part for part in report.name_parts if not part.is_used}
    assert report.geometry[0][1] == "same grid"


def test_a_case_is_described_per_modality_and_by_its_verdict() -> None:
    report = read_report(CONTENT)
    grid = "10x20x30, 0.977x0.977x3.27 mm, LPS".replace("x", "\N{MULTIPLICATION SIGN}")
    assert report.geometry == (
        ("A", "same grid", "100%", grid, grid),
        ("B", "partial overlap", "42%", grid, ""),
    )


def test_names_that_match_nothing_are_offered_for_correction() -> None:
    assert read_report(CONTENT).name_parts[1] == NamePart("Foo", "", 1, "Foo.nii.gz", is_used=False)


def test_main_modalities_that_dropped_out_are_handed_over() -> None:
    assert read_report(CONTENT).left_out == ""
    assert read_report({**CONTENT, "left_out": "T1 dropped."}).left_out == "T1 dropped."


def test_problems_are_texts() -> None:
    report = read_report(CONTENT)
    assert report.problems == (("error", "", "x.nii", "Damaged."),)


@pytest.mark.parametrize("missing", ["summary", "cases", "modalities", "patterns"])
def test_a_report_without_a_part_is_refused(missing) -> None:
    content = {name: value for name, value in CONTENT.items() if name != missing}
    with pytest.raises(ValueError, match=f"{missing}' is missing. Inspect it again"):
        read_report(content)


def test_a_correction_means_the_part_as_it_is_written() -> None:
    from MultimodalImagingLib.cohorts.modality_patterns import (
        DEFAULT_PATTERNS,
        parse_pattern,
    )

    option = modality_option(" T1 (Gd) ", " T1c ")
    assert option == f"{re.escape('t1 (gd)')}=T1c"
    for part, name in (("foo", "img_foo_1"), ("t1_km", "x_t1_km"), ("b0", "dwi-b0")):
        table = DEFAULT_PATTERNS.with_first([parse_pattern(modality_option(part, "Mine"))])
        assert table.match(name).candidates[:1] == ("Mine",)


def test_a_second_correction_of_a_part_replaces_the_first() -> None:
    options = with_correction([], "ct", "CTA")
    options = with_correction(options, "pet", "PET")
    assert with_correction(options, "CT", "CT") == ["pet=PET", "ct=CT"]
