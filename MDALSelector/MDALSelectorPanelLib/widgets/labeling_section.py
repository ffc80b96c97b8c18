"""The labeling section: the next case, its editor, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

import slicer
from slicer.i18n import tr as _

from MDALSelectorPanelLib.nodes.case_rows import CaseRow
from MDALSelectorPanelLib.nodes.labeling import Labeling, roundText
from MDALSelectorPanelLib.selector_logic import MDALSelectorLogic
from MDALSelectorPanelLib.widgets.case_clock import CaseClock
from MDALSelectorPanelLib.widgets.class_box import ClassBox
from MDALSelectorPanelLib.widgets.kept_work import KeptWork
from MDALSelectorPanelLib.widgets.label_set_choice import LabelSetChoice
from MDALSelectorPanelLib.widgets.next_steps import NextSteps
from MDALSelectorPanelLib.widgets.segment_editor_box import SegmentEditorBox
from MDALSelectorPanelLib.widgets.shortcuts import (
    NEXT,
    PREVIOUS,
    SAVE,
    SAVE_NEXT,
    SKIP,
    UNDO,
    Shortcuts,
    shortcutsText,
)
from MultimodalImagingLib.errors import CrossModalError
from MultimodalImagingLib.record.case_states import CaseState
from MultimodalSlicerLib.label_contents import isEmpty
from MultimodalSlicerLib.reader import currentReader, nameReader
from MultimodalWidgetsLib.case_menu import askReason
from MultimodalWidgetsLib.leaving import mayLeave
from MultimodalWidgetsLib.widget_additions import showText

if TYPE_CHECKING:
    from slicer_types import UiForm


class Panel(Protocol):
    """What the section needs of the panel."""

    def openCase(self, caseID: str, *, isBlinded: bool = False) -> bool:
        """Open a case without asking, and return whether that worked."""

    def saveLabels(self) -> bool:
        """Save the labels of the open case, and return whether that worked."""

    def showStates(self, states: Mapping[str, CaseState]) -> None:
        """Show that cases have another state now."""

    def updateButtons(self) -> None:
        """Enable what can be done now."""


class LabelingSection:
    """Goes from case to case.

    Attributes:
        editor: Segment Editor.
        classes: What is in its place where cases are classified.
        labelSet: What an empty segmentation holds.
        clock: Counts the time, and keeps unsaved work.
        next: The next uncertain place, and the end of a round.
    """

    def __init__(self, ui: UiForm, logic: MDALSelectorLogic, panel: Panel) -> None:
        """Take the widgets of the `.ui` file.

        Args:
            ui: The widgets.
            logic: The logic of the panel.
            panel: The panel.
        """
        self._ui, self._logic, self._panel = ui, logic, panel
        self._labeling: Labeling = logic.labeling
        self.editor = SegmentEditorBox(ui.editorWidget)
        self.classes = ClassBox(ui, logic, self)
        self.labelSet = LabelSetChoice(ui, logic.files)
        self.clock = CaseClock(logic.case, ui.timeLabel, ui.keepWarningLabel)
        self._kept = KeptWork(ui, logic.case)
        self.next = NextSteps(ui, logic)
        ui.readerLineEdit.setText(currentReader())
        ui.readerLineEdit.connect("editingFinished()", self.onReaderEdited)
        ui.shortcutsLabel.setText(shortcutsText())
        self._shortcuts = Shortcuts(
            {
                SAVE_NEXT: ui.saveNextButton,
                SAVE: ui.saveLabelButton,
                NEXT: ui.openNextButton,
                PREVIOUS: ui.previousButton,
                SKIP: ui.skipButton,
                UNDO: ui.undoButton,
            }
        )

    def handlers(self) -> dict[str, Callable[[], None]]:
        """Return what the buttons do."""
        return {
            "openNextButton": self.onOpenNextButton,
            "previousButton": self.onPreviousButton,
            "saveNextButton": self.onSaveNextButton,
            "skipButton": self.onSkipButton,
            "undoButton": self.onUndoButton,
            **self.next.handlers(),
        }

    def enter(self) -> None:
        """Take keys while the module is shown."""
        self._ui.readerLineEdit.setText(currentReader())
        self._shortcuts.install()
        self.editor.enter()

    def exit(self) -> None:
        """Keep unsaved work, and give the keys back."""
        self._shortcuts.remove()
        self.editor.exit()
        self.clock.keep()

    def cleanup(self) -> None:
        """Let go of everything before the panel is deleted."""
        self.clock.stop()
        self._shortcuts.remove()

    def mayOpen(self, caseID: str) -> bool:
        """Ask before a case is opened that another reader has open.

        Raises:
            CohortError: If the record cannot be read.
        """
        claim = self._labeling.claimOfOther(caseID)
        if claim is None:
            return True
        text = _(
            "{case} is open by {reader} ({by} on {host}) since {since}. Open it too? Your labels"
            " get a file of their own."
        )
        fields = {"reader": claim.reader, "by": claim.by, "host": claim.host, "since": claim.since}
        return bool(slicer.util.confirmYesNoDisplay(text.format(case=caseID, **fields)))

    def onOpenNextButton(self) -> None:
        """Open the case to be labeled next."""
        if mayLeave(self._logic.case):
            self._openNext()

    def onPreviousButton(self) -> None:
        """Open the case that was open before."""
        case = self._labeling.previousCase(self._logic.loader.caseID)
        if case and mayLeave(self._logic.case):
            self._labeling.goBack(case)
            self._panel.openCase(case)

    def onSaveNextButton(self) -> None:
        """Save, and open the case to be labeled next."""
        if self.isMeant() and self._panel.saveLabels():
            self._openNext()

    def onSkipButton(self) -> None:
        """Skip the open case with a reason, and open the next one."""
        case = self._logic.loader.caseID
        reason = askReason(case) if case else None
        if reason is None or not mayLeave(self._logic.case):
            return
        with slicer.util.tryWithErrorDisplay(_("The state cannot be kept.")):
            self._labeling.skip(case, reason)
            self._panel.showStates({case: CaseState.SKIPPED})
            self._openNext()

    def onUndoButton(self) -> None:
        """Undo the last skip or confirmation."""
        with slicer.util.tryWithErrorDisplay(_("This cannot be undone.")):
            case, state = self._labeling.undo()
            self._panel.showStates({case: state})
            self._panel.updateButtons()

    def onReaderEdited(self) -> None:
        """Keep the name of the reader."""
        edit = self._ui.readerLineEdit
        if edit.text == currentReader():
            return
        try:
            with slicer.util.tryWithErrorDisplay(_("The name of the reader cannot be kept.")):
                nameReader(edit.text)
        finally:
            edit.setText(currentReader())

    def update(self) -> None:
        """Show the open case and how far the labeling is."""
        logic, case = self._logic, self._logic.case
        caseID = case.loader.caseID
        isClassified = self.classes.update(caseID)
        if isClassified:
            self.editor.exit()  # its effects have the keys 1 to 9, too
        segmentation = None if isClassified else case.loader.segmentation()
        self.editor.show(segmentation, case.loader.volumes())
        row = next((row for row in logic.rows() if row.case_id == caseID), None)
        self._ui.caseFactsLabel.setText(_facts(row))
        session = case.session
        remarks = () if session is None else (session.claimProblem, session.remark)
        showText(self._ui.claimLabel, " ".join(filter(None, remarks)))
        self._kept.update()
        self.next.update()
        self._ui.readerLineEdit.setEnabled(not caseID)
        self._ui.readerLineEdit.toolTip = (
            _("Close the case first: its labels are saved under this name.")
            if caseID
            else _("Your labels are saved under this name. Initials or your login name will do.")
        )
        self._ui.roundLabel.setText(self._roundText())

    def classGiven(self, caseID: str) -> None:
        """Show that the class of a case was given or taken back."""
        states = self._logic.files().record.read_states()
        self._panel.showStates({caseID: states.of(caseID)})

    def problems(self, *, nothingToSave: str) -> dict[str, str]:
        """Say for every button why it cannot be pressed now; empty if it can.

        Args:
            nothingToSave: Why there is nothing to save; empty if there is.
        """
        caseID = self._logic.loader.caseID
        noOpen = "" if caseID else _("Open a case first.")
        noNext = "" if self._logic.rows() else _("Choose a cohort and press Inspect first.")
        before = self._labeling.previousCase(caseID)
        noBefore = "" if before else _("No other case was open before.")
        noUndo = "" if self._labeling.undoText else _("Nothing was skipped or confirmed here.")
        return {
            "openNextButton": noNext,
            "previousButton": noBefore,
            "saveNextButton": noOpen or nothingToSave,
            "skipButton": noOpen,
            "undoButton": noUndo,
            **self.next.problems(),
        }

    def noteOpened(self, caseID: str) -> None:
        """Note that a case was opened."""
        self._labeling.noteOpened(caseID)

    def _openNext(self) -> None:
        with slicer.util.tryWithErrorDisplay(_("The next case cannot be opened.")):
            current = self._logic.loader.caseID
            due = self._labeling.dueCase(current)
            case = due or self._labeling.nextCase(current)
            if case:
                self._panel.openCase(case, isBlinded=bool(due))
            else:
                self._logic.case.close()
                self._panel.updateButtons()

    def isMeant(self) -> bool:
        """Ask before labels without a voxel are saved."""
        node = self._logic.loader.segmentation()
        if node is None or not isEmpty(node):
            return True
        text = _("Nothing is drawn in {case}. Save it as a case without any of these labels?")
        case = self._logic.loader.caseID
        return bool(slicer.util.confirmYesNoDisplay(text.format(case=case)))

    def _roundText(self) -> str:
        if not self._logic.rows():
            return ""
        try:
            return roundText(self._labeling.round())
        except CrossModalError as error:
            return str(error)


def _facts(row: CaseRow | None) -> str:
    """Say why the open case has its rank, and what is noteworthy about it."""
    if row is None or row.rank is None:
        return "" if row is None else row.explanation
    return _("Rank {rank}. {reason}").format(rank=row.rank, reason=row.explanation)
