"""Both modules open in a Slicer that has none of the packages that they need later.

A build of the extension runs this with `slicer_add_python_unittest`. Nothing but Slicer is needed.
By hand, in one line:

    Slicer --testing --no-splash --additional-module-paths MDALSelector CIMLSegment --python-code
        "import slicer.testing; slicer.testing.runUnitTest(['Testing'], 'CrossModalInSlicer')"
"""

from __future__ import annotations

import sys
import unittest
from typing import Any

import slicer

MODULES = ("MDALSelector", "CIMLSegment")
LATE = ("torch", "monai", "sklearn", "plotly")  # for child processes alone
IMPORTED_BEFORE = {module for module in LATE if module in sys.modules}


class CrossModalInSlicer(unittest.TestCase):
    """What holds before anything is installed, chosen or loaded."""

    def setUp(self) -> None:
        """Begin with an empty scene."""
        slicer.mrmlScene.Clear()

    def panel(self, module: str) -> Any:
        """Show a module and return its widget class."""
        slicer.util.selectModule(module)
        return slicer.util.getModuleWidget(module)

    def test_both_modules_are_there_with_what_a_list_of_modules_shows(self) -> None:
        for name in MODULES:
            module = getattr(slicer.modules, f"{name}Instance").parent
            assert "CrossModal contributors" in list(module.contributors)
            for text in (module.title, module.helpText, module.acknowledgementText):
                assert text

    def test_panels_open_and_say_what_is_missing(self) -> None:
        for name in MODULES:
            panel = self.panel(name)
            problem = panel.setupSection.problem
            assert panel.ui.requirementsLabel.text
            assert bool(panel.ui.installButton.enabled) == bool(problem)

    def test_nothing_starts_before_something_is_chosen_and_the_tool_tip_says_why(self) -> None:
        for name, button in (("MDALSelector", "startButton"), ("CIMLSegment", "segmentButton")):
            widget = getattr(self.panel(name).ui, button)
            assert not widget.enabled
            assert widget.toolTip

    def test_opening_a_panel_imports_nothing_heavy(self) -> None:
        for name in MODULES:
            self.panel(name)
        assert {module for module in LATE if module in sys.modules} - IMPORTED_BEFORE == set()

    def test_the_scene_can_be_closed_and_the_panels_go_on(self) -> None:
        for name in MODULES:
            self.panel(name)
            slicer.mrmlScene.Clear()
            assert self.panel(name).sceneParameters() is not None
