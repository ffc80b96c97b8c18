"""What is around the panels: names of `slicer`, window, views, what is missing on a machine."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HOST = Path(__file__).parents[1]
pytestmark = pytest.mark.usefixtures("scene")


def test_slicer_has_no_names_that_only_the_wheel_or_a_newer_version_has():
    import ctk
    import slicer

    for name in ("loadVolume", "getNode", "arrayFromVolume", "slicer_core", "qMRMLNothing"):
        assert not hasattr(slicer, name)
    for name in ("executePythonModule", "LazyImport"):
        assert not hasattr(slicer.util, name)
    assert not hasattr(ctk, "ctkNothing")
    for name in ("slicer.packaging", "PyTorchUtils"):
        with pytest.raises(ImportError):
            __import__(name)
    with pytest.raises(TypeError):
        slicer.i18n.tr(5)


def test_nothing_is_installed_opened_or_asked(messages):
    import qt
    import slicer

    slicer.util.pip_install("monai>=1.3")
    assert messages.installs == [["monai>=1.3"]]
    assert slicer.util.confirmYesNoDisplay("Really?") is True
    messages.answers.append(qt.QMessageBox.No)
    assert slicer.util.confirmYesNoDisplay("Really?") is False
    assert qt.QDialog().exec_() == qt.QDialog.Rejected
    assert qt.QFileDialog.getSaveFileName(None, "Save") == ""
    qt.QDesktopServices.openUrl(qt.QUrl("file:///report"))
    assert messages.messages == ["Really?", "Really?", "", "open file:///report"]


def test_settings_stay_in_the_host(host):
    import qt
    import slicer

    qt.QSettings().setValue("CrossModal/Seed", 3)
    assert int(slicer.app.settings().value("CrossModal/Seed")) == 3
    assert qt.QSettings().fileName().startswith(str(host.folder))


def test_missing_files_and_modules_are_refused(host, tmp_path):
    import slicer

    with pytest.raises(RuntimeError, match="does not exist"):
        slicer.util.loadVolume(str(tmp_path / "absent.nrrd"))
    (tmp_path / "Lonely.py").write_text(
        "class Lonely:\n    def __init__(self, parent):\n        parent.dependencies = ['Absent']\n"
    )
    with pytest.raises(RuntimeError, match="depends on Absent"):
        host.load(tmp_path / "Lonely.py")


def test_views_react_to_mouse_and_keys(host, make_volume):
    import slicer
    from PySide6.QtCore import QPoint, Qt
    from PySide6.QtTest import QTest

    slicer.util.setSliceViewerLayers(background=make_volume(), fit=True)
    widget = host.layout.sliceWidget("Red")
    before = widget.sliceLogic().GetSliceOffset()
    QTest.keyClick(widget.sliceView(), Qt.Key.Key_F)
    assert widget.sliceLogic().GetSliceOffset() == before + 1
    view = host.layout.threeDWidget(0).threeDView()
    camera = view.renderer().GetActiveCamera()
    place = camera.GetPosition()
    QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=QPoint(50, 50))
    QTest.mouseMove(view, QPoint(90, 90))
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, pos=QPoint(90, 90))
    assert camera.GetPosition() != place


def test_views_draw_images_and_segments(scene, host, make_volume):
    import numpy as np
    import slicer
    from slicer_host.screenshot import grab

    volume = make_volume()
    slicer.util.setSliceViewerLayers(background=volume, fit=True)
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Seg")
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    identity = node.GetSegmentation().AddEmptySegment("a", "tumor", (1.0, 0.0, 0.0))
    mask = np.full((10, 10, 10), 1, np.uint8)
    mask[:, :, 5:] = 0
    slicer.util.updateSegmentBinaryLabelmapFromArray(mask, node, identity, volume)
    image = grab(host.layout.sliceWidget("Red").sliceView())
    columns = [image.pixelColor(x, image.height() // 2) for x in range(image.width())]
    red = sum(color.red() > color.green() + 60 for color in columns)
    gray = sum(color.red() == color.green() > 20 for color in columns)
    assert min(red, gray) > 0.2 * image.width()


def test_views_go_with_their_nodes(scene, host, census):
    import slicer

    nodes = [slicer.vtkMRMLSliceNode(), slicer.vtkMRMLViewNode()]
    before = census()
    for node, name in zip(nodes, ("Left", "Space"), strict=True):
        node.SetName(name)
        node.SetLayoutName(name)
        scene.AddNode(node)
        host.layout._widget(node).show()
    scene.RemoveNode(host.layout.sliceWidget("Left").mrmlSliceCompositeNode())
    for node in nodes:
        scene.RemoveNode(node)
    grown = census().grown(before)
    assert not set(grown) & {"widgets", "connections", "vtkMRMLSliceNode", "vtkMRMLViewNode"}
    assert host.layout.sliceWidget("Left") is None


def run_window(*arguments):
    environment = os.environ | {"PYTHONPATH": str(HOST), "QT_QPA_PLATFORM": "offscreen"}
    return subprocess.run(
        [sys.executable, "-m", "slicer_host", *arguments],
        env=environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


def test_window_mode_draws_panels_and_views(tmp_path):
    from PySide6.QtGui import QImage

    picture = tmp_path / "window.png"
    done = run_window("--cohort", str(tmp_path), "--screenshot", str(picture), "--dark")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    image = QImage(str(picture))
    assert (image.width(), image.height()) == (1366, 768)
    assert image.pixelColor(10, 740).lightness() < 80


def test_window_mode_names_a_missing_module():
    done = run_window("--modules", "Nothing", "--screenshot", "unused.png")
    assert done.returncode == 1
    assert "The module Nothing was expected in" in done.stderr


def test_tests_are_skipped_with_a_sentence_where_opengl_is_missing(monkeypatch):
    from slicer_host import pytest_plugin

    assert pytest_plugin.missing_parts() == ""
    monkeypatch.setattr(pytest_plugin, "GL_PROBE", "raise SystemExit(1)")
    assert "system-packages.txt" in pytest_plugin.missing_parts()
