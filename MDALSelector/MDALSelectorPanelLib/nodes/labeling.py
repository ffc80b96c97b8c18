"""Which case is labeled next, what was done in this round, and what can be undone.

Must not import Qt.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from slicer.i18n import tr as _

from MDALSelectorPanelLib.nodes.case_rows import CaseRow
from MDALSelectorPanelLib.nodes.labeling_round import Round, newLabels
from MultimodalImagingLib.cohorts.agreement import read_agreement
from MultimodalImagingLib.cohorts.reading_plan import due_reading, labeling_order, read_plan
from MultimodalImagingLib.errors import CohortError, CrossModalError
from MultimodalImagingLib.record.case_states import CaseState, CaseStates, Claim
from MultimodalImagingLib.record.claims import live_claims
from MultimodalImagingLib.record.cohort_record import CohortRecord
from MultimodalImagingLib.record.readers import is_same_reader
from MultimodalImagingLib.record.rounds import read_rounds
from MultimodalSlicerLib.cohort_files import CohortFiles, undo_state
from MultimodalSlicerLib.labeling_session import LabelingSession
from MultimodalSlicerLib.reader import currentReader

_OPEN = (CaseState.IN_PROGRESS, CaseState.SUGGESTED)
_TO_LABEL = (*_OPEN, CaseState.UNLABELLED, CaseState.CONFIRMED)


@dataclass(frozen=True)
class OpenedCase:
    """A case that was opened, and how.

    Attributes:
        caseID: The case.
        isBlinded: Whether it was opened without its earlier label.
    """

    caseID: str
    isBlinded: bool = False


class Labeling:
    """Goes through the cases of a cohort."""

    def __init__(
        self,
        rows: Callable[[], list[CaseRow]],
        files: Callable[[], CohortFiles],
        run: Callable[[], str],
    ) -> None:
        """Begin with nothing opened.

        Args:
            rows: Returns the cases in the order of labeling.
            files: Returns the cohort.
            run: Returns the folder of the selection that is shown; empty without one.
        """
        self._rows, self._files, self._run = rows, files, run
        self._opened: list[OpenedCase] = []
        self._undoable: list[tuple[CohortRecord, str, CaseState]] = []

    def forget(self) -> None:
        """Forget what was opened and done, as it belongs to another cohort or scene."""
        self._opened, self._undoable = [], []

    def nextCase(self, current: str) -> str:
        """Return the case to be labeled next; empty if none is left.

        Args:
            current: The case that is open, which is not meant; empty if none is.

        Raises:
            CohortError: If the record cannot be read.
        """
        states = self._files().record.read_states()
        rows, run = self._rows(), self._run()
        now = {row.case_id: _stateNow(row, states) for row in rows}
        suggested = suggestedCases(run) if run else now
        trained = [
            case
            for case, state in now.items()
            if case not in states.evaluation and (case in suggested or state in _OPEN)
        ]
        order = labeling_order(trained, [case for case in now if case in states.evaluation])
        reader = currentReader()
        taken = {
            case
            for case, claim in live_claims(states.claims).items()
            if not is_same_reader(claim.reader, reader)
        }
        free = [case for case in order if now[case] in _TO_LABEL and case not in {current, *taken}]
        free.sort(key=lambda case: now[case] is not CaseState.IN_PROGRESS)
        return free[0] if free else ""

    def dueCase(self, current: str) -> str:
        """Return the case to be read again now, without its earlier label; empty if none is due.

        The open one is not meant; one that was opened for that and left is not due again.

        Raises:
            CohortError: If the record cannot be read.
        """
        record, known = self._files().record, {row.case_id for row in self._rows()}
        left = {one.caseID for one in self._opened if one.isBlinded}
        due = due_reading(
            record.read_states(),
            currentReader(),
            read_plan(record),
            read_agreement(record),
            but=[current],
            left=left,
        )
        return due.case_id if due is not None and due.case_id in known else ""

    def noteOpened(self, caseID: str, *, isBlinded: bool = False) -> None:
        """Note that a case was opened, and whether without its earlier label."""
        opened = OpenedCase(caseID, isBlinded)
        if caseID and self._opened[-1:] != [opened]:
            self._opened.append(opened)

    def previousCase(self, current: str) -> OpenedCase | None:
        """Return the case that was open before, as it was opened; `None` if none was."""
        known = {row.case_id for row in self._rows()}
        before = [one for one in self._opened if one.caseID in known]
        while before and before[-1].caseID == current:
            before.pop()
        return before[-1] if before else None

    def goBack(self, opened: OpenedCase) -> None:
        """Forget what was opened after a case, as it is opened again."""
        while self._opened and self._opened[-1] != opened:
            self._opened.pop()

    def claimOfOther(self, caseID: str) -> Claim | None:
        """Return the claim of another reader at a case; `None` if nobody else has it open.

        Raises:
            CohortError: If the record cannot be read.
        """
        claim = live_claims(self._files().record.read_states().claims).get(caseID)
        isOthers = claim is not None and not is_same_reader(claim.reader, currentReader())
        return claim if isOthers else None

    def skip(self, session: LabelingSession, reason: str) -> None:
        """Note in the record of the open case that it is not to be labeled, and why.

        Raises:
            CohortError: If the case is labeled, which stays so.
            CrossModalError: If the record cannot be written.
        """
        case, record = session.caseID, session.record
        states = record.read_states()
        if states.of(case) is CaseState.LABELLED:
            text = _("{case} is labeled, so it cannot be skipped. Open the next case.")
            raise CohortError(text.format(case=case))
        record.change_states(
            {case: CaseState.SKIPPED},
            seen_revision=states.revision,
            note=reason,
            reader=session.reader,
        )
        self._undoable.append((record, case, CaseState.SKIPPED))

    def noteConfirmed(self, caseID: str) -> None:
        """Note that the pairing of a case was confirmed, which can be undone."""
        self._undoable.append((self._files().record, caseID, CaseState.CONFIRMED))

    @property
    def undoText(self) -> str:
        """What would be undone, a sentence; empty if there is nothing."""
        if not self._undoable:
            return ""
        _record, case, state = self._undoable[-1]
        isSkip = state is CaseState.SKIPPED
        text = (
            _("Undo that {case} was skipped.") if isSkip else _("Undo that {case} was confirmed.")
        )
        return text.format(case=case)

    def undo(self) -> tuple[str, CaseState]:
        """Undo the last skip or confirmation.

        Returns:
            The case, and the state that it has again.

        Raises:
            ValueError: If there is nothing to undo.
            CrossModalError: If the case has another state meanwhile, or the record cannot be
                written.
        """
        if not self._undoable:
            raise ValueError(_("Nothing was skipped or confirmed here since Slicer was started."))
        record, case, state = self._undoable[-1]
        former = undo_state(record, case, state)
        self._undoable.pop()
        return case, former

    def round(self) -> Round:
        """Tell how far the labeling is.

        Raises:
            CohortError: If the record or its rounds cannot be read.
        """
        record, run, rows = self._files().record, self._run(), self._rows()
        states, rounds = record.read_states(), read_rounds(record)
        now = {row.case_id: _stateNow(row, states) for row in rows}
        suggested: Collection[str] = suggestedCases(run) if run else ()
        meant = [case for case in now if not suggested or case in suggested]
        seconds = [
            label.looking_s
            for case in meant
            for label in states.labels.get(case, {}).values()
            if label.looking_s > 0
        ]
        done = [now[case] for case in meant]
        return Round(
            len(meant),
            done.count(CaseState.LABELLED),
            done.count(CaseState.SKIPPED),
            sum(seconds) / len(seconds) if seconds else None,
            isSelected=bool(suggested),
            nNew=newLabels(now, states, rounds),
            trained=rounds[-1].number if rounds else 0,
        )


def suggestedCases(run: str) -> frozenset[str]:
    """Return the cases that a selection suggested; none if its folder cannot be read."""
    try:
        return _readSuggested(run)
    except (CrossModalError, OSError):  # a failure is not kept: the folder may come back
        return frozenset()


@lru_cache(maxsize=8)
def _readSuggested(run: str) -> frozenset[str]:
    from MDALSelectorLib.selection.run_folder import read_selection

    return frozenset(case.case_id for case in read_selection(Path(run)).cases if case.suggested)


def _stateNow(row: CaseRow, states: CaseStates) -> CaseState:
    """Return the state that the record gives a case; where it says nothing, that of its row."""
    return states.of(row.case_id) if row.case_id in states.entries else row.state
