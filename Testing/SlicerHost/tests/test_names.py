"""Every name that the host or our modules use exists in the real classes."""

from pathlib import Path

import pytest
from slicer_host import real_names

REPOSITORY = Path(__file__).parents[3]
DEMO = Path(__file__).parent / "data" / "HostDemo" / "HostDemo.py"


def module_files():
    folders = [REPOSITORY / name for name in ("MDALSelector", "CIMLSegment")]
    patterns = ("*.py", "*SlicerLib/*.py", "*WidgetsLib/*.py")
    files = [path for folder in folders for pattern in patterns for path in folder.glob(pattern)]
    return [DEMO, *sorted(files)]


def ui_files():
    return [path for folder in ("MDALSelector", "CIMLSegment", "Testing/SlicerHost/tests")
            for path in sorted((REPOSITORY / folder).rglob("*.ui"))]  # fmt: skip


@pytest.mark.usefixtures("host")
@pytest.mark.parametrize("path", module_files(), ids=lambda path: path.name)
def test_module_uses_only_real_names(path):
    from slicer_host.static_check import check_module

    assert check_module(path) == []


@pytest.mark.usefixtures("host")
@pytest.mark.parametrize("path", ui_files(), ids=lambda path: path.name)
def test_ui_file_uses_only_real_names(path):
    from slicer_host.static_check import check_ui

    assert check_ui(path) == []


def test_stand_ins_offer_only_names_of_the_real_classes(host):
    from slicer_host.stand_ins import all_stand_ins
    from slicer_host.static_check import unreal_names

    surplus = {name: unreal_names(kind) for name, kind in all_stand_ins().items()}
    assert {name: names for name, names in surplus.items() if names} == {}


def test_stand_ins_derive_from_the_same_qt_class_as_the_real_ones(host):
    from slicer_host.pythonqt import members
    from slicer_host.stand_ins import all_stand_ins

    wrong = {
        name: (members.chain(kind)[1][0].__name__, real_names.qt_base(name))
        for name, kind in all_stand_ins().items()
        if members.chain(kind)[1][0].__name__ != real_names.qt_base(name)
    }
    assert wrong == {}


def test_check_finds_wrong_names(host, tmp_path):
    from slicer_host.static_check import check_module, check_ui

    folder = tmp_path / "Wrong" / "Resources" / "UI"
    folder.mkdir(parents=True)
    ui = (DEMO.parent / "Resources" / "UI" / "HostDemo.ui").read_text()
    ui = ui.replace('property name="noneEnabled"', 'property name="nonEnabled"')
    ui = ui.replace(
        "<slot>setMRMLScene(vtkMRMLScene*)</slot>", "<slot>setScene(vtkMRMLScene*)</slot>", 1
    )
    (folder / "Wrong.ui").write_text(ui)
    source = (
        "import qt, ctk, slicer\nqt.QLabell\nqt.Qt.AlignMiddle\nctk.ctkNothing\n"
        "slicer.qMRMLNothing\nself.ui.noteEdit.textt\nself.ui.nothing\n"
        "self.ui.noteEdit.connect('textChange(QString)', f)\n"
        "self.ui.thresholdSlider.setRange(0, 1)\n"
    )
    (tmp_path / "Wrong" / "Wrong.py").write_text(source)
    found = check_module(tmp_path / "Wrong" / "Wrong.py")
    assert [text.partition(": ")[0][-1] for text in sorted(found)] == list("23456789")
    assert len(check_ui(folder / "Wrong.ui")) == 2


def test_lists_of_names_hold_what_is_known_of_the_real_classes():
    classes = real_names.real_classes()
    combo = classes["qMRMLNodeComboBox"]
    assert combo.bases == ("QWidget",)
    assert "currentNodeChanged(vtkMRMLNode*)" in combo.signals
    assert "setMRMLScene(vtkMRMLScene*)" in combo.slots
    assert combo.properties["noneEnabled"] == ("bool", "noneEnabled", "setNoneEnabled")
    assert "setRange" in classes["ctkSliderWidget"].hidden
    assert "setRange(double,double)" in classes["ctkRangeWidget"].slots
    assert "dataSelected(vtkStringArray*,vtkCollection*)" in classes["qMRMLPlotView"].signals
    assert "setItem" in real_names.qt_methods()["QTableWidget"]
