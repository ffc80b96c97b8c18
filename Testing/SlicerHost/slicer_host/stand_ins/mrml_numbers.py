"""Stand-ins for number widgets that follow the units of the scene."""

from __future__ import annotations

from typing import Any

from PySide6.QtWidgets import QWidget

from slicer_host.stand_ins.node_combo_box import qMRMLNodeComboBox
from slicer_host.stand_ins.numbers import ctkDoubleSpinBox, ctkSliderWidget
from slicer_host.stand_ins.ranges import ctkRangeWidget


class _WithScene:
    """The part that Slicer adds to the widgets of CTK: scene and quantity."""

    _scene: Any = None
    _quantity = ""

    def mrmlScene(self) -> Any:
        return self._scene

    def setMRMLScene(self, scene: Any) -> None:
        self._scene = scene

    def quantity(self) -> str:
        return self._quantity

    def setQuantity(self, quantity: str) -> None:
        self._quantity = quantity


class qMRMLSliderWidget(_WithScene, ctkSliderWidget):
    """Slider with a unit."""


class qMRMLSpinBox(_WithScene, ctkDoubleSpinBox):
    """Spin box with a unit."""


class qMRMLRangeWidget(_WithScene, ctkRangeWidget):
    """Range with a unit."""


class qMRMLColorTableComboBox(qMRMLNodeComboBox):
    """Choice of a colour table."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        for name in ("add", "remove"):
            self._flags[name] = False
        self._flags["hidden"] = True
        self.setNodeTypes(["vtkMRMLColorTableNode", "vtkMRMLProceduralColorNode"])
