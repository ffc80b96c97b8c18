"""What the panels show goes through `_()`, and no sentence is glued from translated pieces."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from xml.etree import ElementTree as ET

import panel_texts
import pytest

from CIMLSegmentLib.results.map_kinds import MAP_KINDS
from MDALSelectorLib.selection.case_selection import MEASURES
from MDALSelectorLib.strategies import STRATEGIES

ROOT = Path(__file__).parents[2]
PACKAGES = (
    *("MDALSelector/MultimodalSlicerLib", "MDALSelector/MultimodalWidgetsLib"),
    *("MDALSelector/MDALSelectorPanelLib", "CIMLSegment/CIMLSegmentPanelLib"),
)
LIBRARIES = ("MDALSelector/MDALSelectorLib", "CIMLSegment/CIMLSegmentLib")
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


def context_of(path: Path) -> str:
    """The context that Slicer looks a text of a file up in."""
    is_package = (path.parent / "__init__.py").is_file()
    return f"{path.parent.name}.{path.stem}" if is_package else path.stem


def extracted(path: Path, work: Path) -> set[tuple[str, str]]:
    """What Slicer's update_translations.py finds: `_()` is rewritten, then Qt's tool is run."""
    lupdate = Path(pytest.importorskip("PySide6").__file__).parent / "lupdate"
    if not lupdate.is_file():
        pytest.skip("PySide6 came without lupdate.")
    source = path.read_text(encoding="utf-8")
    rewritten = rf'\1translate("{context_of(path)}", \2)'
    source = re.sub(r'([^_])_\((\s*?".+?"\s*?)\)', rewritten, source, flags=re.DOTALL)
    (work / "panel.py").write_text(source, encoding="utf-8")
    command = [str(lupdate), "-silent", str(work / "panel.py"), "-ts", str(work / "panel.ts")]
    subprocess.run(command, check=True, capture_output=True)
    contexts = ET.parse(work / "panel.ts").getroot().iter("context")
    return {
        (context.findtext("name"), message.findtext("source"))
        for context in contexts
        for message in context.iter("message")
    }


def table_files() -> list[Path]:
    """Files of the libraries whose texts are marked for the panels."""
    files = (path for name in LIBRARIES for path in sorted((ROOT / name).rglob("*.py")))
    return [path for path in files if "QT_TRANSLATE_NOOP(" in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("path", [*panel_files(), *table_files()], ids=lambda path: path.name)
def test_a_translator_gets_every_text_in_the_context_where_it_is_looked_up(
    path: Path, tmp_path: Path
) -> None:
    expected = panel_texts.marked(path.read_text(encoding="utf-8"), context_of(path))
    assert extracted(path, tmp_path) == expected


def test_the_texts_of_tables_are_marked_in_the_contexts_that_panels_use() -> None:
    used = {c for path in panel_files() for c in panel_texts.used_contexts(path.read_text("utf-8"))}
    marked = [panel_texts.marked(path.read_text("utf-8"), "") for path in table_files()]
    assert used == {context for pairs in marked for context, _ in pairs}


def test_no_text_of_a_table_that_a_panel_shows_is_without_a_mark() -> None:
    sources = [path.read_text("utf-8") for path in table_files()]
    marked = {pair for source in sources for pair in panel_texts.marked(source, "")}
    kinds = [(kind.title, kind.unit, kind.choice, kind.hint) for kind in MAP_KINDS.values()]
    shown = {("MapKind", text) for texts in kinds for text in texts if text}
    shown |= {("Strategy", strategy.summary) for strategy in STRATEGIES.values()}
    shown |= {("Measure", measure.title) for measure in MEASURES}
    assert shown <= marked


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
        "text = _(entry.hint)",
        'text = _("a" if ready else "b")',
        "text = translate(kind, entry.hint)",
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
