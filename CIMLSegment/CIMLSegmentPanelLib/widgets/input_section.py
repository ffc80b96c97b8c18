"""One row per modality of the model: which volume it is, and what is odd about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import qt
from slicer.i18n import tr as _

from CIMLSegmentLib.task.task import Task
from CIMLSegmentPanelLib.nodes.input_matching import MAX_INPUTS
from MultimodalWidgetsLib.widget_additions import showText

if TYPE_CHECKING:
    from slicer_types import UiForm


class InputSection:
    """Shows as many rows as the model has modalities."""

    def __init__(self, ui: UiForm) -> None:
        """Find the widgets of the `.ui` file."""
        parts, numbers = ("Label", "Selector", "Note"), range(1, MAX_INPUTS + 1)
        self._rows = [[getattr(ui, f"input{part}{n}") for part in parts] for n in numbers]
        self.showTask(None)

    def showTask(self, task: Task | None) -> None:
        """Show the modalities of a task, or none."""
        modalities = () if task is None else tuple(task.modalities)
        for index, (label, selector, note) in enumerate(self._rows):
            isUsed = index < len(modalities)
            label.setVisible(isUsed)
            selector.setVisible(isUsed)
            note.setVisible(False)
            if task is not None and isUsed:
                self._showModality(label, selector, modality=modalities[index], task=task)

    def showNotes(self, notes: Mapping[str, str]) -> None:
        """Show a remark below each volume; the order is that of the model."""
        for (_label, _selector, note), text in zip(self._rows, notes.values(), strict=False):
            showText(note, text)

    def _showModality(
        self, label: qt.QLabel, selector: qt.QWidget, *, modality: str, task: Task
    ) -> None:
        isPrimary = modality in task.primaries
        part = _("primary") if isPrimary else _("auxiliary")
        label.setText(_("{modality} ({part}):").format(modality=modality, part=part))
        selector.toolTip = (
            _("The volume that shows {modality}. The result lies on its grid.")
            if modality == task.subtasks[0].primary
            else _("The volume that shows {modality}.")
        ).format(modality=modality)
        selector.noneDisplay = _("Choose a volume") if isPrimary else _("None")
