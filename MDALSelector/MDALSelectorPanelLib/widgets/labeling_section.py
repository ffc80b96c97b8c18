"""The labeling section: the next case, its editor, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Protocol

import slicer
from slicer.i18n import tr as _

from MDALSelectorPanelLib.nodes.case_rows import CaseRow
from MDALSelectorPanelLib.nodes.labeling import Labeling
from MDALSelectorPanelLib.nodes.labeling_round import roundText
from MDALSelectorPanelLib.selector_logic import MDALSelectorLogic
from MDALSelectorPanelLib.widgets.case_clock import CaseClock
from MDALSelectorPanelLib.widgets.class_box import ClassBox
from MDALSelectorPanelLib.widgets.kept_work import KeptWork
from MDALSelectorPanelLib.widgets.label_set_choice import LabelSetChoice
from MDALSelectorPanelLib.widgets.next_steps import NextSteps
from MDALSelectorPanelLib.widgets.reader_field import ReaderField
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
from MultimodalWidgetsLib.case_menu import askReason
from MultimodalWidgetsLib.leaving import mayLeave
from MultimodalWidgetsLib.widget_additions import showText

if TYPE_CHECKING:
    from slicer_types import UiForm


class Panel(Protocol):
    """What the section needs of the panel."""

    def openCase(self, caseID: str, *, isBlinded: bool = False) -> bool:
        """Open a case without asking about the one before, and return whether that was meant."""

    def saveLabels(self) -> bool:
        """Save the labels of the open case, and return whether that worked."""

    def showStates(self, states: Mapping[str, CaseState]) -> None:
        """Show that cases have another state now."""

    def showRecord(self) -> None:
        """Show what has become of the cases."""

    def updateButtons(self) -> None:
        """Enable what can be done now."""


class LabelingSection:
    """Goes from case to case.

    Attributes:
        editor: Segment Editor.
        classes: What is in its place where cases are classified.
        labelSet: What an empty segmentation holds.
        clock: Shows the time, and whether unsaved work is kept.
        reader: Who reads.
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
        self._kept.noted.connect(panel.showRecord)
        self.next = NextSteps(ui, logic)
        self.reader = ReaderField(ui.readerLineEdit, logic.case)
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
        self._shortcuts.install()
        self.editor.enter()

    def exit(self) -> None:
        """Give the keys back."""
        self._shortcuts.remove()
        self.editor.exit()

    def leaveScene(self) -> None:
        """Let go of the scene, which is about to be closed."""
        self.editor.leaveScene()
        self._kept.leaveScene()

    def cleanup(self) -> None:
        """Let go of everything before the panel is deleted."""
        self.clock.stop()
        self._shortcuts.remove()
        self.editor.exit()  # its keys are the main window's, and would stay

    def mayOpen(self, caseID: str) -> bool:
        """Ask before a case is opened that another reader has open.

        Raises:
            UsageError: If the name that was typed cannot be that of a reader.
            CohortError: If the record cannot be read.
        """
        self.reader.take()
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
        """Open the case that was open before, without its earlier label if it was so then."""
        opened = self._labeling.previousCase(self._logic.loader.caseID)
        if opened is not None and mayLeave(self._logic.case):
            self._labeling.goBack(opened)
            self._panel.openCase(opened.caseID, isBlinded=opened.isBlinded)

    def onSaveNextButton(self) -> None:
        """Save, and open the case to be labeled next."""
        if self.isMeant() and self._panel.saveLabels():
            self._openNext()

    def onSkipButton(self) -> None:
        """Skip the open case with a reason, and open the next one."""
        case = self._logic.case
        session = case.session
        reason = None if session is None else askReason(session.caseID)
        if session is None or reason is None or not mayLeave(case):
            return
        with slicer.util.tryWithErrorDisplay(_("The state cannot be kept.")):
            case.notes.inTurn(partial(self._labeling.skip, session, reason), case.breathe)
        self._panel.showStates({session.caseID: CaseState.SKIPPED})
        self._openNext()

    def onUndoButton(self) -> None:
        """Undo the last skip or confirmation."""
        with slicer.util.tryWithErrorDisplay(_("This cannot be undone.")):
            undone = self._logic.case.notes.inTurn(self._labeling.undo, self._logic.case.breathe)
        self._panel.showStates(dict([undone]))
        self._panel.updateButtons()

    def isReadAgain(self, caseID: str) -> bool:
        """Tell whether a case is open that is read again without its earlier label."""
        session = self._logic.case.session
        return session is not None and session.isBlinded and session.caseID == caseID

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
        self.reader.show()
        self._ui.roundLabel.setText(self._roundText(isClassified=isClassified))

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
        noNext = self.noCohort()
        before = self._labeling.previousCase(caseID)
        noBefore = "" if before else _("No other case was open before.")
        noUndo = "" if self._labeling.undoText else _("Nothing was skipped or confirmed here.")
        return {
            "openNextButton": noNext,
            "previousButton": noNext or noBefore,
            "saveNextButton": noOpen or nothingToSave or noNext,
            "skipButton": noOpen or self._notToSkip(caseID) or noNext,
            "undoButton": noNext or noUndo,
            **self.next.problems(),
        }

    def noCohort(self) -> str:
        """Say why the cases that are listed are not those of the cohort that is chosen."""
        cohort = self._logic.getParameterNode().cohortPath
        isKnown = self._logic.isInspected(cohort) or self._logic.ranking.facts.cohort == cohort
        isListed = isKnown and bool(self._logic.rows())
        return "" if isListed else _("Choose a cohort and press Inspect first.")

    def _notToSkip(self, caseID: str) -> str:
        if self._logic.case.session is None:
            return _("There is no record in which it could be noted.")
        if self.isReadAgain(caseID):
            return _("A case that is read again is labeled already. Open the next case.")
        row = next((row for row in self._logic.rows() if row.case_id == caseID), None)
        isLabelled = row is not None and row.state is CaseState.LABELLED
        return _("This case is labeled.") if isLabelled else ""

    def noteOpened(self, caseID: str) -> None:
        """Note that a case was opened."""
        self._labeling.noteOpened(caseID, isBlinded=self.isReadAgain(caseID))

    def _openNext(self) -> None:
        with slicer.util.tryWithErrorDisplay(_("The next case cannot be opened.")):
            self.reader.take()
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

    def _roundText(self, *, isClassified: bool) -> str:
        if not self._logic.rows():
            return ""
        try:
            return roundText(self._labeling.round(), isClassified=isClassified)
        except CrossModalError as error:
            return str(error)


def _facts(row: CaseRow | None) -> str:
    """Say why the open case has its rank, and what is noteworthy about it."""
    if row is None or row.rank is None:
        return "" if row is None else row.explanation
    return _("Rank {rank}. {reason}").format(rank=row.rank, reason=row.explanation)
