"""One row per modality of the model: which volume it is, and what is odd about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from slicer.i18n import tr as _

from CIMLSegmentLib.task.task import Task
from CIMLSegmentPanelLib.nodes.input_matching import MAX_INPUTS
from MultimodalWidgetsLib.room import reserveLines
from MultimodalWidgetsLib.widget_additions import setNoneDisplay, showChoice

if TYPE_CHECKING:
    from slicer_types import UiForm


class InputSection:
    """Shows as many rows as the model has modalities."""

    def __init__(self, ui: UiForm) -> None:
        """Find the widgets of the `.ui` file."""
        parts, numbers = ("Label", "Selector"), range(1, MAX_INPUTS + 1)
        self._rows = [[getattr(ui, f"input{part}{n}") for part in parts] for n in numbers]
        self._toolTips = [selector.toolTip for _label, selector in self._rows]
        self._notesLabel = ui.inputNotesLabel
        reserveLines(3, ui.modelSummaryLabel)
        reserveLines(3, ui.inputNotesLabel)
        reserveLines(2, ui.verdictLabel)
        self.showTask(None)

    def showTask(self, task: Task | None) -> None:
        """Show the modalities of a task, or none."""
        modalities = () if task is None else tuple(task.modalities)
        for index, (label, selector) in enumerate(self._rows):
            isUsed = index < len(modalities)
            label.setVisible(isUsed)
            selector.setVisible(isUsed)
            if task is not None and isUsed:
                self._showModality(index, modality=modalities[index], task=task)

    def showNotes(self, notes: Mapping[str, str]) -> None:
        """Show the remarks on the volumes, and their names, which may be cut, in tool tips."""
        self._notesLabel.setText("\n".join(text for text in notes.values() if text))
        for (_label, selector), toolTip in zip(self._rows, self._toolTips, strict=True):
            showChoice(selector, toolTip)

    def _showModality(self, index: int, *, modality: str, task: Task) -> None:
        label, selector = self._rows[index]
        isPrimary = modality in task.primaries
        part = _("primary") if isPrimary else _("auxiliary")
        label.setText(_("{modality} ({part}):").format(modality=modality, part=part))
        self._toolTips[index] = (
            _("The volume that shows {modality}. The result lies on its grid.")
            if modality == task.subtasks[0].primary
            else _("The volume that shows {modality}.")
        ).format(modality=modality)
        setNoneDisplay(selector, _("Choose a volume") if isPrimary else _("None"))
