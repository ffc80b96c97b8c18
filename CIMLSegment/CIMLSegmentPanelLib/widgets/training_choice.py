"""How long and with how large patches to train: in words, with the numbers beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import qt
from slicer.i18n import tr as _

from CIMLSegmentPanelLib.nodes.segmentation_parameters import CIMLSegmentParameterNode

if TYPE_CHECKING:
    from slicer_types import UiForm

# Optimizer steps, and the side of a cube of voxels. Two patches of four modalities took 1.1 GB on a
# CPU at a side of 64, with memory in proportion to the voxels, beside 0.6 GB for the program.
QUICK, STANDARD, OVERNIGHT = 500, 5000, 20000
SMALL, MEDIUM, LARGE = 64, 96, 128


class TrainingChoice:
    """Two lists of words; choosing one sets the number beside it, which can be changed, too."""

    def __init__(self, ui: UiForm, parameters: Callable[[], CIMLSegmentParameterNode]) -> None:
        """Fill the lists.

        Args:
            ui: Holds the widgets of the `.ui` file by name.
            parameters: Returns what the user chose in the present scene.
        """
        self._parameters = parameters
        self._lists = (
            (ui.lengthComboBox, "trainingSteps", _lengths()),
            (ui.patchComboBox, "largestPatch", _patches()),
        )
        for comboBox, name, texts in self._lists:
            for text, toolTip in texts.values():
                comboBox.addItem(text)
                comboBox.setItemData(comboBox.count - 1, toolTip, qt.Qt.ToolTipRole)
            comboBox.addItem(_("As written beside"))
            comboBox.connect("activated(int)", self._setter(name, tuple(texts)))

    def follow(self, parameters: CIMLSegmentParameterNode) -> None:
        """Show the words of the numbers that are chosen."""
        for comboBox, name, texts in self._lists:
            number = getattr(parameters, name)
            place = list(texts).index(number) if number in texts else len(texts)
            if comboBox.currentIndex != place:
                comboBox.setCurrentIndex(place)

    def _setter(self, name: str, numbers: tuple[int, ...]) -> Callable[[int], None]:
        def choose(place: int) -> None:
            if place < len(numbers):
                setattr(self._parameters(), name, numbers[place])

        return choose


def _lengths() -> Mapping[int, tuple[str, str]]:
    """Steps to the words for them, and what is behind the words."""
    steps = _("{n} optimizer steps at most.")
    return {
        QUICK: (_("Quick try"), steps.format(n=QUICK)),
        STANDARD: (_("Standard"), steps.format(n=STANDARD)),
        OVERNIGHT: (_("Overnight"), steps.format(n=OVERNIGHT)),
    }


def _patches() -> Mapping[int, tuple[str, str]]:
    """Sides of patches to the words for them, and what is behind the words."""
    voxels = _("As many voxels as a cube of {n} has, two patches at a time.")
    return {
        SMALL: (_("Small (fits 4 GB)"), voxels.format(n=SMALL)),
        MEDIUM: (_("Medium (fits 8 GB)"), voxels.format(n=MEDIUM)),
        LARGE: (_("Large (fits 16 GB)"), voxels.format(n=LARGE)),
    }
