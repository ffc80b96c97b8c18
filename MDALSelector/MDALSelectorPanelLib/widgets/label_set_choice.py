"""Which labels an empty case gets: those of a task, or names that the user gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import slicer
from slicer.i18n import tr as _

from MultimodalImagingLib.errors import CrossModalError
from MultimodalImagingLib.record.label_set_file import (
    LabelSet,
    names_from_text,
    write_label_set,
)
from MultimodalSlicerLib.cohort_files import CohortFiles
from MultimodalSlicerLib.label_sets import chosenLabels, taskNames

if TYPE_CHECKING:
    from slicer_types import UiForm


class LabelSetChoice:
    """Shows and keeps the labels of the cohort."""

    def __init__(self, ui: UiForm, files: Callable[[], CohortFiles]) -> None:
        """Fill the list.

        Args:
            ui: The widgets of the `.ui` file.
            files: Returns the cohort.
        """
        self._box, self._edit, self._files = ui.taskComboBox, ui.labelNamesLineEdit, files
        self._toolTip: str = ui.taskComboBox.toolTip
        self._modalities: Sequence[str] = ()
        for name in taskNames():
            self._box.addItem(name, name)
        self._box.addItem(_("Own labels"), "")
        self._box.connect("activated(int)", self.onTaskChosen)
        self._edit.connect("editingFinished()", self.onNamesEdited)

    def follow(self, modalities: Sequence[str]) -> None:
        """Show what was chosen for a cohort; before, the task that suits its modalities.

        Args:
            modalities: Those of the cohort; empty if none is known.
        """
        self._modalities = modalities
        try:
            chosen = self.chosen()
        except CrossModalError as error:
            self._box.setCurrentIndex(-1)
            self._box.toolTip = str(error)
            return
        self._box.toolTip = self._toolTip
        index = self._box.findData(chosen.task)
        if index < 0:  # the file of a task
            self._box.addItem(chosen.task, chosen.task)
            index = self._box.findData(chosen.task)
        self._box.setCurrentIndex(index)
        self._edit.setText(", ".join(chosen.names))
        self._edit.setVisible(bool(modalities) and not chosen.task)

    def chosen(self) -> LabelSet:
        """Return the labels of the cohort; those of a suitable task if nobody has chosen.

        Raises:
            CohortError: If the file that keeps the choice cannot be read.
        """
        if not self._files().path:
            return LabelSet()
        return chosenLabels(self._files().record, self._modalities)

    def onTaskChosen(self, index: int) -> None:
        """Keep the task that was chosen, or ask for names."""
        task = str(self._box.itemData(index) or "")
        self._edit.setVisible(not task)
        if task:
            self._keep(LabelSet(task))
        else:
            self.onNamesEdited()
            self._edit.setFocus()

    def onNamesEdited(self) -> None:
        """Keep the names that were typed."""
        if self._edit.visible or self._box.currentIndex == self._box.count - 1:
            with slicer.util.tryWithErrorDisplay(_("The labels cannot be kept.")):
                self._write(LabelSet("", names_from_text(self._edit.text)))

    def _keep(self, labels: LabelSet) -> None:
        with slicer.util.tryWithErrorDisplay(_("The labels cannot be kept.")):
            self._write(labels)

    def _write(self, labels: LabelSet) -> None:
        if not self._files().path:
            return
        with suppress(CrossModalError):  # what cannot be read is replaced by the choice
            if labels == self.chosen():
                return
        write_label_set(self._files().open_record(), labels)
        self._box.toolTip = self._toolTip
