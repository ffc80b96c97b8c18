"""SUV of PET from the fields of the standard: closed forms, and what to say where it is not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dicom_files import DOSE, FDG, FDG_FACTOR, ct_plan, pet_plan, write_series

from MultimodalImagingLib.cohorts.cohort import find_cohort
from MultimodalImagingLib.cohorts.dicom.suv import NoSUVError, suv_factor
from MultimodalImagingLib.images.volume_io import read_volume

# 08:30:00 to 10:19:49 is one half life of 6589 s.
PET: dict[str, Any] = {**FDG, **DOSE, "NumberOfDoses": 1}


def test_one_half_life_after_the_injection_half_of_the_dose_is_left() -> None:
    assert pytest.approx(1 / 2500) == FDG_FACTOR
    assert suv_factor([PET]) == pytest.approx(FDG_FACTOR, rel=1e-12)


def test_uniform_uptake_has_an_suv_of_one() -> None:
    """What is left of the dose, spread evenly over a body of 1 g/ml, is an SUV of 1."""
    activity = 370e6 / 2 / 74e3
    assert suv_factor([PET]) * activity == pytest.approx(1.0, rel=1e-12)


def test_an_image_corrected_to_the_injection_keeps_the_whole_dose() -> None:
    at_injection = suv_factor([{**PET, "DecayCorrection": "ADMIN"}])
    assert at_injection == pytest.approx(FDG_FACTOR / 2, rel=1e-12)


def test_times_are_read_to_the_fraction_of_a_second() -> None:
    later = suv_factor([{**PET, "SeriesTime": "101949", "RadiopharmaceuticalStartTime": "0830"}])
    assert later == pytest.approx(FDG_FACTOR, rel=1e-12)
    fraction = {"SeriesTime": "101949.5", "AcquisitionTime": "101949.500000"}
    half_a_second = suv_factor([{**PET, **fraction}])
    assert half_a_second / FDG_FACTOR == pytest.approx(2 ** (0.5 / 6589), rel=1e-12)


@pytest.mark.parametrize(
    "injection",
    [
        {"RadiopharmaceuticalStartTime": "225500"},
        {"RadiopharmaceuticalStartDateTime": "20240311225500.000+0100"},
    ],
    ids=["time alone", "date and time"],
)
def test_a_scan_after_midnight_follows_an_injection_before_it(injection: dict[str, str]) -> None:
    scan = {"SeriesTime": "004449", "AcquisitionTime": "004449"}  # 6589 s later
    header = {**PET, **scan, **injection}
    assert suv_factor([header]) == pytest.approx(FDG_FACTOR, rel=1e-12)


def test_a_series_made_after_its_images_counts_from_the_first_of_them() -> None:
    beds = [
        {**PET, "SeriesTime": "180000", "AcquisitionTime": time} for time in ("102500", "101949")
    ]
    assert suv_factor(beds) == pytest.approx(FDG_FACTOR, rel=1e-12)


def test_values_that_are_suv_already_stay() -> None:
    assert suv_factor([{"Units": "GML"}]) == 1.0
    assert suv_factor([{"Units": "GML", "SUVType": "BW", "DecayCorrection": "ADMIN"}]) == 1.0


def test_philips_counts_are_scaled_by_its_own_fields() -> None:
    assert suv_factor([{"Units": "CNTS", "PhilipsSUVFactor": 0.0123}] * 2) == 0.0123
    to_activity = {**PET, "Units": "CNTS", "PhilipsActivityFactor": 4.0}
    assert suv_factor([to_activity]) == pytest.approx(4.0 * FDG_FACTOR, rel=1e-12)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"PatientWeight": None}, r"Patient's Weight \(0010,1030\) is missing"),
        ({"PatientWeight": 0.0}, r"Patient's Weight \(0010,1030\) is not positive"),
        ({"RadionuclideTotalDose": None}, r"Total Dose \(0018,1074\) is missing"),
        ({"RadionuclideHalfLife": None}, r"Half Life \(0018,1075\) is missing"),
        ({"RadiopharmaceuticalStartTime": None}, r"Start Time \(0018,1072\) is missing"),
        ({"DecayCorrection": None}, r"Decay Correction \(0054,1102\) is missing"),
        ({"DecayCorrection": "NONE"}, r"\(0054,1102\) is NONE, neither START nor ADMIN"),
        ({"CorrectedImage": ["DECY"]}, r"Corrected Image \(0028,0051\) lacks ATTN"),
        ({"Units": None}, r"Units \(0054,1001\) is missing"),
        ({"Units": "PROPCNTS"}, r"Units \(0054,1001\) are PROPCNTS"),
        ({"Units": "CNTS"}, r"without Philips' factors \(7053,1000\) and \(7053,1009\)"),
        ({"Units": "GML", "SUVType": "LBM"}, r"SUV Type \(0054,1006\) is LBM, not BW"),
        ({"NumberOfDoses": 2}, "several Radiopharmaceutical Information items"),
        ({"SeriesTime": None, "AcquisitionTime": None}, r"Series Time .* are missing"),
        ({"RadiopharmaceuticalStartDateTime": "20230101083000"}, "h before the scan, which cannot"),
        ({"RadiopharmaceuticalStartDateTime": "20240312220000"}, "-11.7 h before the scan"),
    ],
)
def test_what_is_missing_is_named(changes: dict[str, Any], said: str) -> None:
    header = {name: value for name, value in {**PET, **changes}.items() if value is not None}
    with pytest.raises(NoSUVError, match=said):
        suv_factor([header])


def test_a_cohort_reads_pet_in_suv(tmp_path: Path) -> None:
    slopes = np.linspace(0.5, 3.0, 6)

    def edit(k: int, dataset) -> None:
        dataset.RescaleSlope, dataset.RescaleIntercept = round(slopes[k], 3), 0

    write_series(tmp_path / "pet", pet_plan(), edit)
    cohort = find_cohort(tmp_path)
    volume = read_volume(cohort.cases[0].images["PET"])
    assert volume.array.dtype == np.float32
    np.testing.assert_allclose(
        volume.array, pet_plan().values * slopes.round(3)[:, None, None] * FDG_FACTOR, rtol=1e-6
    )


def test_a_cohort_reads_private_fields_of_philips(tmp_path: Path) -> None:
    def edit(_: int, dataset) -> None:
        block = dataset.private_block(0x7053, "Philips PET Private Group", create=True)
        block.add_new(0x00, "DS", "0.25")
        dataset.Units = "CNTS"

    write_series(tmp_path / "pet", pet_plan(), edit)
    volume = read_volume(find_cohort(tmp_path).cases[0].images["PET"])
    np.testing.assert_allclose(volume.array, 0.25 * pet_plan().values)


def test_a_pet_without_weight_stays_as_it_is_and_is_said(tmp_path: Path) -> None:
    plan = pet_plan()
    without = {k: v for k, v in plan.fields.items() if k != "PatientWeight"}
    write_series(tmp_path / "pet", replace(plan, fields=without))
    write_series(tmp_path / "ct", ct_plan())
    cohort = find_cohort(tmp_path)
    (said,) = (str(problem) for problem in cohort.problems if "SUV" in str(problem))
    assert said == (
        "Case case-0001: The values of PET series 3 stay as they are, because SUV cannot be"
        " computed: Patient's Weight (0010,1030) is missing. Add what is missing to the files, or"
        " give images in SUV; all cases of a cohort need the same unit."
    )
    np.testing.assert_array_equal(read_volume(cohort.cases[0].images["PET"]).array, plan.values)
