import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from slicer_host import optional

HOST = Path(__file__).parents[1]
pytestmark = pytest.mark.usefixtures("scene")


def test_slicer_has_no_names_that_only_the_wheel_has():
    import slicer

    for name in ("loadVolume", "getNode", "arrayFromVolume", "slicer_core", "MRMLCore"):
        assert not hasattr(slicer, name)
    assert not hasattr(slicer.util, "executePythonModule")
    with pytest.raises(ImportError):
        import slicer.packaging


def test_newer_slicer_has_packaging(messages):
    import slicer

    with optional.slicer_5_12() as packaging:
        packaging.pip_ensure(["monai>=1.3"], requester="Test")
        assert hasattr(slicer.util, "executePythonModule")
    assert messages.installs == [["monai>=1.3"]]
    assert not hasattr(slicer, "packaging")


def test_pip_install_is_only_recorded(messages):
    import slicer

    slicer.util.pip_install("monai>=1.3")
    assert messages.installs == [["monai>=1.3"]]


def test_pytorch_extension_can_be_there_or_not(messages):
    with pytest.raises(ImportError):
        import PyTorchUtils
    with optional.pytorch_utils(lambda: "torch"):
        import PyTorchUtils

        assert (
            PyTorchUtils.PyTorchUtilsLogic().installTorch(torchVersionRequirement=">=2") == "torch"
        )
    assert messages.installs == [["torch>=2"]]


def test_extension_can_be_installed_if_the_server_answers(messages):
    import slicer

    model = slicer.app.extensionsManagerModel()
    messages.server = False
    assert model.installExtensionFromServer("PyTorch") is False
    messages.server = True
    assert model.installExtensionFromServer("PyTorch") is True
    assert model.isExtensionInstalled("PyTorch")


def test_new_nodes_get_an_item_in_the_subject_hierarchy(scene, make_volume):
    import slicer

    hierarchy = slicer.mrmlScene.GetSubjectHierarchyNode()
    volume = make_volume("V")
    item = hierarchy.GetItemByDataNode(volume)
    assert item != 0
    folder = hierarchy.CreateFolderItem(hierarchy.GetSceneItemID(), "Case")
    hierarchy.SetItemParent(item, folder)
    scene.RemoveNode(volume)
    assert hierarchy.GetItemByName("V") == 0


def test_volumes_are_loaded_with_their_geometry(scene, tmp_path):
    import SimpleITK
    import slicer

    image = SimpleITK.GetImageFromArray(np.arange(24, dtype=np.float32).reshape(2, 3, 4))
    image.SetSpacing((1.5, 2.0, 3.0))
    image.SetOrigin((10, 20, 30))
    path = tmp_path / "tête.nii.gz"
    SimpleITK.WriteImage(image, str(path))
    node = slicer.util.loadVolume(str(path))
    assert node.GetName() == "tête"
    assert node.GetSpacing() == pytest.approx((1.5, 2.0, 3.0))
    assert node.GetOrigin() == pytest.approx((-10, -20, 30))
    assert np.array_equal(slicer.util.arrayFromVolume(node).ravel(), np.arange(24))
    red = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceCompositeNode()
    assert red.GetBackgroundVolumeID() == node.GetID()
    hidden = slicer.util.loadVolume(str(path), {"show": False, "name": "Other"})
    assert red.GetBackgroundVolumeID() == node.GetID()
    assert hidden.GetName() == "Other"


def test_missing_file_raises_a_sentence(scene, tmp_path):
    import slicer

    with pytest.raises(RuntimeError, match="does not exist"):
        slicer.util.loadVolume(str(tmp_path / "absent.nrrd"))


def test_segmentation_is_saved_and_loaded(scene, make_volume, tmp_path):
    import slicer

    volume = make_volume()
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Seg")
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    identity = node.GetSegmentation().AddEmptySegment("", "tumor", (1.0, 0.5, 0.0))
    mask = np.zeros((10, 10, 10), np.uint8)
    mask[2:5, 3:6, 4:9] = 1
    slicer.util.updateSegmentBinaryLabelmapFromArray(mask, node, identity, volume)
    path = tmp_path / "seg.seg.nrrd"
    assert slicer.util.saveNode(node, str(path))
    again = slicer.util.loadSegmentation(str(path))
    segment = again.GetSegmentation().GetNthSegment(0)
    assert segment.GetName() == "tumor"
    assert segment.GetColor() == pytest.approx((1.0, 0.5, 0.0), abs=0.01)
    array = slicer.util.arrayFromSegmentBinaryLabelmap(
        again, again.GetSegmentation().GetNthSegmentID(0), volume
    )
    assert array.sum() == mask.sum()


def test_colour_tables_of_overlays_exist(scene):
    for name in ("Viridis", "Inferno", "Magma", "Plasma", "Cividis", "DivergingBlueRed"):
        assert scene.GetNodeByID(f"vtkMRMLColorTableNodeFile{name}.txt") is not None


def test_legend_can_be_added(scene, make_volume):
    import slicer

    logic = slicer.modules.colors.logic()
    legend = logic.AddDefaultColorLegendDisplayNode(make_volume())
    legend.SetTitleText("share")
    assert legend.GetVisibility()


def test_main_window_can_refuse_to_close(host):
    import qt
    import slicer

    asked = []

    class Guard(qt.QObject):
        def eventFilter(self, watched, event):
            if event.type() != qt.QEvent.Close:
                return False
            asked.append(watched.objectName)
            event.ignore()
            return True

    guard = Guard()
    window = slicer.util.mainWindow()
    window.installEventFilter(guard)
    assert window.close() is False
    window.removeEventFilter(guard)
    assert asked == ["qSlicerMainWindow"]


def test_segment_editor_can_be_opened_on_a_volume(scene, make_volume):
    import slicer

    volume = make_volume()
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Seg")
    slicer.util.selectModule("SegmentEditor")
    editor = slicer.modules.segmenteditor.widgetRepresentation().self().editor
    editor.setSegmentationNode(node)
    editor.setSourceVolumeNode(volume)
    assert editor.mrmlSegmentEditorNode().GetSourceVolumeNode() is volume
    assert slicer.util.selectedModule() == "SegmentEditor"
    slicer.util.selectModule("Data")


def test_child_python_is_on_the_path():
    import shutil

    import slicer

    program = shutil.which("PythonSlicer")
    assert program == str(Path(slicer.app.slicerHome) / "bin" / "PythonSlicer")
    done = subprocess.run([program, "-c", "import sys; sys.exit(5)"], check=False)
    assert done.returncode == 5


def test_shared_tests_see_testing_mode_as_in_the_application(messages):
    import slicer

    assert slicer.app.testingEnabled() is False
    messages.testing = True
    assert slicer.app.testingEnabled() is True


def run_window(*arguments):
    environment = os.environ | {"PYTHONPATH": str(HOST), "QT_QPA_PLATFORM": "offscreen"}
    return subprocess.run(
        [sys.executable, "-m", "slicer_host", *arguments],
        env=environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


def test_window_mode_draws_panel_and_views(tmp_path):
    from PySide6.QtGui import QImage

    demo = Path(__file__).parent / "data" / "HostDemo" / "HostDemo.py"
    picture = tmp_path / "window.png"
    done = run_window("--modules", str(demo), "--screenshot", str(picture), "--dark")
    assert done.returncode == 0, done.stderr
    image = QImage(str(picture))
    assert (image.width(), image.height()) == (1366, 768)
    assert image.pixelColor(200, 700).lightness() < 80


def test_window_mode_names_a_missing_module():
    done = run_window("--modules", "Nothing", "--screenshot", "unused.png")
    assert done.returncode == 1
    assert "The module Nothing was expected in" in done.stderr


def test_tests_are_skipped_with_a_sentence_where_opengl_is_missing(monkeypatch):
    from slicer_host import pytest_plugin

    assert pytest_plugin.missing_parts() == ""
    monkeypatch.setattr(pytest_plugin, "GL_PROBE", "raise SystemExit(1)")
    assert "system-packages.txt" in pytest_plugin.missing_parts()


def test_views_react_to_mouse_and_keys(scene, host, make_volume):
    import slicer
    from PySide6.QtCore import QPoint, Qt
    from PySide6.QtTest import QTest

    volume = make_volume()
    slicer.util.setSliceViewerLayers(background=volume, fit=True)
    widget = host.layout.sliceWidget("Red")
    before = widget.sliceLogic().GetSliceOffset()
    QTest.keyClick(widget.sliceView(), Qt.Key.Key_F)
    assert widget.sliceLogic().GetSliceOffset() == before + 1
    view = host.layout.threeDWidget(0).threeDView()
    camera = view.cameraNode()
    place = camera.GetPosition()
    QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=QPoint(50, 50))
    QTest.mouseMove(view, QPoint(90, 90))
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, pos=QPoint(90, 90))
    assert camera.GetPosition() != place


def test_window_level_follows_the_mouse_in_its_mode(scene, host, make_volume):
    import slicer
    from PySide6.QtCore import QPoint, Qt
    from PySide6.QtTest import QTest

    volume = make_volume()
    slicer.util.setSliceViewerLayers(background=volume, fit=True)
    interaction = slicer.app.applicationLogic().GetInteractionNode()
    interaction.SetCurrentInteractionMode(interaction.AdjustWindowLevel)
    view, display = host.layout.sliceWidget("Red").sliceView(), volume.GetDisplayNode()
    before = display.GetWindow()
    center = QPoint(view.width() // 2, view.height() // 2)
    QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=center)
    for step in (20, 40):
        QTest.mouseMove(view, center + QPoint(step, step))
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, pos=center + QPoint(40, 40))
    assert display.GetWindow() != before
    interaction.SetCurrentInteractionMode(interaction.ViewTransform)
