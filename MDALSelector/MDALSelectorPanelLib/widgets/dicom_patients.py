"""Asks which patients of Slicer's DICOM database make a cohort, and where its record lies."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from MultimodalSlicerLib.dicom_database import DatabasePatient, databasePatients, makeCohort
from MultimodalSlicerLib.plurals import byNumber

_SIZE = (520, 420)


def cohortFromDatabase() -> str:
    """Ask for patients and a folder, and make the folder their cohort.

    Returns:
        The folder; empty if the user changed their mind.

    Raises:
        ValueError: If the folder cannot be used, or no file of the patients is here.
        CrossModalError: If the record cannot be written.
    """
    patients = PatientChoice(databasePatients()).ask()
    if not patients:
        return ""
    title = _("Choose an empty folder for the record of the cohort; no image is copied into it")
    folder = qt.QFileDialog.getExistingDirectory(None, title, "")
    if folder:
        makeCohort(Path(folder), patients)
    return str(folder)


class PatientChoice:
    """A dialog with a check mark for every patient.

    Attributes:
        list: The patients; all are checked at first.
    """

    def __init__(self, patients: Sequence[DatabasePatient]) -> None:
        """Make the dialog.

        Args:
            patients: The patients to choose from.
        """
        self._patients = list(patients)
        self._dialog = qt.QDialog(slicer.util.mainWindow())
        self._dialog.setWindowTitle(_("Cohort of patients of the DICOM database"))
        self._dialog.resize(*_SIZE)
        layout = qt.QVBoxLayout(self._dialog)
        label = qt.QLabel(
            _("Checked patients become cases, which are called by numbers and not by names.")
        )
        label.setWordWrap(True)
        layout.addWidget(label)
        self.list = qt.QListWidget()
        self.list.setToolTip(_("Name, patient ID and kinds of images, as in the module DICOM."))
        for patient in self._patients:
            self._add(patient)
        layout.addWidget(self.list)
        layout.addLayout(self._marks())
        layout.addWidget(self._buttons())

    def ask(self) -> list[DatabasePatient]:
        """Show the dialog; return the checked patients, none if it was cancelled."""
        isGiven = bool(self._dialog.exec_())
        rows = [self.list.item(row) for row in range(self.list.count)]
        chosen = [
            patient
            for patient, item in zip(self._patients, rows, strict=True)
            if item.checkState() == qt.Qt.Checked
        ]
        self._dialog.deleteLater()
        return chosen if isGiven else []

    def _add(self, patient: DatabasePatient) -> None:
        studies = byNumber(patient.nStudies, _("{n} study"), _("{n} studies"))
        text = _("{name} ({id}): {kinds}, {studies}").format(
            name=patient.name,
            id=patient.patientID,
            kinds=", ".join(patient.kinds),
            studies=studies.format(n=patient.nStudies),
        )
        item = qt.QListWidgetItem(text)
        item.setFlags(qt.Qt.ItemIsUserCheckable | qt.Qt.ItemIsEnabled | qt.Qt.ItemIsSelectable)
        item.setCheckState(qt.Qt.Checked)
        self.list.addItem(item)

    def _marks(self) -> qt.QHBoxLayout:
        """Return buttons that check all patients, or none."""
        layout = qt.QHBoxLayout()
        marks = (
            (_("All"), _("Check all patients."), qt.Qt.Checked),
            (_("None"), _("Check no patient."), qt.Qt.Unchecked),
        )
        for text, tip, state in marks:
            button = qt.QPushButton(text)
            button.setToolTip(tip)
            button.connect("clicked()", partial(self._markAll, state))
            layout.addWidget(button)
        return layout

    def _markAll(self, state: int) -> None:
        for row in range(self.list.count):
            self.list.item(row).setCheckState(state)

    def _buttons(self) -> qt.QDialogButtonBox:
        box = qt.QDialogButtonBox()
        box.setStandardButtons(qt.QDialogButtonBox.Ok | qt.QDialogButtonBox.Cancel)
        box.connect("accepted()", self._dialog.accept)
        box.connect("rejected()", self._dialog.reject)
        return box
