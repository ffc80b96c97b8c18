"""What the panels show goes through `_()`, and no sentence is glued from translated pieces."""

from __future__ import annotations

import re
from pathlib import Path

import panel_texts
import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = (
    *("MDALSelector/MultimodalSlicerLib", "MDALSelector/MultimodalWidgetsLib"),
    *("MDALSelector/MDALSelectorPanelLib", "CIMLSegment/CIMLSegmentPanelLib"),
)
MODULES = ("MDALSelector/MDALSelector.py", "CIMLSegment/CIMLSegment.py")
APPLICATION = re.compile(r"^\s*(import|from) (slicer|qt|ctk|vtk)\b", re.MULTILINE)


def panel_files() -> list[Path]:
    """Files that know the application; the others speak as the commands do, in English."""
    files = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    files += [ROOT / module for module in MODULES]
    return [path for path in files if APPLICATION.search(path.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("path", panel_files(), ids=lambda path: path.name)
def test_what_is_shown_is_translated_whole(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert panel_texts.untranslated(source) == []
    assert panel_texts.glued(source) == []


@pytest.mark.parametrize(
    "line",
    [
        'label.setText("Done")',
        'label.text = "Done"',
        'label.text = "Done" if ready else text',
        'button.toolTip = f"Segment {case}"',
        'dialog.setWindowTitle("Choose")',
        'raise ValueError("nothing chosen")',
        'msg = f"The file {path} is gone."',
        'return "Choose a folder first."',
        'return {DONE: "Done.", FAILED: reason}[state]',
        'table.setHorizontalHeaderLabels(["Case", _("State")])',
        'item = textItem("none", toolTip=_("No value."))',
        'job = Job(arguments, title="Check PyTorch")',
        'slicer.util.errorDisplay("It failed")',
        'chart.SetXAxisTitle("step")',
    ],
)
def test_an_untranslated_text_is_found(line: str) -> None:
    assert panel_texts.untranslated(f"def f():\n    {line}\n")


@pytest.mark.parametrize(
    "line",
    [
        'text = _("a") + _("b")',
        'text = _("Warning: ") + name',
        'text = prefix + _("{n} cases").format(n=n)',
        "text = f\"{_('Open')}: {case}\"",
        "text = f\"{unit or _('unitless')}\"",
        'first = _("Done"); text = f"{first}."',
        'first = _("Done").format(n=n); text = first + "."',
        'text = " ".join([name, _("no finer than")])',
        'text = _(" No finer than {mm}.").format(mm=mm)',
        'text = _(f"Open {case}")',
        'text = _("Open {case}".format(case=case))',
        'text = _("a" + b)',
        'text = _("{} of {}").format(a, b)',
    ],
)
def test_a_glued_sentence_is_found(line: str) -> None:
    assert panel_texts.glued(f"def f():\n    {line}\n")


@pytest.mark.parametrize(
    "line",
    [
        'label.setText(_("Done."))',
        'text = _("{n} cases").format(n=n)',
        'text = " ".join([_("One sentence."), _("Another of {n}.").format(n=n)])',
        'text = "\\n".join((title, _("unitless")))',
        'node = scene.AddNewNodeByClass("vtkMRMLTableNode", "MDAL ranking")',
        'button = getattr(ui, f"{name}Label")',
        'button.connect("clicked()", handler)',
        'logger.warning("The tests of %s are not there.", name)',
        'label.text = texts["state"]',
        'label.text = ""',
        'item.setText(f"{value:.2f}")',
        '"""A docstring. With sentences."""',
    ],
)
def test_what_needs_no_translation_passes(line: str) -> None:
    source = f"def f():\n    {line}\n"
    assert panel_texts.untranslated(source) == panel_texts.glued(source) == []
