"""Stand-ins behave as the widgets of CTK and Slicer, and refuse what these have not."""

import pytest
from slicer_host.errors import RefusalError

pytestmark = pytest.mark.usefixtures("scene")


@pytest.fixture
def combo(scene):
    import slicer

    box = slicer.qMRMLNodeComboBox()
    box.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    box.addEnabled = box.removeEnabled = False
    box.noneEnabled = True
    yield box
    box.setMRMLScene(None)


def names(box):
    inner = box.findChild("QComboBox")
    return [inner.itemText(row) for row in range(inner.count)]


def test_selector_follows_the_scene(combo, scene, make_volume):
    assert combo.enabled is False
    combo.setMRMLScene(scene)
    assert combo.enabled is True
    first, second = make_volume("A"), make_volume("B")
    scene.AddNewNodeByClass("vtkMRMLTextNode", "no volume")
    scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "labels")
    assert names(combo) == ["None", "A", "B", "labels"]
    second.SetName("C")
    scene.RemoveNode(first)
    combo.noneDisplay = "Choose"
    assert names(combo) == ["Choose", "C", "labels"]
    assert combo.currentNode().GetName() == "C"  # the entry that was chosen has been made anew
    combo.setCurrentNode(None)
    second.SetAttribute("Modality", "PET")
    combo.addAttribute("vtkMRMLScalarVolumeNode", "Modality", "PET")
    assert names(combo) == ["Choose", "C"]
    assert combo.currentNode() is None


def test_selector_lets_go_of_a_removed_node(combo, scene, make_volume):
    combo.setMRMLScene(scene)
    deleted, volume = [], make_volume("A")
    combo.setCurrentNode(volume)
    volume.GetImageData().AddObserver("DeleteEvent", lambda *_: deleted.append(True))
    del volume
    scene.RemoveNode(combo.currentNode())
    assert deleted == [True]


def test_selector_tells_changes_by_node_and_by_name(combo, scene, make_volume):
    combo.setMRMLScene(scene)
    volume, got = make_volume("A"), []
    combo.connect("currentNodeChanged(vtkMRMLNode*)", got.append)
    combo.connect("currentNodeChanged(bool)", got.append)
    combo.connect("currentNodeIDChanged(QString)", got.append)
    combo.setCurrentNode(volume)
    combo.setCurrentNode(volume)
    combo.setCurrentNode(None)
    assert got == [volume, True, volume.GetID(), None, False, ""]


def test_selector_renames_its_node(combo, scene, make_volume, messages):
    combo.renameEnabled = True
    combo.setMRMLScene(scene)
    volume = make_volume("A")
    combo.setCurrentNode(volume)
    messages.answers.append("B")
    inner = combo.findChild("QComboBox")
    inner.currentIndex = 2
    inner.activated.emit(2)
    assert names(combo) == ["None", "B", "Rename current node"]
    assert combo.currentNode() is volume


def test_selector_is_no_combo_box_and_has_no_cpp_methods(combo):
    with pytest.raises(RefusalError):
        combo.currentIndex  # noqa: B018
    with pytest.raises(RefusalError, match="C\\+\\+ method"):
        combo.nodes  # noqa: B018


@pytest.mark.parametrize("name", ["ctkCollapsibleButton", "ctkCollapsibleGroupBox"])
def test_what_code_hid_stays_hidden_when_a_section_is_expanded(name):
    import ctk
    import qt

    section = getattr(ctk, name)()
    layout = qt.QVBoxLayout(section)
    shown, hidden, late = qt.QLabel("shown"), qt.QLabel("hidden"), qt.QLabel("late")
    layout.addWidget(shown)
    layout.addWidget(hidden)
    hidden.visible = False
    section.collapsed = True
    section.show()
    assert (shown.visible, hidden.visible, section.checked) == (False, False, False)
    shown.visible = True
    assert not shown.visible
    layout.addWidget(late)
    low = section.maximumHeight
    section.collapsed = False
    assert (shown.visible, hidden.visible) == (True, False)
    assert section.maximumHeight > low
    late.visible = True
    section.collapsed = True
    assert not late.visible


def test_slider_widget_keeps_all_digits_and_its_limits():
    import ctk

    slider, got = ctk.ctkSliderWidget(), []
    slider.minimum, slider.maximum, slider.decimals = -100, 500, 1
    slider.connect("valueChanged(double)", got.append)
    slider.value = 12.34
    assert slider.value == 12.34
    assert slider.findChild("QDoubleSpinBox").value == pytest.approx(12.3)
    slider.value = 1000
    assert got == [12.34, 500]
    slider.findChild("QSlider").value = 500
    assert slider.value == slider.findChild("QDoubleSpinBox").value == 200
    with pytest.raises(RefusalError):
        slider.setRange(0, 1)


@pytest.fixture
def path_edit(tmp_path):
    """A path edit with a history of its own, and what it emitted."""
    import ctk

    edit, emitted = ctk.ctkPathLineEdit(), []
    edit.settingKey = tmp_path.name
    edit.connect("currentPathChanged(QString)", emitted.append)
    edit.connect("validInputChanged(bool)", emitted.append)
    return edit, emitted


def test_path_edit_remembers_its_history(path_edit, tmp_path, messages):
    import ctk

    edit, _ = path_edit
    edit.filters = ctk.ctkPathLineEdit.Dirs
    messages.files.append(str(tmp_path))
    edit.browse()
    edit.addCurrentPathToHistory()
    again = ctk.ctkPathLineEdit()
    again.settingKey = edit.settingKey
    assert again.currentPath == str(tmp_path)


@pytest.mark.parametrize("wants_file", [False, True])
def test_path_edit_cannot_choose_a_folder_for_a_file_or_a_file_for_a_folder(
    path_edit, tmp_path, messages, wants_file
):
    import ctk

    (tmp_path / "file").touch()
    kind = ctk.ctkPathLineEdit
    path_edit[0].filters = kind.Dirs | kind.Files if wants_file else kind.Dirs
    messages.files.append(str(tmp_path if wants_file else tmp_path / "file"))
    with pytest.raises(RefusalError, match="asks for a file" if wants_file else "for a folder"):
        path_edit[0].browse()


def test_path_edit_tells_only_paths_that_fit_its_filters_and_never_the_empty_one(path_edit):
    edit, emitted = path_edit
    edit.currentPath = "/a"
    emitted.clear()
    edit.currentPath = ""
    edit.nameFilters = ["Tables (*.csv *.tsv)"]
    for path in ("/a/b", "/a/b.csv", "/a/c"):
        edit.currentPath = path
    assert emitted == [False, "/a/b.csv", True, False]


def test_path_edit_is_emptied_for_a_moment_when_it_remembers_a_path_again(path_edit):
    edit, emitted = path_edit
    edit.currentPath = "/a/b"
    edit.addCurrentPathToHistory()
    emitted.clear()
    edit.addCurrentPathToHistory()
    assert emitted == [False, "/a/b", True]


UI = """
<ui version="4.0"><widget class="{kind}" name="root"><layout class="QVBoxLayout" name="l"><item>
 <widget class="ctkSliderWidget" name="s"><property name="{name}"><double>3</double></property>
 </widget></item></layout></widget><connections><connection><sender>{sender}</sender>
 <signal>{signal}</signal><receiver>s</receiver><slot>{slot}</slot></connection></connections></ui>
"""
GOOD = {
    "kind": "QWidget", "name": "maximum", "sender": "s", "signal": "valueChanged(double)",
    "slot": "setValue(double)",
}  # fmt: skip


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "ctkNothing"},
        {"name": "maximun"},
        {"name": "tickInterval"},
        {"sender": "nothing"},
        {"signal": "valueChange(double)"},
        {"slot": "setValues(double)"},
    ],
    ids=lambda wrong: str(*wrong.values()),
)
def test_ui_files_with_unknown_names_are_refused(tmp_path, wrong):
    import slicer
    from slicer_host.errors import HostGapError

    path = tmp_path / "wrong.ui"
    path.write_text(UI.format(**GOOD))
    assert slicer.util.loadUI(str(path)).findChild("ctkSliderWidget").maximum == 3
    path.write_text(UI.format(**GOOD | wrong))
    with pytest.raises(HostGapError if "tickInterval" in wrong.values() else RefusalError):
        slicer.util.loadUI(str(path))
    with pytest.raises(RuntimeError, match="not found"):
        slicer.util.loadUI(str(tmp_path / "absent.ui"))
