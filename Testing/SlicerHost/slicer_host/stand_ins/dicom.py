"""Stand-in for Slicer's DICOM database: knows the files that were inserted, by their headers.

Numbers of patients are those of rows, as in the real one's SQL table.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from PySide6.QtCore import QObject


class ctkDICOMDatabase(QObject):
    """A database in memory whose files stay where they are."""

    def __init__(self) -> None:
        super().__init__()
        self._isOpen = False
        self._patients: dict[tuple[str, str], str] = {}
        self._studies: dict[str, dict[str, None]] = defaultdict(dict)
        self._series: dict[str, dict[str, None]] = defaultdict(dict)
        self._files: dict[str, list[str]] = defaultdict(list)
        self._fields: dict[tuple[str, str], str] = {}

    def isOpen(self) -> bool:
        return self._isOpen

    def openDatabase(self, databaseFile: str) -> bool:
        self._isOpen = True
        return True

    def closeDatabase(self) -> None:
        self._isOpen = False

    def initializeDatabase(self) -> bool:
        for table in (self._patients, self._studies, self._series, self._files, self._fields):
            table.clear()
        return True

    def insert(self, filePath: str, storeFile: bool, generateThumbnail: bool) -> None:
        """Take a file; the real one can copy it and make a thumbnail."""
        if storeFile or generateThumbnail:
            msg = "The host's database neither copies files nor makes thumbnails."
            raise NotImplementedError(msg)
        from pydicom import dcmread

        header = dcmread(filePath, stop_before_pixels=True)
        key = (str(header.PatientID), str(header.PatientName))
        patient = self._patients.setdefault(key, str(len(self._patients) + 1))
        study, series = str(header.StudyInstanceUID), str(header.SeriesInstanceUID)
        self._studies[patient][study] = None
        self._series[study][series] = None
        self._files[series].append(str(Path(filePath).resolve()))
        self._fields |= {
            (patient, "PatientID"): key[0],
            (patient, "PatientsName"): key[1],
            (series, "Modality"): str(header.Modality),
        }

    def patients(self) -> list[str]:
        return list(self._patients.values())

    def patientsCount(self) -> int:
        return len(self._patients)

    def studiesForPatient(self, patientUID: str) -> list[str]:
        return list(self._studies.get(patientUID, {}))

    def seriesForStudy(self, studyUID: str) -> list[str]:
        return list(self._series.get(studyUID, {}))

    def filesForSeries(self, seriesUID: str) -> list[str]:
        return list(self._files.get(seriesUID, []))

    def nameForPatient(self, patientUID: str) -> str:
        return self._fields.get((patientUID, "PatientsName"), "")

    def displayedNameForPatient(self, patientUID: str) -> str:
        """Return the name as the browser shows it: first name behind a comma."""
        return ", ".join(self.nameForPatient(patientUID).split("^"))

    def fieldForPatient(self, field: str, patientUID: str) -> str:
        return self._fields.get((patientUID, field), "")

    def fieldForSeries(self, field: str, seriesInstanceUID: str) -> str:
        return self._fields.get((seriesInstanceUID, field), "")
