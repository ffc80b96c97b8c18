"""Every name that the host or our modules use exists in the real classes."""

from pathlib import Path

import pytest
from slicer_host import real_names

ROOT = Path(__file__).parents[3]
FOLDERS = [ROOT / name for name in ("MDALSelector", "CIMLSegment")]

pytestmark = pytest.mark.usefixtures("host")


def test_modules_use_only_real_names():
    from slicer_host.static_check import check_module

    files = sorted(path for folder in FOLDERS for path in folder.rglob("*.py"))
    assert [problem for path in files for problem in check_module(path)] == []


def test_ui_files_use_only_real_names():
    from slicer_host.static_check import check_ui

    files = sorted(path for folder in FOLDERS for path in folder.rglob("*.ui"))
    assert len(files) >= 2
    assert [problem for path in files for problem in check_ui(path)] == []


def test_stand_ins_offer_only_names_of_the_real_classes():
    from slicer_host.stand_ins import all_stand_ins
    from slicer_host.static_check import unreal_names

    surplus = {name: unreal_names(kind) for name, kind in all_stand_ins().items()}
    assert {name: names for name, names in surplus.items() if names} == {}


def test_stand_ins_derive_from_the_same_qt_class_as_the_real_ones():
    from slicer_host.pythonqt import members
    from slicer_host.stand_ins import all_stand_ins

    bases = {name: members.chain(kind)[1][0].__name__ for name, kind in all_stand_ins().items()}
    assert bases == {name: real_names.qt_base(name) for name in bases}


def test_check_finds_wrong_names(tmp_path):
    from slicer_host.static_check import check_module, check_ui

    folder = tmp_path / "Wrong" / "Resources" / "UI"
    folder.mkdir(parents=True)
    ui = (ROOT / "CIMLSegment" / "Resources" / "UI" / "CIMLSegment.ui").read_text()
    for right, wrong in (
        ('property name="noneEnabled"', 'property name="nonEnabled"'),
        ("<slot>setMRMLScene(vtkMRMLScene*)</slot>", "<slot>setScene(vtkMRMLScene*)</slot>"),
        ("<signal>mrmlSceneChanged(vtkMRMLScene*)", "<signal>sceneChanged(vtkMRMLScene*)"),
        ('<widget class="ctkSliderWidget"', '<widget class="ctkSlider"'),
    ):
        assert right in ui
        ui = ui.replace(right, wrong, 1)
    (folder / "Wrong.ui").write_text(ui)
    source = (
        "import qt, ctk, slicer\nqt.QLabell\nqt.Qt.AlignMiddle\nctk.ctkNothing\n"
        "slicer.qMRMLNothing\nself.ui.cohortPathLineEdit.text\nself.ui.nothing\n"
        "self.ui.cohortPathLineEdit.connect('pathChanged(QString)', f)\n"
        "self.ui.resultSelector.nodes()\n"
    )
    (tmp_path / "Wrong" / "Wrong.py").write_text(source)
    found = check_module(tmp_path / "Wrong" / "Wrong.py")
    assert [text.partition(": ")[0][-1] for text in sorted(found)] == list("23456789")
    assert len(check_ui(folder / "Wrong.ui")) == 4
