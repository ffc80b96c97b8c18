"""Folders of DICOM files as cohorts: cases, series, choices, and patients who stay unnamed."""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from dicom_files import (
    NAME,
    SeriesPlan,
    ct_plan,
    dataset_of,
    pet_plan,
    save,
    write_patients,
    write_series,
)
from pydicom.uid import SecondaryCaptureImageStorage
from run_program import Surroundings, run_here

from MultimodalImagingLib.cohorts.cases import Cohort
from MultimodalImagingLib.cohorts.cohort import find_cohort, patterns_for
from MultimodalImagingLib.cohorts.dicom.file_list import write_file_list
from MultimodalImagingLib.cohorts.modality_patterns import parse_pattern
from MultimodalImagingLib.errors import CancelledError, CohortError, UsageError
from MultimodalImagingLib.images.volume_io import read_volume
from MultimodalImagingLib.jobs.progress import NullReporter
from MultimodalImagingLib.record.checksums import FileChecksums
from MultimodalImagingLib.record.ownership import check_apart

MR = SeriesPlan(number=4)
# Whatever tells who somebody is; parts of it are in every file, folder and header.
SECRETS = ("Łucja", "Ünsal", "Грицáй", "HOSP", "47114", "19520229", "20240312", "1.2.826")


def found(folder: Path, *rows: str) -> Cohort:
    return find_cohort(folder, patterns=patterns_for(folder, [parse_pattern(r) for r in rows]))


def messages(cohort: Cohort) -> str:
    return "\n".join(f"{problem.severity}: {problem}" for problem in cohort.problems)


def test_patients_become_cases_by_number(tmp_path: Path) -> None:
    write_patients(tmp_path, 3)
    cohort = find_cohort(tmp_path)
    assert cohort.layout == "DICOM files"
    assert [case.case_id for case in cohort.cases] == ["case-0001", "case-0002", "case-0003"]
    assert cohort.modalities == ("CT", "PET", "T1")
    assert len({case.patient_id for case in cohort.cases}) == 3
    assert not cohort.problems
    known = json.loads((tmp_path / ".crossmodal/dicom/patients.json").read_text("utf-8"))
    assert known["cases"]["case-0002"]["PatientID"] == ["HOSP-471141"]


def test_numbers_stay_when_patients_come_and_go(tmp_path: Path) -> None:
    write_patients(tmp_path, 3)
    before = find_cohort(tmp_path)
    first = next(path for path in tmp_path.iterdir() if path.name.endswith("0"))
    shutil.rmtree(first)
    write_series(tmp_path / "new", replace(MR, patient="AAA-1", name="A^B"))
    after = find_cohort(tmp_path)
    assert [case.case_id for case in before.cases[1:]] == ["case-0002", "case-0003"]
    assert [case.case_id for case in after.cases] == ["case-0002", "case-0003", "case-0004"]
    assert after.cases[2].images.keys() == {"T1"}


def test_a_second_look_reads_no_header_again(tmp_path: Path, monkeypatch) -> None:
    write_patients(tmp_path, 1)
    for path in tmp_path.rglob("IM*"):
        os.utime(path, (1e9, 1e9))
    headers = "MultimodalImagingLib.cohorts.dicom.headers"
    monkeypatch.setattr(f"{headers}._is_quiet", lambda *_: True)
    find_cohort(tmp_path)
    steps: list[str] = []

    class Counter(NullReporter):
        def advance(self, n: int = 1) -> None:
            steps.append("read")

        def kept(self, n: int = 1) -> None:
            steps.append("kept")

    monkeypatch.setattr(f"{headers}._header", lambda path: pytest.fail(f"read {path}"))
    assert find_cohort(tmp_path, reporter=Counter()).modalities == ("CT", "PET", "T1")
    assert steps == ["kept"] * 18


def test_the_scanner_says_more_than_the_description(tmp_path: Path) -> None:
    """A CT that was made for a PET is a CT, a lesion in a description is no label."""
    write_series(tmp_path / "a", ct_plan(description="PET/CT low dose, lesion"))
    write_series(tmp_path / "b", replace(MR, description="Tumor T2 TSE seg prep"))
    write_series(tmp_path / "c", pet_plan(description="WB 3D"))
    assert find_cohort(tmp_path).modalities == ("CT", "PET", "T2")


def test_a_contrast_agent_in_the_header_makes_a_t1_a_t1c(tmp_path: Path) -> None:
    write_series(tmp_path / "a", MR)
    agent = {"ContrastBolusAgent": "Gadovist"}
    write_series(tmp_path / "b", replace(MR, number=9, fields=agent, seed=3))
    cohort = find_cohort(tmp_path)
    assert cohort.modalities == ("T1", "T1c")
    (details,) = (m.file.example for m in cohort.matches if m.target == "T1c")
    assert details == ("MR, 12x10x6, 2x1.5x4 mm, contrast agent: 9 t1_mprage_contrast")


def test_several_candidates_are_asked_about_and_the_choice_is_kept(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_series(tmp_path / "a", MR)
    write_series(tmp_path / "b", replace(MR, number=5, description="t1_mprage_nd", seed=2))
    write_series(tmp_path / "ct", ct_plan())
    text = messages(find_cohort(tmp_path))
    assert "Expected one T1 image, found 2" in text
    assert "`t1_mprage_nd=T1`, or `t1_mprage_nd=ignore`" in text
    words = ["mdal-selector", "inspect", str(tmp_path), "--modality", "t1_mprage_nd=T1"]
    assert run_here([*words, "--save-modalities"], capfd).exit_code == 0
    (case,) = find_cohort(tmp_path).cases
    assert case.images["T1"].path.name == "5 t1_mprage_nd.series.json"


def test_a_series_alone_can_be_chosen_where_descriptions_are_equal(tmp_path: Path) -> None:
    write_series(tmp_path / "a", MR)
    write_series(tmp_path / "b", replace(MR, number=5, seed=2))
    write_series(tmp_path / "c", replace(MR, number=6, seed=3))
    write_series(tmp_path / "ct", ct_plan())
    hint = "`case_0001_series_4=T1`, or `case_0001_series_4=ignore`"
    assert hint in messages(find_cohort(tmp_path))
    chosen = found(tmp_path, "case_0001_series_5=T1")
    assert chosen.cases[0].images["T1"].path.name.startswith("5 ")
    rest = found(tmp_path, "series_4=ignore", "series_5=ignore")
    assert rest.cases[0].images["T1"].path.name.startswith("6 ")
    named = found(tmp_path, "t1_mprage=T2", "case_0001_series_6=T1")
    assert named.cases[0].images["T1"].path.name.startswith("6 ")


def test_what_is_no_image_of_a_case_is_left_out_with_a_reason(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", ct_plan())
    localizer = {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}
    write_series(tmp_path / "a", replace(MR, number=1, fields=localizer))
    capture = dataset_of(replace(MR, number=7), SecondaryCaptureImageStorage)
    save(capture, tmp_path / "b" / "1.dcm")
    report = dataset_of(replace(MR, number=8), "1.2.840.10008.5.1.4.1.1.88.22")
    report.Modality = "SR"
    del report.Rows, report.Columns
    save(report, tmp_path / "c" / "1.dcm")
    mpr = {"ImageType": ["DERIVED", "SECONDARY", "MPR"]}
    write_series(tmp_path / "d", replace(MR, fields=mpr))
    one = replace(MR, number=11, description="t2_single", shape=(1, 10, 12))
    write_series(tmp_path / "e", one)
    cohort = find_cohort(tmp_path)
    assert cohort.modalities == ("CT",)
    text = messages(cohort)
    assert "info: 1 series of 1 case left out: localizers." in text
    assert "left out: secondary captures (screenshots" in text
    assert "left out: no images (SR)." in text
    assert "series 11 (t2_single), found a single slice" in text
    (match,) = (m for m in cohort.matches if m.file.kind == "MR")
    assert match.target == "ignore"
    assert match.file.details.endswith("; it was computed from another series (MPR)")
    assert found(tmp_path, "t1_mprage=T1").modalities == ("CT", "T1")


def test_other_files_and_dicom_without_suffix(tmp_path: Path) -> None:
    write_series(tmp_path / "a", MR, suffix="")
    (tmp_path / "a" / "Ünsal.txt").write_text("notes")
    (tmp_path / "a" / "DICOMDIR").write_bytes(b"index")
    (tmp_path / "a" / "broken.dcm").write_bytes(b"x")
    cohort = find_cohort(tmp_path)
    assert cohort.modalities == ("T1",)
    assert "info: 2 files are no DICOM or cannot be read, and not used" in messages(cohort)
    listed = json.loads((tmp_path / ".crossmodal/dicom/not-used.json").read_text("utf-8"))
    assert listed == ["a/broken.dcm", "a/Ünsal.txt"]


@pytest.mark.parametrize(
    ("days", "n_cases", "said"),
    [
        (["20240312", "20240320"], 1, "with different kinds of images, 8 days apart, are one case"),
        (["20240312", "20240720"], 2, "more than 31 days apart; they are not put together"),
    ],
)
def test_studies_of_one_patient(tmp_path: Path, days: list[str], n_cases: int, said: str) -> None:
    first = ct_plan(fields={**ct_plan().fields, "StudyDate": days[0]})
    write_series(tmp_path / "a", first)
    write_series(tmp_path / "b", replace(MR, study="second", fields={"StudyDate": days[1]}))
    cohort = find_cohort(tmp_path)
    assert len(cohort.cases) == n_cases
    assert {case.patient_id for case in cohort.cases} == {"case-0001"}
    assert said in messages(cohort)


def test_reports_neither_part_studies_nor_make_cases(tmp_path: Path) -> None:
    """A dose report in the study of each scanner, and a study with nothing but a report."""
    write_series(tmp_path / "a", ct_plan())
    write_series(tmp_path / "b", replace(MR, study="second"))
    for study in ("first", "second", "third"):
        report = dataset_of(replace(MR, number=99, study=study), "1.2.840.10008.5.1.4.1.1.88.22")
        report.Modality = "SR"
        del report.Rows, report.Columns
        if study == "third":
            report.StudyDate = "20251231"
        save(report, tmp_path / study / "sr.dcm")
    cohort = find_cohort(tmp_path)
    (case,) = cohort.cases
    assert set(case.images) == {"CT", "T1"}
    assert "Studies without any CT, MR or PET, which are no cases: 1." in messages(cohort)
    assert not [problem for problem in cohort.problems if problem.severity == "error"]


def test_visits_of_one_patient_are_cases_of_one_patient(tmp_path: Path) -> None:
    write_series(tmp_path / "a", MR)
    write_series(tmp_path / "b", replace(MR, study="later", seed=4))
    cohort = find_cohort(tmp_path)
    assert [case.patient_id for case in cohort.cases] == ["case-0001", "case-0001"]


def test_two_persons_under_one_number_are_named_as_such(tmp_path: Path) -> None:
    write_series(tmp_path / "a", MR)
    write_series(tmp_path / "b", replace(ct_plan(), name="Somebody^Else"))
    text = messages(find_cohort(tmp_path))
    assert "warning: Case case-0001: Expected one patient, found 2 different names" in text
    assert "Somebody" not in text


def test_a_list_of_files_is_a_cohort(tmp_path: Path) -> None:
    write_patients(tmp_path / "database", 2)
    files = [str(path) for path in (tmp_path / "database").rglob("IM*")]
    (tmp_path / "cohort").mkdir()
    write_file_list(tmp_path / "cohort", files)
    cohort = find_cohort(tmp_path / "cohort")
    assert cohort.modalities == ("CT", "PET", "T1")
    assert read_volume(cohort.cases[1].images["CT"]).grid.size == (12, 10, 6)
    (tmp_path / "cohort/.crossmodal/dicom/files.json").write_text("{}")
    with pytest.raises(CohortError, match="Make the cohort again from the DICOM database"):
        find_cohort(tmp_path / "cohort")


def test_images_are_protected_and_known_by_the_content_of_their_slices(tmp_path: Path) -> None:
    write_patients(tmp_path, 1)
    cohort = find_cohort(tmp_path)
    image = cohort.cases[0].images["CT"].path
    with pytest.raises(UsageError, match="holds images of the cohort"):
        check_apart(next(tmp_path.glob("*0")) / "CT" / "out", cohort.files)
    check_apart(tmp_path / ".crossmodal" / "runs" / "1", cohort.files)
    before = FileChecksums(tmp_path / "cache", tmp_path).of(image)
    moved = tmp_path.parent / f"{tmp_path.name}-moved"
    shutil.copytree(tmp_path, moved)
    again = moved / image.relative_to(tmp_path)
    assert FileChecksums(moved / "cache", moved).of(again) == before != ""
    one = next((next(moved.glob("*0")) / "CT").glob("IM000*"))
    data = bytearray(one.read_bytes())
    data[-1] ^= 1
    one.write_bytes(data)
    assert FileChecksums(moved / "cache", moved).of(again) not in (before, "")
    one.unlink()
    assert FileChecksums(moved / "cache", moved).of(again) == ""


def test_without_pydicom_the_sentence_says_what_to_install(tmp_path: Path, monkeypatch) -> None:
    write_series(tmp_path / "a", MR)
    for name in [name for name in sys.modules if name.partition(".")[0] == "pydicom"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(CohortError, match="Python package pydicom, which is not installed"):
        find_cohort(tmp_path)


def test_a_damaged_list_of_patients_is_not_replaced(tmp_path: Path) -> None:
    write_series(tmp_path / "a", MR)
    find_cohort(tmp_path)
    path = tmp_path / ".crossmodal/dicom/patients.json"
    path.write_text("{")
    with pytest.raises(CohortError, match="cases may get other numbers than labels"):
        find_cohort(tmp_path)
    assert path.read_text() == "{"


def test_nothing_that_is_written_or_printed_names_a_patient(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch
) -> None:
    """Names are in folders, headers, and descriptions; files beside are called by them, too."""
    Surroundings(tmp_path / "around").enter(monkeypatch)
    folder = tmp_path / "cohort"
    write_patients(folder, 4)
    for n, patient in enumerate(sorted(folder.iterdir())):
        person = {"patient": f"HOSP-47114{n}", "name": f"{NAME}{n}", "seed": n}
        plan = replace(MR, number=8, description=f"HOSP-47114{n} Ünsal{n} T2 20240312", **person)
        write_series(patient / "T2", plan)
        paths = write_series(patient / "odd", replace(plan, number=9, description="Łucja FLAIR"))
        paths[2].unlink()
        (patient / f"{NAME}.nii.gz").write_bytes(b"x")
        (patient / f"{NAME}.txt").write_text(NAME)
    run = tmp_path / "run"
    accepted = [word for n in range(1, 5) for word in ("--accept", f"case-000{n}")]
    budget = ("--budget", "1", "--estimator", "gaussian", "--output", str(run), *accepted)
    commands = (
        ("inspect", str(folder), "--all", "--deep"),
        ("inspect", str(folder), "--json"),
        ("inspect", str(folder), "--events"),
        ("select", str(folder), *budget),
    )
    for command in commands:
        outcome = run_here(["mdal-selector", *command], capfd)
        assert outcome.exit_code == 0, outcome.output
        assert "case-0003" in outcome.output or command[0] == "select"
        assert not [secret for secret in SECRETS if secret.lower() in outcome.output.lower()]
    written = [*run.rglob("*"), *(folder / ".crossmodal").rglob("*")]
    private = {folder / ".crossmodal/dicom" / name for name in ("patients.json", "headers.json")}
    written = [p for p in written if p.is_file() and p not in private]
    assert len(written) > 20
    for path in written:
        if path.name.endswith("series.json") or path.name == "not-used.json":
            assert not any(secret in str(path.relative_to(tmp_path)) for secret in SECRETS)
            continue
        data = path.read_bytes().lower()
        leaks = [s for s in SECRETS if s.lower().encode() in data or s in path.name]
        assert not leaks, (path, leaks)


def test_what_a_cancelled_look_has_read_is_kept(tmp_path: Path, monkeypatch) -> None:
    write_patients(tmp_path, 1)
    headers = "MultimodalImagingLib.cohorts.dicom.headers"
    monkeypatch.setattr(f"{headers}._is_quiet", lambda *_: True)
    steps: list[str] = []

    class Impatient(NullReporter):
        def advance(self, n: int = 1) -> None:
            steps.append("read")
            if len(steps) == 7:
                raise CancelledError

        def kept(self, n: int = 1) -> None:
            steps.append("kept")

    with pytest.raises(CancelledError):
        find_cohort(tmp_path, reporter=Impatient())
    find_cohort(tmp_path, reporter=Impatient())
    assert steps[7:] == ["kept"] * 7 + ["read"] * 11
