"""Real series of patients, compared with the images that their publisher made of them.

They are the folder `ibsi_validation` of github.com/theibsi/data_sets (CC BY 3.0; Vallieres et al.,
doi 10.7937/K9/TCIA.2015.7GO2GSKS): PET in SUV, CT and T1 as DICOM and as NIfTI.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from MultimodalImagingLib.cohorts.cohort import find_cohort
from MultimodalImagingLib.cohorts.dicom.file_list import write_file_list
from MultimodalImagingLib.images.volume_io import ImageFile, read_volume

VARIABLE = "CROSSMODAL_IBSI_VALIDATION"
FOLDER = Path(
    os.environ.get(VARIABLE) or Path(__file__).parents[3] / "shared" / "data" / "ibsi_validation"
)
CASES = ("STS_001", "STS_002")
PUBLISHED = {"CT": "CT_image.nii.gz", "PET": "PET_image.nii.gz", "T1": "MR_T1_image.nii.gz"}

pytestmark = [
    pytest.mark.cohort,
    pytest.mark.skipif(
        not (FOLDER / "dicom" / CASES[0]).is_dir(),
        reason=f"No folder ibsi_validation of theibsi/data_sets; {VARIABLE} names it.",
    ),
]


def test_real_series_become_the_published_images(tmp_path: Path) -> None:
    files = [str(path) for case in CASES for path in (FOLDER / "dicom" / case).rglob("*.dcm")]
    write_file_list(tmp_path, files)  # the record lies elsewhere, the folder stays as it is
    cohort = find_cohort(tmp_path)
    assert cohort.modalities == ("CT", "PET", "T1")
    (problem,) = cohort.problems
    assert problem.message == "6 series of 2 cases left out: no images (RTSTRUCT)."
    for case, name in zip(cohort.cases, CASES, strict=True):
        for modality, published in PUBLISHED.items():
            found = read_volume(case.images[modality])
            expected = read_volume(ImageFile(FOLDER / "nifti" / name / published))
            np.testing.assert_allclose(found.grid.corners_lps, expected.grid.corners_lps, atol=2e-3)
            np.testing.assert_allclose(found.array, expected.array, rtol=1e-6, atol=1e-6)


def test_descriptions_of_real_series_are_shown_without_the_patient(tmp_path: Path) -> None:
    """They are called `IBSI_1_STS_001_CT_image`; `STS_001` is the patient ID."""
    files = [str(path) for path in (FOLDER / "dicom" / CASES[0]).rglob("*.dcm")]
    write_file_list(tmp_path, files)
    names = {match.file.name for match in find_cohort(tmp_path).matches}
    assert names == {"ibsi_1_ct_image", "ibsi_1_pet_image", "ibsi_1_mr_t1_image"}
