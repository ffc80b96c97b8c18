"""The button *Recent* at the field of a cohort: the cohorts that were inspected last."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import qt
from slicer.i18n import tr as _

from MultimodalWidgetsLib.remembered import RecentCohort, forgetGoneCohorts, recentCohorts


class RecentCohorts:
    """Shows the list, newest first; cohorts that are gone cannot be chosen."""

    def __init__(self, button: qt.QToolButton, chosen: Callable[[RecentCohort], None]) -> None:
        """Follow a button.

        Args:
            button: Shows the list below itself.
            chosen: Receives the cohort that the user picks.
        """
        self._button, self._chosen = button, chosen
        self._menu = qt.QMenu(button)
        self._menu.setToolTipsVisible(True)

    @property
    def problem(self) -> str:
        """Why there is nothing to choose; empty if there is."""
        return "" if recentCohorts() else _("No cohort was inspected yet.")

    def show(self) -> None:
        """Show the list as it is now."""
        self._menu.clear()
        cohorts = recentCohorts()
        for cohort in cohorts:
            self._addCohort(cohort)
        if not all(cohort.isThere for cohort in cohorts):
            self._menu.addSeparator()
            action = self._menu.addAction(_("Forget those that are not there"))
            action.connect("triggered()", forgetGoneCohorts)
        self._menu.popup(self._button.mapToGlobal(qt.QPoint(0, self._button.height)))

    def _addCohort(self, cohort: RecentCohort) -> None:
        text = _("{name} in {folder}") if cohort.isThere else _("{name} in {folder} (not there)")
        path = Path(cohort.path)
        shown = text.format(name=path.name, folder=path.parent).replace("&", "&&")
        action = self._menu.addAction(shown)
        action.setEnabled(cohort.isThere)
        gone = _("{path} is not there now. Connect its drive.").format(path=cohort.path)
        action.setToolTip(cohort.path if cohort.isThere else gone)
        action.connect("triggered()", partial(self._chosen, cohort))
