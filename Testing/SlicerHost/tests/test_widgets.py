import numpy as np
import pytest
from slicer_host.errors import RefusalError

pytestmark = pytest.mark.usefixtures("scene")


@pytest.fixture
def combo(scene):
    import slicer

    box = slicer.qMRMLNodeComboBox()
    box.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    box.addEnabled = box.removeEnabled = False
    yield box
    box.setMRMLScene(None)


def names(box):
    return [box.nodeFromIndex(index).GetName() for index in range(box.nodeCount())]


def test_selector_is_disabled_without_a_scene(combo, scene):
    assert combo.enabled is False
    combo.setMRMLScene(scene)
    assert combo.enabled is True


def test_selector_follows_the_scene(combo, scene, make_volume):
    combo.setMRMLScene(scene)
    first, second = make_volume("A"), make_volume("B")
    scene.AddNewNodeByClass("vtkMRMLTextNode", "no volume")
    assert names(combo) == ["A", "B"]
    second.SetName("C")
    assert names(combo) == ["A", "C"]
    scene.RemoveNode(first)
    assert names(combo) == ["C"]


def test_selector_lets_go_of_a_removed_node(combo, scene, make_volume):
    combo.setMRMLScene(scene)
    deleted = []
    image = make_volume("A").GetImageData()
    image.AddObserver("DeleteEvent", lambda *_: deleted.append(True))
    del image
    scene.RemoveNode(combo.currentNode())
    assert deleted == [True]


def test_selector_without_none_takes_the_first_node(combo, scene, make_volume):
    combo.setMRMLScene(scene)
    volume = make_volume("A")
    assert combo.currentNode() is volume
    other = make_volume("B")
    combo.setCurrentNode(other)
    scene.RemoveNode(other)
    assert combo.currentNode() is volume


def test_selector_with_none_starts_with_none(combo, scene, make_volume):
    combo.noneEnabled = True
    combo.setMRMLScene(scene)
    make_volume("A")
    assert combo.currentNode() is None
    assert combo.currentNodeID == ""


def test_selector_tells_changes_by_node_and_by_name(combo, scene, make_volume):
    combo.noneEnabled = True
    combo.setMRMLScene(scene)
    volume, got = make_volume("A"), []
    combo.connect("currentNodeChanged(vtkMRMLNode*)", lambda node: got.append(node))
    combo.connect("currentNodeChanged(bool)", lambda exists: got.append(exists))
    combo.connect("currentNodeIDChanged(QString)", lambda identity: got.append(identity))
    combo.setCurrentNode(volume)
    combo.setCurrentNode(volume)
    combo.setCurrentNode(None)
    assert got == [volume, True, volume.GetID(), None, False, ""]


def test_selector_filters_by_class_and_attribute(combo, scene, make_volume):
    combo.setMRMLScene(scene)
    make_volume("scalar")
    scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "labels")
    assert names(combo) == ["scalar", "labels"]
    combo.showChildNodeTypes = False
    assert names(combo) == ["scalar"]
    other = make_volume("marked")
    other.SetAttribute("Modality", "PET")
    combo.addAttribute("vtkMRMLScalarVolumeNode", "Modality", "PET")
    assert names(combo) == ["marked"]


def test_selector_creates_nodes(combo, scene):
    combo.addEnabled = True
    combo.baseName = "New one"
    combo.setMRMLScene(scene)
    node = combo.addNode()
    assert combo.currentNode() is node
    assert node.GetName() == "New one"


def test_selector_is_no_combo_box(combo):
    with pytest.raises(RefusalError):
        combo.currentIndex  # noqa: B018
    with pytest.raises(RefusalError, match="C\\+\\+ method"):
        combo.nodes  # noqa: B018


def test_collapsible_button_hides_its_contents(host):
    import ctk
    import qt

    section = ctk.ctkCollapsibleButton()
    section.text = "Section"
    layout = qt.QVBoxLayout(section)
    label = qt.QLabel("inside")
    layout.addWidget(label)
    section.show()
    got = []
    section.connect("contentsCollapsed(bool)", got.append)
    section.collapsed = True
    assert not label.visible
    assert section.checked is False
    high = section.sizeHint.height()
    section.click()
    assert label.visible
    assert section.collapsed is False
    assert section.sizeHint.height() > high
    assert got == [True, False]


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
    assert (shown.visible, hidden.visible) == (False, False)
    shown.visible = True
    assert not shown.visible
    layout.addWidget(late)
    section.collapsed = False
    assert (shown.visible, hidden.visible) == (True, False)
    late.visible = True
    assert late.visible
    section.collapsed = True
    assert not late.visible


def test_slider_widget_keeps_slider_and_box_together():
    import ctk

    slider, got = ctk.ctkSliderWidget(), []
    slider.minimum, slider.maximum, slider.decimals = -100, 500, 1
    slider.connect("valueChanged(double)", got.append)
    slider.value = 12.34
    assert slider.value == 12.34
    assert slider.findChild("QDoubleSpinBox").value == pytest.approx(12.3)
    slider.value = 1000
    assert slider.value == 500
    assert got == [12.34, 500]
    with pytest.raises(RefusalError):
        slider.setRange(0, 1)


def test_range_widget_tells_both_ends():
    import ctk

    widget, got = ctk.ctkRangeWidget(), []
    widget.setRange(0, 10)
    widget.connect("valuesChanged(double,double)", lambda low, high: got.append((low, high)))
    widget.setValues(2, 5)
    assert (widget.minimumValue, widget.maximumValue) == (2, 5)
    assert got == [(2, 5)]


def test_path_edit_remembers_its_history(tmp_path, messages):
    import ctk

    edit, got = ctk.ctkPathLineEdit(), []
    edit.filters = ctk.ctkPathLineEdit.Dirs
    edit.settingKey = "Test/History"
    edit.connect("currentPathChanged(QString)", got.append)
    messages.files.append(str(tmp_path))
    edit.browse()
    edit.addCurrentPathToHistory()
    again = ctk.ctkPathLineEdit()
    again.settingKey = "Test/History"
    assert again.currentPath == str(tmp_path)
    assert got[-1] == str(tmp_path)


def test_path_edit_for_files_cannot_choose_a_folder(tmp_path, messages):
    import ctk

    edit = ctk.ctkPathLineEdit()
    edit.filters = ctk.ctkPathLineEdit.Dirs | ctk.ctkPathLineEdit.Files
    messages.files.append(str(tmp_path))
    with pytest.raises(RefusalError, match="asks for a file"):
        edit.browse()


def test_path_edit_tells_only_paths_that_fit_its_filters():
    import ctk

    edit, got = ctk.ctkPathLineEdit(), []
    edit.nameFilters = ["Tables (*.csv *.tsv)"]
    edit.connect("currentPathChanged(QString)", got.append)
    edit.connect("validInputChanged(bool)", got.append)
    edit.currentPath = "/a/b"
    edit.currentPath = "/a/b.csv"
    edit.currentPath = "/a/c"
    assert got == ["/a/b.csv", True, False]


def test_path_edit_does_not_tell_the_empty_path():
    import ctk

    edit, got = ctk.ctkPathLineEdit(), []
    edit.connect("currentPathChanged(QString)", got.append)
    edit.connect("validInputChanged(bool)", got.append)
    edit.currentPath = "/a/b"
    edit.currentPath = ""
    assert got == ["/a/b", True, False]


def test_path_edit_is_emptied_for_a_moment_when_it_remembers_a_path_again():
    import ctk

    edit, got = ctk.ctkPathLineEdit(), []
    edit.settingKey = "Test/Again"
    edit.currentPath = "/a/b"
    edit.addCurrentPathToHistory()
    edit.connect("currentPathChanged(QString)", got.append)
    edit.connect("validInputChanged(bool)", got.append)
    edit.addCurrentPathToHistory()
    assert got == [False, "/a/b", True]


def test_directory_button_asks_for_a_folder(tmp_path, messages):
    import ctk

    button, got = ctk.ctkDirectoryButton(), []
    button.connect("directoryChanged(QString)", got.append)
    messages.files.append(str(tmp_path))
    button.browse()
    assert button.directory == str(tmp_path)
    assert got == [str(tmp_path)]


def test_table_view_shows_and_edits_a_table_node(scene):
    import slicer

    table = scene.AddNewNodeByClass("vtkMRMLTableNode")
    slicer.util.updateTableFromArray(table, [np.array([1.0, 2.0])], ["value"])
    table.SetUseColumnTitleAsColumnHeader(True)
    view = slicer.qMRMLTableView()
    view.setMRMLTableNode(table)
    model = view.tableModel()
    assert model.rowCount() == 2
    model.setData(model.index(1, 0), "7.5")
    assert table.GetTable().GetValue(1, 0).ToDouble() == 7.5
    view.setMRMLTableNode(None)


@pytest.fixture
def segmentation(scene, make_volume):
    import slicer

    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Seg")
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(make_volume())
    for name in ("tumor", "edema"):
        node.GetSegmentation().AddEmptySegment(name, name)
    slicer.app.processEvents()
    return node


def test_segments_table_lists_and_hides_segments(segmentation):
    import slicer

    table = slicer.qMRMLSegmentsTableView()
    table.setMRMLScene(slicer.mrmlScene)
    table.setSegmentationNode(segmentation)
    assert table.segmentCount == 2
    table.setSelectedSegmentIDs(["edema"])
    assert table.selectedSegmentIDs() == ("edema",)
    segmentation.GetSegmentation().AddEmptySegment("core", "core")
    assert table.segmentCount == 3
    table.setSegmentationNode(None)


def test_segment_selector_follows_the_node(segmentation):
    import slicer

    selector, got = slicer.qMRMLSegmentSelectorWidget(), []
    selector.setMRMLScene(slicer.mrmlScene)
    selector.connect("currentSegmentChanged(QString)", got.append)
    selector.setCurrentNode(segmentation)
    selector.setCurrentSegmentID("edema")
    assert selector.currentSegmentID() == "edema"
    assert got[-1] == "edema"
    selector.setMRMLScene(None)


def test_colour_selector_offers_tables(scene):
    import slicer

    box = slicer.qMRMLColorTableComboBox()
    box.setMRMLScene(scene)
    box.setCurrentNodeID("vtkMRMLColorTableNodeFileInferno.txt")
    assert box.currentNode().GetName() == "Inferno"
    box.setMRMLScene(None)


def test_ui_file_with_an_unknown_property_is_refused(tmp_path):
    import slicer

    path = tmp_path / "bad.ui"
    path.write_text(
        '<ui version="4.0"><widget class="QWidget" name="Bad"><layout class="QVBoxLayout" name="l">'
        '<item><widget class="ctkSliderWidget" name="s"><property name="maximun"><double>3</double>'
        "</property></widget></item></layout></widget></ui>"
    )
    with pytest.raises(RefusalError, match="maximun"):
        slicer.util.loadUI(str(path))
    with pytest.raises(RuntimeError, match="not found"):
        slicer.util.loadUI(str(tmp_path / "absent.ui"))
