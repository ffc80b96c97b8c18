"""Paths in the panels: typed, emptied, remembered."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PATHS = [
    ("MDALSelector", "cohortPath"),
    ("MDALSelector", "recordPath"),
    ("CIMLSegment", "modelPath"),
    ("CIMLSegment", "outputPath"),
    ("CIMLSegment", "cohortPath"),
    ("CIMLSegment", "recordPath"),
    ("CIMLSegment", "taskPath"),
    ("CIMLSegment", "startPath"),
    ("CIMLSegment", "trainedModelPath"),
    ("CIMLSegment", "batchPath"),
]


@pytest.fixture
def open_panel(scene, load_module):
    """Return a function that opens the panel of a module."""
    load_module(ROOT / "MDALSelector" / "MDALSelector.py")

    def open_panel(module):
        return load_module(ROOT / module / f"{module}.py")

    return open_panel


@pytest.mark.parametrize(("module", "name"), PATHS)
def test_an_emptied_path_is_kept_as_empty(open_panel, module, name, tmp_path):
    panel = open_panel(module)
    edit = getattr(panel.ui, f"{name}LineEdit")
    edit.currentPath = str(tmp_path)
    assert getattr(panel.logic.getParameterNode(), name) == str(tmp_path)
    edit.currentPath = ""
    assert getattr(panel.logic.getParameterNode(), name) == ""
    panel.onParametersChanged()
    assert edit.currentPath == ""


def test_a_path_that_is_remembered_does_not_go_for_a_moment(open_panel, tmp_path):
    from MultimodalWidgetsLib.widget_additions import rememberPath

    panel, emitted = open_panel("MDALSelector"), []
    edit = panel.ui.cohortPathLineEdit
    edit.currentPath = str(tmp_path)
    rememberPath(edit)
    edit.connect("validInputChanged(bool)", emitted.append)
    rememberPath(edit)
    edit.disconnect("validInputChanged(bool)", emitted.append)
    assert emitted == []
    assert panel.logic.getParameterNode().cohortPath == edit.currentPath == str(tmp_path)
