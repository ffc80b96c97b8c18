"""Copies that Slicer's Save has put beside the images of a case: the case stays as it was."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import SimpleITK as sitk  # noqa: N813

sys.path += [str(Path(__file__).parents[1] / name) for name in ("Helpers", "Situations")]

import layouts
from phantoms import plain_cohort

from MultimodalImagingLib.cohorts.cases import Case, Cohort
from MultimodalImagingLib.cohorts.cohort import find_cohort

LAYOUTS: dict[str, Callable[[Path], object]] = {
    "case folders": partial(plain_cohort, n_cases=4),
    "levels above": layouts.grades,
    "studies of patients": partial(layouts.patient_study, studies=("baseline", "V2")),
    "flat files": partial(layouts.flat, form="{case}__{kind}.nii.gz", label=None),
    "one blank": partial(layouts.flat, form="{case} {kind}.nii.gz", label=None),
    "parts": partial(
        layouts.parts, names={"T1": "anat/scan.nii.gz", "PET": "pet/scan.nii.gz"}, label=None
    ),
    "nnU-Net": partial(
        layouts.dataset,
        image=layouts.CHANNELS,
        label=layouts.NIFTI_LABEL,
        n_channels=2,
        names="channel_names",
    ),
    "BIDS": partial(
        layouts.bids, mask="derivatives/manual/{subject}/{session}/anat/{stem}_mask.nii.gz"
    ),
}


def save_copy(case: Case, modality: str, *, ending: str = "") -> Path:
    """Write what Slicer's Save wrote for an image that was called by case and modality."""
    path = case.images[modality].path
    copy = path.with_name(f"{case.case_id} {modality}{ending}.nii.gz")
    sitk.WriteImage(sitk.ReadImage(str(path)), str(copy))
    return copy


def found(cohort: Cohort) -> dict[str, dict[str, Path]]:
    return {c.case_id: {m: f.path for m, f in c.images.items()} for c in cohort.cases}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("ending", ["", "_1"])
def test_a_case_with_copies_beside_its_images_is_read_as_before(
    tmp_path: Path, layout: str, ending: str
) -> None:
    LAYOUTS[layout](tmp_path)
    before = find_cohort(tmp_path)
    changed = before.cases[1]
    copies = [save_copy(changed, modality, ending=ending) for modality in changed.images]
    after = find_cohort(tmp_path)
    assert found(after) == found(before)
    said = " ".join(str(problem) for problem in after.problems)
    assert all(path.name in said for path in copies)


def test_a_case_whose_only_image_is_named_like_a_copy_keeps_it(tmp_path: Path) -> None:
    cohort = plain_cohort(tmp_path, n_cases=3, kinds=("T1", "FLAIR"))
    for modality in ("T1", "FLAIR"):
        path = cohort / "case01" / f"{modality.lower()}.nii.gz"
        path.rename(path.with_name(f"case01 {modality}.nii.gz"))
    images = found(find_cohort(cohort))["case01"]
    assert {m: path.name for m, path in images.items()} == {
        "T1": "case01 T1.nii.gz",
        "FLAIR": "case01 FLAIR.nii.gz",
    }


def test_a_plain_image_is_no_copy_of_a_processed_one(tmp_path: Path) -> None:
    cohort = plain_cohort(tmp_path, n_cases=3, kinds=("T1", "FLAIR"))
    path = cohort / "case01" / "t1.nii.gz"
    path.rename(path.with_name("case01 T1.nii.gz"))
    (cohort / "case01" / "case01 T1_bias.nii.gz").write_bytes(
        (cohort / "case01" / "case01 T1.nii.gz").read_bytes()
    )
    assert found(find_cohort(cohort))["case01"]["T1"].name == "case01 T1.nii.gz"
