"""Patients of Slicer's DICOM database, and the cohort that some of them make. Must not import Qt.

A cohort is a folder whose record lists the files; nothing is copied. The command that inspects the
folder reads the files.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import slicer
from slicer.i18n import tr as _

from MultimodalImagingLib.cohorts.dicom.file_list import is_listed, write_file_list
from MultimodalImagingLib.cohorts.folders import is_hidden


@dataclass(frozen=True)
class DatabasePatient:
    """A patient of the database.

    Attributes:
        uid: The database's own number of the patient.
        name: As the database shows it.
        patientID: The hospital's number.
        nStudies: Number of studies.
        kinds: Kinds of images by DICOM's names, such as `CT`.
    """

    uid: str
    name: str
    patientID: str
    nStudies: int
    kinds: tuple[str, ...]


def databaseProblem() -> str:
    """Say why no cohort can be made of the database; empty if one can."""
    database = _database()
    if database is None:
        return _("Slicer's DICOM database is not open. Open the module DICOM first.")
    if not database.patientsCount():
        return _("Slicer's DICOM database is empty. Import DICOM files in the module DICOM first.")
    return ""


def databasePatients() -> list[DatabasePatient]:
    """Return the patients of the database, by name; none if it is not open."""
    database = _database()
    found = [] if database is None else [_patient(database, uid) for uid in database.patients()]
    return sorted(found, key=lambda patient: (patient.name.casefold(), patient.patientID))


def makeCohort(folder: Path, patients: Sequence[DatabasePatient]) -> None:
    """Make a folder the cohort of patients of the database.

    Args:
        folder: An empty folder, or one that is such a cohort; that gets these patients then.
        patients: The patients.

    Raises:
        ValueError: If the folder holds something else, or no file of the patients is here.
        CrossModalError: If the record cannot be written.
    """
    if not is_listed(folder) and any(not is_hidden(path) for path in folder.iterdir()):
        text = _(
            "Expected an empty folder for the record of the cohort, found other files in {folder}."
            " Choose or make an empty one."
        )
        raise ValueError(text.format(folder=folder))
    database = _database()
    files = [
        file
        for patient in patients
        for series in (() if database is None else _series(database, patient.uid))
        for file in database.filesForSeries(series)
        if file
    ]
    if not files:
        text = _(
            "Expected DICOM files of the chosen patients on this computer, found none. Import or"
            " retrieve their images in the module DICOM."
        )
        raise ValueError(text)
    write_file_list(folder, files)


def _database() -> Any:
    """Return Slicer's database if it is open; a Slicer that was built without DICOM has none."""
    database = getattr(slicer, "dicomDatabase", None)
    return database if database is not None and database.isOpen else None


def _series(database: Any, patient: str) -> Iterator[str]:
    for study in database.studiesForPatient(patient):
        yield from database.seriesForStudy(study)


def _patient(database: Any, uid: str) -> DatabasePatient:
    name = database.displayedNameForPatient(uid) or database.nameForPatient(uid)
    kinds = {database.fieldForSeries("Modality", series) for series in _series(database, uid)}
    return DatabasePatient(
        uid,
        name,
        database.fieldForPatient("PatientID", uid),
        len(database.studiesForPatient(uid)),
        tuple(sorted(kind for kind in kinds if kind)),
    )
