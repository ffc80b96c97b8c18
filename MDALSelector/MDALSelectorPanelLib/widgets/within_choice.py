"""The choice of the groups within which cases are compared: those that the cohort has."""

from __future__ import annotations

from collections.abc import Callable

import qt
from slicer.i18n import tr as _

from MultimodalSlicerLib.cohort_report import CohortReport
from MultimodalSlicerLib.plurals import byNumber
from MultimodalSlicerLib.selection_parameters import MDALSelectorParameterNode


class WithinChoice:
    """Offers the groupings of the cohort that was inspected, and the one of the scene."""

    def __init__(
        self, box: qt.QComboBox, parameters: Callable[[], MDALSelectorParameterNode]
    ) -> None:
        """Take the widget.

        Args:
            box: The widget of the `.ui` file.
            parameters: Returns what the user chose in the present scene.
        """
        self._box, self._names, self._parameters = box, [""], parameters
        self._offered: tuple[object, ...] = ()
        self._toolTip = box.toolTip
        box.connect("activated(int)", self._onActivated)

    def follow(self, report: CohortReport | None, current: str) -> None:
        """Offer the groupings of a cohort and show the one that is chosen.

        Args:
            report: The cohort; `None` before the first.
            current: What is chosen, also if this cohort does not have it.
        """
        groupings = {} if report is None else report.groupings
        offered = (tuple(groupings.items()), current)
        if offered == self._offered:
            return
        self._offered = offered
        self._names = ["", *groupings, *([current] if current not in {"", *groupings} else [])]
        self._box.clear()
        self._box.addItem(_("all cases"))
        for name in self._names[1:]:
            n = groupings.get(name, 0)
            text = byNumber(n, _("{name} ({n} group)"), _("{name} ({n} groups)"))
            self._box.addItem(text.format(name=name, n=n) if name in groupings else name)
        self._box.setCurrentIndex(self._names.index(current))
        self._box.toolTip = "\n".join((self._toolTip, self._box.currentText))

    def _onActivated(self, index: int) -> None:
        self._parameters().within = self._names[index]
