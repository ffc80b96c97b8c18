"""The part of the labeling section that gives classes to cases, in cohorts that ask for classes."""

from __future__ import annotations

import logging
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import slicer
from slicer.i18n import tr as _

from MDALSelectorLib.classification.class_findings import ClassDraft, ClassFindings
from MDALSelectorPanelLib.nodes.class_reading import ClassReading
from MDALSelectorPanelLib.selector_logic import MDALSelectorLogic
from MDALSelectorPanelLib.widgets.class_buttons import ClassButtons
from MultimodalImagingLib.errors import CrossModalError
from MultimodalImagingLib.record.class_task import ClassTask, read_class_task
from MultimodalImagingLib.record.cohort_record import CohortRecord
from MultimodalSlicerLib.reader import currentReader

if TYPE_CHECKING:
    from slicer_types import UiForm

# What a cohort to classify has no use for.
FOR_SEGMENTS = (
    *("saveNextButton", "saveLabelButton", "segmentEditorButton"),
    *("taskLabel", "taskComboBox", "labelStartComboBox", "nextPlaceButton", "endRoundButton"),
)
logger = logging.getLogger(__name__)


class Section(Protocol):
    """What the box needs of the section around it."""

    def classGiven(self, caseID: str) -> None:
        """Show that the class of a case was given or taken back."""

    def onOpenNextButton(self) -> None:
        """Open the next case."""


class ClassBox:
    """Shows and saves the class of the open case.

    Attributes:
        buttons: What the user presses.
    """

    def __init__(self, ui: UiForm, logic: MDALSelectorLogic, section: Section) -> None:
        """Add the buttons, hidden, above Segment Editor.

        Args:
            ui: The widgets of the `.ui` file.
            logic: The logic of the panel.
            section: The section around it.
        """
        self.buttons = ClassButtons()
        layout = ui.labelingCollapsibleButton.layout()
        layout.insertWidget(layout.indexOf(ui.editorWidget), self.buttons.widget)
        self._ui, self._logic, self._section = ui, logic, section
        self.buttons.chosen.connect(self._onChosen)
        self.buttons.undone.connect(self._onUndone)
        self._reading: ClassReading | None = None

    def update(self, caseID: str) -> bool:
        """Show the open case, and return whether this cohort asks for classes.

        Args:
            caseID: The open case; empty if none is.
        """
        record = self._logic.files().record if self._logic.rows() else None
        task = None if record is None else self._task(record)
        self.buttons.setTask(task)
        for name in FOR_SEGMENTS:
            getattr(self._ui, name).setVisible(task is None)
        if task is not None:  # else it is shown where neighbors are installed
            self._ui.neighbourButton.setVisible(False)
        if record is None or task is None:
            self._reading = None
            return False
        reading = self._readingOf(record, task)
        if caseID != reading.case_id:
            run = self._logic.ranking.run
            reading.open(caseID, _draft(run, caseID), run=Path(run).name)
        given = reading.given if caseID else ""
        self.buttons.show(caseID, given, reading.draft, undoes=reading.last_case)
        return True

    def _task(self, record: CohortRecord) -> ClassTask | None:
        try:
            return read_class_task(record)
        except CrossModalError as error:
            logger.warning("%s", error)
            return None

    def _readingOf(self, record: CohortRecord, task: ClassTask) -> ClassReading:
        reader, known = currentReader(), self._reading
        if known is None or (known.record, known.task, known.reader) != (record, task, reader):
            self._reading = ClassReading(record, task, reader)
        return self._reading or ClassReading(record, task, reader)

    def _onChosen(self, name: str) -> None:
        reading = self._reading
        if reading is None or not reading.case_id:
            return
        try:
            with slicer.util.tryWithErrorDisplay(_("The class was not saved.")):
                reading.choose(name)
        finally:  # a click lets a button go that was pressed, and presses one if this fails
            self.update(reading.case_id)
        self._section.classGiven(reading.case_id)
        if self.buttons.goOn.checked:
            self._section.onOpenNextButton()

    def _onUndone(self) -> None:
        reading = self._reading
        if reading is None:
            return
        with slicer.util.tryWithErrorDisplay(_("The class was not taken back.")):
            self._section.classGiven(reading.undo())


def _draft(run: str, caseID: str) -> ClassDraft | None:
    try:
        findings = _findings(run) if run else None
    except (CrossModalError, OSError):  # not kept: the folder may come back
        return None
    return None if findings is None else findings.drafts.get(caseID)


@lru_cache(maxsize=4)
def _findings(run: str) -> ClassFindings | None:
    """Return what a run found about classes."""
    from MDALSelectorLib.selection.run_folder import read_selection

    return read_selection(Path(run)).classes
