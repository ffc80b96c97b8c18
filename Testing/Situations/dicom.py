"""DICOM as it comes out of archives: odd series, odd patients, odd files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from dicom_files import (
    CORONAL,
    SAGITTAL,
    SeriesPlan,
    ct_plan,
    pet_plan,
    write_enhanced,
    write_patients,
    write_series,
)
from situation import Situation

KIND = "DICOM"
MR = SeriesPlan(number=4)
NAMES = ("Ünsal", "HOSP", "Traceback")


def _with_ct(build: Callable[[Path], object]) -> Callable[[Path], object]:
    """A case with a CT, and what is built beside it."""

    def made(folder: Path) -> None:
        write_series(folder / "cohort" / "ct", ct_plan())
        build(folder / "cohort" / "other")

    return made


def _tilted(folder: Path) -> None:
    def edit(k: int, dataset) -> None:
        dataset.ImagePositionPatient = [-10, -7 + k, -12 + 4 * k]

    write_series(folder, ct_plan(number=9), edit)


def _gap(folder: Path) -> None:
    write_series(folder, MR)[3].unlink()


def _two(folder: Path) -> None:
    write_series(folder, MR)
    write_series(folder / "b", replace(MR, number=5, seed=8))


def _three_planes(folder: Path) -> None:
    write_series(folder, replace(MR, description="loc", orientation=CORONAL))
    write_series(folder / "b", replace(MR, number=5, description="t2", orientation=SAGITTAL))


def _no_weight(folder: Path) -> None:
    plan = pet_plan()
    fields = {key: value for key, value in plan.fields.items() if key != "PatientWeight"}
    write_series(folder, replace(plan, fields=fields), suffix="")


def _situation(name: str, build: Callable[[Path], object], *says: str) -> Situation:
    command = ("mdal-selector", "inspect", "{folder}/cohort", "--all")
    return Situation(f"dicom-{name}", KIND, build, command, says=says, silent_about=NAMES)


SITUATIONS = (
    _situation(
        "patients-in-folders-by-name",
        lambda folder: write_patients(folder / "cohort"),
        "3 cases . 3 modalities .CT, PET, T1.",
        "No problems",
    ),
    _situation("tilted-gantry", _with_ct(_tilted), "gantry tilt of 14 degrees", "regularization"),
    _situation("missing-slice", _with_ct(_gap), "1 slice missing of 6", "Get the missing files"),
    _situation("two-candidates", _with_ct(_two), "found 2: ", "case_0001_series_4=T1"),
    _situation("localizer-by-name", _with_ct(_three_planes), "CT, T2", r"not used \(ignore\)"),
    _situation("pet-without-weight", _with_ct(_no_weight), r"Weight \(0010,1030\) is missing"),
    _situation(
        "several-frames",
        _with_ct(lambda folder: write_enhanced(folder / "mr", MR, order=[2, 0, 1, 5, 4, 3])),
        "CT, T1",
        "No problems|1 warning",
    ),
)
