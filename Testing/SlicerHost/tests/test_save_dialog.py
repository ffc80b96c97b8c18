"""What Slicer's Save offers and writes, by the rules of its dialog; and a view's first offset."""

import pytest
from slicer_host.save_dialog import save, save_rows


@pytest.fixture
def image(scene, tmp_path):
    """An image in a folder of its own, loaded under another name than its file's."""
    import numpy as np
    import SimpleITK as sitk  # noqa: N813
    import slicer

    folder = tmp_path / "cohort"
    folder.mkdir()
    picture = sitk.GetImageFromArray(np.ones((4, 5, 6), dtype=np.float32))
    picture.SetOrigin((0.0, 0.0, 500.0))
    sitk.WriteImage(picture, str(folder / "ct.nii.gz"))
    scene.SetRootDirectory(str(tmp_path))
    properties = {"name": "case CT", "show": False, "singleFile": True}
    return slicer.util.loadVolume(str(folder / "ct.nii.gz"), properties)


def test_a_node_with_another_name_than_its_file_is_written_beside_it(scene, image, tmp_path):
    [row] = save_rows(scene)
    assert row.isChecked
    assert row.path == tmp_path / "cohort" / "case CT.nii.gz"
    assert image.GetStorageNode().GetFileName() == str(row.path)  # though nothing was saved yet
    assert save(scene) == [row.path]
    assert row.path.is_file()


def test_a_node_with_the_name_of_its_file_is_left_alone(scene, image):
    image.SetName("ct")
    [row] = save_rows(scene)
    assert not row.isChecked
    assert save(scene) == []
    image.GetImageData().Modified()
    assert save_rows(scene)[0].isChecked


def test_characters_that_are_left_out_make_another_name(scene, image, tmp_path):
    image.SetName("ct")
    image.GetStorageNode().SetFileName(str(tmp_path / "c+t.nii.gz"))
    image.SetName("c+t")
    [row] = save_rows(scene)
    assert row.path == tmp_path / "ct.nii.gz"


def test_hidden_nodes_and_those_that_are_not_saved_are_not_offered(scene, image):
    image.SetSaveWithScene(False)
    assert save_rows(scene) == []
    image.SetSaveWithScene(True)
    image.SetHideFromEditors(True)
    assert save_rows(scene) == []


def test_a_node_without_a_file_goes_where_scenes_go(scene, tmp_path):
    scene.SetRootDirectory(str(tmp_path))
    node = scene.AddNewNodeByClass("vtkMRMLTableNode", "a/b: c")
    node.AddColumn()
    [row] = save_rows(scene)
    assert row.path == tmp_path / "ab c.tsv"


def test_a_new_view_tells_the_offset_of_its_slider_after_it_was_made(scene, image):
    """An offset that is set at once is lost; the slice is at the end of the image then."""
    import slicer

    node = scene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    view = '<view class="vtkMRMLSliceNode" singletontag="Fresh"/>'
    node.AddLayoutDescription(70001, f'<layout type="vertical"><item>{view}</item></layout>')
    before = node.GetViewArrangement()
    node.SetViewArrangement(70001)
    widget = slicer.app.layoutManager().sliceWidget("Fresh")
    widget.mrmlSliceCompositeNode().SetBackgroundVolumeID(image.GetID())
    widget.mrmlSliceNode().SetSliceOffset(502.0)
    slicer.app.processEvents()
    assert widget.mrmlSliceNode().GetSliceOffset() == pytest.approx(500.0)
    widget.mrmlSliceNode().SetSliceOffset(502.0)
    slicer.app.processEvents()
    assert widget.mrmlSliceNode().GetSliceOffset() == pytest.approx(502.0)
    node.SetViewArrangement(before)


def test_escape_answers_with_the_button_of_escape(messages):
    import qt

    box = qt.QMessageBox()
    box.standardButtons = qt.QMessageBox.Save | qt.QMessageBox.Cancel
    box.setDefaultButton(qt.QMessageBox.Save)
    box.setEscapeButton(qt.QMessageBox.Cancel)
    messages.answers.append("Escape")
    assert box.exec_() == qt.QMessageBox.Cancel
    assert box.exec_() == qt.QMessageBox.Save
