"""What is in a cohort: names of files, geometry, problems; the names can be corrected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import qt
from slicer.i18n import tr as _

from MultimodalImagingLib.cohorts.layouts.dicom import LAYOUT as DICOM_LAYOUT
from MultimodalImagingLib.cohorts.modality_patterns import IGNORE, LABEL
from MultimodalSlicerLib.cohort_report import CohortReport, NamePart, with_correction
from MultimodalWidgetsLib.room import reserveLines
from MultimodalWidgetsLib.signal import Signal
from MultimodalWidgetsLib.tables import PlainTable, setTitles

if TYPE_CHECKING:
    from slicer_types import UiForm

PART, TARGET, FILES, EXAMPLE = range(4)
OPEN = "?"  # behind a modality that files may have, and are not used for


class CohortSection:
    """Shows a `CohortReport`.

    Attributes:
        corrected: Emits the corrections `PATTERN=NAME` after the user changed one.
        report: What is shown; `None` before the first.
        hint: What to say in place of the usual advice before the first; may be empty.
    """

    def __init__(self, ui: UiForm) -> None:
        """Take the widgets of the `.ui` file."""
        self.corrected = Signal()
        self.report: CohortReport | None = None
        self.hint = ""
        self._ui = ui
        self._corrections: list[str] = []
        reserveLines(4, ui.cohortSummaryLabel)
        self._geometry = PlainTable(ui.geometryView)
        self._problems = PlainTable(ui.problemsView, wrapped=1)
        ui.namesTable.setColumnCount(EXAMPLE + 1)
        ui.namesTable.horizontalHeader().setStretchLastSection(True)
        ui.namesTable.connect("cellChanged(int,int)", self._onCellChanged)
        self.show(None)

    def show(self, report: CohortReport | None, *, corrections: Sequence[str] = ()) -> None:
        """Show a cohort, or none; the corrections are those that it was read with."""
        self.report, self._corrections = report, list(corrections)
        modalities = () if report is None else report.modalities
        part, files = _("Part of the name"), _("Files")
        if report is not None and report.layout == DICOM_LAYOUT.name:
            part, files = _("Description"), _("Series")
        setTitles(self._ui.namesTable, [part, _("Modality"), files, _("Example")])
        self._ui.cohortSummaryLabel.setText(self._summary())
        self._fillNames(() if report is None else report.name_parts)
        titles = [_("Case"), _("Grids"), _("Overlap"), *modalities]
        self._geometry.setRows(titles, () if report is None else report.geometry)
        titles = [_("Severity"), _("Problem"), _("Case"), _("File")]
        problems = () if report is None else report.problems
        self._problems.setRows(titles, [(row[0], row[3], *row[1:3]) for row in problems])
        count = 0 if report is None else len(report.problems)
        self._ui.cohortTabs.setTabText(2, _("Problems ({n})").format(n=count))

    def giveHint(self, hint: str) -> None:
        """Say something in place of the usual advice, or say that again."""
        self.hint = hint
        if self.report is None:
            self._ui.cohortSummaryLabel.setText(self._summary())

    def _summary(self) -> str:
        return (self.hint if self.report is None else "") or _summary(self.report)

    def _fillNames(self, parts: Sequence[NamePart]) -> None:
        table = self._ui.namesTable
        wasBlocked = table.blockSignals(True)
        table.setRowCount(len(parts))
        for row, part in enumerate(parts):
            for column, item in enumerate(_nameItems(part)):
                table.setItem(row, column, item)
        for column in range(EXAMPLE):  # the last one takes what is left
            table.resizeColumnToContents(column)
        table.blockSignals(wasBlocked)

    def _onCellChanged(self, row: int, column: int) -> None:
        table = self._ui.namesTable
        part = table.item(row, PART).text()
        target = table.item(row, TARGET).text().rstrip(OPEN)
        if column in (PART, TARGET) and part.strip() and target.strip():
            self._corrections = with_correction(self._corrections, part, target)
            self.corrected.emit(list(self._corrections))


def _summary(report: CohortReport | None) -> str:
    if report is None:
        return _(
            "Choose the folder of a cohort and press Inspect. 'Try it' makes a synthetic cohort of"
            " 12 cases."
        )
    text = _("{summary}. Layout: {layout}. {naming}").format(
        summary=report.summary, layout=report.layout, naming=report.naming
    )
    return "\n".join((report.left_out, text)) if report.left_out else text


def _nameItems(part: NamePart) -> list[qt.QTableWidgetItem]:
    isOpen = not part.is_used and part.target not in ("", LABEL, IGNORE)
    target = part.target + OPEN if isOpen else part.target
    texts = (part.part, target, str(part.n_files), part.example)
    items = [qt.QTableWidgetItem(text) for text in texts]
    for item, text in zip(items, texts, strict=True):
        item.setToolTip(text)
    for item in (items[FILES], items[EXAMPLE]):
        item.setFlags(qt.Qt.ItemIsSelectable | qt.Qt.ItemIsEnabled)
    hint = _(
        "The modality of files with this part in their name; `label` and `ignore` are possible."
    )
    if not part.is_used:
        hint = _("These files are not used. Write what they are.")
    if isOpen:
        hint = _(
            "These files are not used, as others of their case could be {modality} too. Write"
            " {modality} without the question mark at those that are."
        ).format(modality=part.target)
    items[TARGET].setToolTip("\n".join((target, hint)))
    return items
