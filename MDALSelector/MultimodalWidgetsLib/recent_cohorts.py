"""The button *Recent* at the field of a cohort: the cohorts that were inspected last."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from slicer.i18n import tr as _

from MultimodalWidgetsLib.button_menu import ButtonMenu
from MultimodalWidgetsLib.remembered import RecentCohort, forgetGoneCohorts, recentCohorts


class RecentCohorts(ButtonMenu[RecentCohort]):
    """Offers the cohorts, newest first; those that are gone cannot be chosen."""

    @property
    def problem(self) -> str:
        """Why there is nothing to choose; empty if there is."""
        return "" if recentCohorts() else _("No cohort was inspected yet.")

    def fill(self) -> None:
        """Add the cohorts as they are now."""
        cohorts = recentCohorts()
        for cohort in cohorts:
            self._addCohort(cohort)
        if not all(cohort.isThere for cohort in cohorts):
            self._menu.addSeparator()
            action = self._menu.addAction(_("Forget those that are not there"))
            action.connect("triggered()", forgetGoneCohorts)

    def _addCohort(self, cohort: RecentCohort) -> None:
        text = _("{name} in {folder}") if cohort.isThere else _("{name} in {folder} (not there)")
        path = Path(cohort.path)
        shown = text.format(name=path.name, folder=path.parent).replace("&", "&&")
        action = self._menu.addAction(shown)
        action.setEnabled(cohort.isThere)
        gone = _("{path} is not there now. Connect its drive.").format(path=cohort.path)
        action.setToolTip(cohort.path if cohort.isThere else gone)
        action.connect("triggered()", partial(self._chosen, cohort))
