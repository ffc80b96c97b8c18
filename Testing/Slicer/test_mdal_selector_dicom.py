"""A cohort of patients of Slicer's DICOM database: chosen, inspected, opened, never named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("pydicom")
from dicom_files import NAME, SeriesPlan, write_patients, write_series

MODULE = Path(__file__).parents[2] / "MDALSelector" / "MDALSelector.py"


@pytest.fixture(scope="module")
def patients(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    write_patients(folder, 3)
    return folder


@pytest.fixture
def database(host, patients):
    """The application's database with three patients; empty again and closed after the test."""
    import slicer

    database = getattr(slicer, "dicomDatabase", None)
    if database is None:
        pytest.skip("The application was built without DICOM.")
    if database.isOpen:
        pytest.skip("This application has a database of its own.")
    database.openDatabase(":memory:")
    for path in sorted(patients.rglob("IM*")):
        database.insert(str(path), False, False)
    yield database
    database.initializeDatabase()
    database.closeDatabase()


@pytest.fixture
def panel(scene, load_module):
    panel = load_module(MODULE)
    panel.ui.cohortCollapsibleButton.collapsed = False
    return panel


def make_cohort(panel, messages, wait_until, folder):
    """Choose all patients and a folder, and wait until the cohort is inspected."""
    import drive

    panel.updateButtons()
    messages.answers.append(1)
    messages.files.append(str(folder))
    drive.click(panel.ui.dicomButton)
    wait_until(lambda: not panel.inspection.isBusy, 60.0)


def test_patients_of_the_database_become_a_cohort(
    panel, database, messages, wait_until, tmp_path, patients
):
    make_cohort(panel, messages, wait_until, tmp_path)
    assert messages.messages == ["Cohort of patients of the DICOM database"]
    assert panel.logic.getParameterNode().cohortPath == str(tmp_path)
    report = panel.cohort.report
    assert report.modalities == ("CT", "PET", "T1")
    assert [case.case_id for case in report.cases] == ["case-0001", "case-0002", "case-0003"]
    shown = [panel.ui.namesTable.item(row, 3).text() for row in range(3)]
    assert shown[2] == "MR, 12x10x6, 2x1.5x4 mm: 4 t1_mprage"
    assert not any(part in panel.ui.cohortSummaryLabel.text for part in NAME.split("^"))

    panel.onLoadCase("case-0002")
    volumes = panel.logic.loader.volumes()
    assert list(volumes) == ["CT", "PET", "T1"]
    assert volumes["CT"].GetImageData().GetDimensions() == (12, 10, 6)
    assert volumes["CT"].GetStorageNode() is None  # a saved scene stores the voxels itself
    assert messages.messages[1:] == []
    panel.logic.case.close()


def test_some_patients_can_be_chosen(panel, database, messages, tmp_path):
    from MDALSelectorPanelLib.widgets.dicom_patients import PatientChoice
    from MultimodalSlicerLib.dicom_database import databasePatients, makeCohort

    found = databasePatients()
    assert [patient.patientID for patient in found] == ["HOSP-471140", "HOSP-471141", "HOSP-471142"]
    assert found[0].kinds == ("CT", "MR", "PT")
    choice = PatientChoice(found)
    assert choice.list.item(0).text() == "Грицáй, Łucja Ünsal0 (HOSP-471140): CT, MR, PT, 1 study"
    choice.list.item(1).setCheckState(0)
    messages.answers.append(1)
    chosen = choice.ask()
    assert [patient.patientID for patient in chosen] == ["HOSP-471140", "HOSP-471142"]
    makeCohort(tmp_path, chosen)
    text = (tmp_path / ".crossmodal/dicom/files.json").read_text("utf-8")
    assert text.count("/IM") == 2 * 18
    makeCohort(tmp_path, found[:1])  # the cohort's own folder takes another choice
    assert (tmp_path / ".crossmodal/dicom/files.json").read_text("utf-8").count("/IM") == 18
    assert PatientChoice(found).ask() == []  # cancelled


def test_a_folder_with_something_else_is_refused(panel, database, messages, wait_until, tmp_path):
    from slicer_host import errors

    (tmp_path / "t1.nii.gz").write_bytes(b"mine")
    with errors.expected(ValueError, "empty folder"):
        make_cohort(panel, messages, wait_until, tmp_path)
    assert "Expected an empty folder for the record" in messages.messages[-1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["t1.nii.gz"]


def test_without_a_database_the_button_says_what_to_do(panel):
    import slicer

    database = getattr(slicer, "dicomDatabase", None)  # none where it was built without DICOM
    if database is not None and database.isOpen:
        pytest.skip("This application has a database of its own.")
    panel.updateButtons()
    assert not panel.ui.dicomButton.enabled
    assert "DICOM database is not open" in panel.ui.dicomButton.toolTip
    if database is not None:
        database.openDatabase(":memory:")
        panel.updateButtons()
        assert "Import DICOM files in the module DICOM first" in panel.ui.dicomButton.toolTip
        database.closeDatabase()


def test_correcting_a_series_changes_the_next_inspection(
    panel, database, messages, wait_until, tmp_path
):
    make_cohort(panel, messages, wait_until, tmp_path)
    import drive

    table = panel.ui.namesTable
    (row,) = (r for r in range(table.rowCount) if table.item(r, 0).text() == "t1_mprage")
    table.item(row, 1).setText("T2")
    assert panel.logic.getParameterNode().corrections == ["t1_mprage=T2"]
    drive.click(panel.ui.inspectButton)
    wait_until(lambda: not panel.inspection.isBusy, 60.0)
    assert panel.cohort.report.modalities == ("CT", "PET", "T2")


def test_of_several_series_the_user_chooses_one(
    panel, database, patients, messages, wait_until, tmp_path
):
    """Two series of one description: the question mark taken away chooses."""
    import drive

    second = replace(SeriesPlan(number=7, seed=9), patient="HOSP-471141", name=f"{NAME}1")
    for path in write_series(tmp_path / "second", second):
        database.insert(str(path), False, False)
    (tmp_path / "cohort").mkdir()
    make_cohort(panel, messages, wait_until, tmp_path / "cohort")
    table = panel.ui.namesTable
    texts = {table.item(r, 0).text(): table.item(r, 1).text() for r in range(table.rowCount)}
    assert texts["case_0002_series_4"] == texts["case_0002_series_7"] == "T1?"
    assert table.horizontalHeaderItem(0).text() == "Description"
    (row,) = (r for r in range(table.rowCount) if table.item(r, 0).text() == "case_0002_series_7")
    assert "without the question mark" in table.item(row, 1).toolTip()
    table.item(row, 1).setText("T1")
    assert panel.logic.getParameterNode().corrections == ["case_0002_series_7=T1"]
    drive.click(panel.ui.inspectButton)
    wait_until(lambda: not panel.inspection.isBusy, 60.0)
    assert panel.cohort.report.cases[1].files["T1"].endswith("7 t1_mprage.series.json")
