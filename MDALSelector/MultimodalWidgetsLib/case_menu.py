"""What can be done with a case in a table of either panel: open, skip, show its files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from MultimodalImagingLib.errors import CrossModalError
from MultimodalImagingLib.record.cohort_record import CaseState, StateEntry
from MultimodalSlicerLib.case_results import ChosenCase
from MultimodalWidgetsLib.row_menu import MenuEntry, RowMenu


@dataclass(frozen=True)
class CaseCalls:
    """What a panel does.

    Attributes:
        open: Opens a case.
        openResult: Opens a case with its result.
        acceptPairing: Lets a case be suggested whose modalities seemed not to fit.
        changed: Shows that the record has another state of a case now.
    """

    open: Callable[[str], None]
    openResult: Callable[[ChosenCase], None]
    acceptPairing: Callable[[str], None]
    changed: Callable[[str, CaseState], None] = lambda _case, _state: None


class CaseMenu:
    """The menu of a table of cases."""

    def __init__(
        self,
        view: qt.QTableView,
        chosen: Callable[[], ChosenCase | None],
        calls: CaseCalls,
        *,
        prefersResult: bool = False,
    ) -> None:
        """Follow a table.

        Args:
            view: The table.
            chosen: Returns the case of the current row; `None` without one.
            calls: What the panel does.
            prefersResult: Whether Return opens a case with its result where there is one.
        """
        self._chosen, self._calls, self._prefersResult = chosen, calls, prefersResult
        self._menu = RowMenu(view, self.entries)

    def openChosen(self) -> None:
        """Open the chosen case, as Return does."""
        self._menu.chooseFirst()

    def entries(self) -> list[MenuEntry]:
        """Return what can be done with the chosen case, and why the rest cannot."""
        case = self._chosen()
        if case is None:
            return []
        entry, unread = _entry(case)
        state = case.state if entry is None else entry.state
        name, folder = case.found.case_id, _folder(case)
        noFiles = "" if folder else _("No image file of this case is known. Inspect the cohort.")
        noResult = "" if case.result else _("This case has no result of a model yet.")
        isSkipped, isDoubtful = state is CaseState.SKIPPED, state is CaseState.CHECK_PAIRING
        notSkipped = unread or ("" if isSkipped else _("This case is not skipped."))
        onlyDoubtful = "" if isDoubtful else _("Only for cases in the state 'check pairing'.")
        notToSkip = unread or _notToSkip(state, entry)
        opening = [
            MenuEntry(_("Open"), lambda: self._calls.open(name), noFiles),
            MenuEntry(_("Open result"), lambda: self._calls.openResult(case), noResult),
        ]
        if self._prefersResult and case.result:
            opening.reverse()
        return [
            *opening,
            MenuEntry(_("Copy name"), lambda: slicer.app.clipboard().setText(name)),
            MenuEntry(_("Show folder"), lambda: showFolder(folder), noFiles),
            MenuEntry(
                _("Accept pairing"),
                lambda: self._calls.acceptPairing(name),
                unread or onlyDoubtful,
            ),
            MenuEntry(_("Skip…"), lambda: self._skip(case), notToSkip),
            MenuEntry(_("Undo skip"), lambda: self._undoSkip(case), notSkipped),
        ]

    def _skip(self, case: ChosenCase) -> None:
        name = case.found.case_id
        reason = askReason(name)
        if reason is None:
            return
        with slicer.util.tryWithErrorDisplay(_("The state cannot be kept.")):
            case.files.skip(name, reason)
            self._calls.changed(name, CaseState.SKIPPED)

    def _undoSkip(self, case: ChosenCase) -> None:
        with slicer.util.tryWithErrorDisplay(_("The state cannot be kept.")):
            state = case.files.undo_skip(case.found.case_id)
            self._calls.changed(case.found.case_id, state)


def showFolder(folder: Path | None) -> None:
    """Show a folder in the file manager of the system, or say that it is not there."""
    with slicer.util.tryWithErrorDisplay(_("The folder cannot be shown.")):
        if folder is None or not folder.is_dir():
            text = _("The folder {folder} is not there. Inspect the cohort again.")
            raise ValueError(text.format(folder=folder))
        if not qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(folder))):
            text = _("The system has no program that shows folders. The folder is {folder}.")
            raise ValueError(text.format(folder=folder))


def _entry(case: ChosenCase) -> tuple[StateEntry | None, str]:
    """Return what the record says now, and why it cannot be read; the latter may be empty."""
    try:
        return case.files.state_entry(case.found.case_id), ""
    except CrossModalError as error:
        return None, str(error)


def _folder(case: ChosenCase) -> Path | None:
    image = next(iter(case.files.images(case.found).values()), None)
    return None if image is None else image.path.parent


def _notToSkip(state: CaseState, entry: StateEntry | None) -> str:
    if state is CaseState.LABELLED:
        return _("This case is labeled.")
    if state is not CaseState.SKIPPED:
        return ""
    reason = entry.note if entry is not None else ""
    if not reason:
        return _("This case is skipped already.")
    return _("This case is skipped already ({reason}).").format(reason=reason)


def askReason(caseID: str) -> str | None:
    """Ask why a case is skipped; `None` if it is not to be."""
    dialog = qt.QInputDialog(slicer.util.mainWindow())
    dialog.setWindowTitle(_("Skip a case"))
    dialog.setLabelText(_("Why should {case} not be labeled?").format(case=caseID))
    dialog.setComboBoxEditable(True)
    dialog.setComboBoxItems(
        [
            _("An image is missing or unusable"),
            _("The images do not belong together"),
            _("The case does not belong to the study"),
            _("Unclear, to be discussed"),
        ]
    )
    dialog.setOkButtonText(_("Skip the case"))
    isGiven = bool(dialog.exec_())
    reason = str(dialog.textValue()).strip()
    dialog.deleteLater()
    return reason if isGiven else None
