"""Cases are opened without holding up the window, as Slicer itself would read their files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from MultimodalImagingLib.images.stored_image import ImageFile

MODULE = Path(__file__).parents[2] / "MDALSelector" / "MDALSelector.py"
TYPES = (np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64)
SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha")


@pytest.fixture
def loader(scene):
    from MultimodalSlicerLib.case_loader import CaseLoader

    return CaseLoader(scene)


def write_image(path, array, *, spacing=(1.0, 1.0, 1.0), origin=(0.0, 0.0, 0.0), direction=None):
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    if direction is not None:
        image.SetDirection(np.asarray(direction, dtype=float).ravel().tolist())
    sitk.WriteImage(image, str(path))
    return path


def rotation(seed):
    """A random rotation, every other one with an axis turned round."""
    matrix, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    return matrix


def matrix_of(node):
    import slicer
    import vtk

    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("seed", range(4))
def test_an_image_is_the_one_that_slicer_reads(loader, tmp_path, suffix, seed):
    import slicer

    generator = np.random.default_rng(seed)
    kind = TYPES[seed % len(TYPES)]
    array = generator.integers(0, 200, size=(4, 5, 6)).astype(kind)
    path = write_image(
        tmp_path / f"a{suffix}",
        array,
        spacing=(0.7, 1.3, 2.9),
        origin=tuple(generator.normal(scale=80.0, size=3).tolist()),
        direction=rotation(seed),
    )
    opened = loader.open("case", {"T1": ImageFile(path)})["T1"]
    reference = slicer.util.loadVolume(str(path), {"show": False})
    np.testing.assert_array_equal(
        slicer.util.arrayFromVolume(opened), slicer.util.arrayFromVolume(reference)
    )
    assert slicer.util.arrayFromVolume(opened).dtype == slicer.util.arrayFromVolume(reference).dtype
    np.testing.assert_allclose(matrix_of(opened), matrix_of(reference), atol=1e-4)
    for ours, theirs in ((opened.GetDisplayNode(), reference.GetDisplayNode()),):
        assert ours.GetColorNodeID() == theirs.GetColorNodeID()
        assert ours.GetWindowLevelMin() == pytest.approx(theirs.GetWindowLevelMin())
        assert ours.GetWindowLevelMax() == pytest.approx(theirs.GetWindowLevelMax())
        assert ours.GetInterpolate() == theirs.GetInterpolate()


def test_values_that_are_no_numbers_are_shown_as_they_are(loader, tmp_path):
    import slicer

    array = np.ones((4, 4, 4), dtype=np.float32)
    array[0, 0, 0] = np.nan
    path = write_image(tmp_path / "a.nii.gz", array)
    opened = loader.open("case", {"PET": ImageFile(path)})["PET"]
    assert np.isnan(slicer.util.arrayFromVolume(opened)[0, 0, 0])


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_image_counts_as_stored_in_its_file(loader, tmp_path, suffix):
    path = write_image(tmp_path / f"a{suffix}", np.ones((4, 4, 4), dtype=np.int16))
    before = path.read_bytes()
    opened = loader.open("case", {"T1": ImageFile(path)})["T1"]
    assert opened.GetStorageNode().GetFileName() == str(path)
    assert not opened.GetModifiedSinceRead()
    assert path.read_bytes() == before
    opened.Modified()
    opened.GetImageData().Modified()
    assert opened.GetModifiedSinceRead()


@pytest.mark.parametrize("kind", ["image", "label"])
def test_events_are_handled_while_a_file_is_read(loader, tmp_path, monkeypatch, kind):
    import time

    from MultimodalSlicerLib import case_loader

    name = {"image": "read_stored_volume", "label": "read_volume"}[kind]
    read = getattr(case_loader, name)

    def read_slowly(file):
        time.sleep(0.3)
        return read(file)

    monkeypatch.setattr(case_loader, name, read_slowly)
    breaths = []
    loader.breathe = lambda: breaths.append(time.perf_counter())
    image = write_image(tmp_path / "a.nii.gz", np.ones((4, 4, 4), dtype=np.int16))
    label = write_image(tmp_path / "l.nii.gz", np.ones((4, 4, 4), dtype=np.uint8))
    loader.open("case", {"T1": ImageFile(image)}, ImageFile(label))
    assert len(breaths) >= 10
    assert loader.segmentation().GetSegmentation().GetNumberOfSegments() == 1


def test_a_scene_that_is_closed_while_a_case_is_opened_stays_empty(loader, scene, tmp_path):
    path = write_image(tmp_path / "a.nii.gz", np.ones((4, 4, 4), dtype=np.int16))
    cleared = []

    def close_scene():
        if not cleared and scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 2:
            cleared.append(True)
            scene.Clear(0)

    loader.breathe = close_scene
    with pytest.raises(ValueError, match="closed while"):
        loader.open("case", {"T1": ImageFile(path), "T2": ImageFile(path), "T3": ImageFile(path)})
    assert cleared
    assert scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 0
    assert loader.caseID == ""


def test_a_second_case_is_not_opened_while_one_is(scene, tmp_path):
    from MultimodalSlicerLib.open_case import openCaseOf

    path = write_image(tmp_path / "a.nii.gz", np.ones((4, 4, 4), dtype=np.int16))
    case, said = openCaseOf(scene), []

    def open_another():
        try:
            case.open("other", {"T1": ImageFile(path)})
        except ValueError as error:
            said.append(str(error))

    former = case.breathe
    case.handleEventsBy(open_another)
    try:
        case.open("case", {"T1": ImageFile(path)})
    finally:
        case.handleEventsBy(former)
    assert said
    assert "when that one is there" in said[0]
    assert case.loader.caseID == "case"
    case.close()


def test_labels_that_fill_a_corner_keep_their_place(scene):
    """The map is cut to the box of its labels; the world does not change."""
    import slicer

    from MultimodalImagingLib.images.geometry import Grid, Volume
    from MultimodalSlicerLib.segment_nodes import importLabelMap

    array = np.zeros((7, 8, 9), dtype=np.int32)
    array[5:7, 1:3, 6:9] = 300  # does not fit 8 bits
    array[0, 0, 0] = 2
    direction = tuple(rotation(1).ravel().tolist())
    grid = Grid((9, 8, 7), (0.5, 2.0, 3.0), (10.0, -20.0, 30.0), direction)
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    importLabelMap(Volume(array, grid), node)
    reference = scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode")
    slicer.util.updateVolumeFromArray(reference, array)
    reference.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(grid.affine_ras))
    ids = node.GetSegmentation().GetSegmentIDs()
    assert [node.GetSegmentation().GetSegment(i).GetName() for i in ids] == ["Label 2", "Label 300"]
    for segment, value in zip(ids, (2, 300), strict=True):
        found = slicer.util.arrayFromSegmentBinaryLabelmap(node, segment, reference)
        np.testing.assert_array_equal(found != 0, array == value)


def test_the_panel_is_drawn_while_a_case_is_opened(load_module, scene, tmp_path, monkeypatch):
    """A double click opens a case; timers run meanwhile, and the panel says what it does."""
    import time

    import qt
    from runs import Inspected

    from MultimodalSlicerLib import case_loader

    for name in ("t1", "t2"):
        (tmp_path / "cohort" / "p1").mkdir(parents=True, exist_ok=True)
        write_image(tmp_path / "cohort" / "p1" / f"p1_{name}.nii.gz", np.ones((9, 9, 9), np.int16))
    panel = load_module(MODULE)
    panel.ui.cohortPathLineEdit.currentPath = str(tmp_path / "cohort")
    panel.onInspected(Inspected(tmp_path / "cohort"))
    read, texts = case_loader.read_stored_volume, []

    def read_slowly(file):
        time.sleep(0.2)
        return read(file)

    monkeypatch.setattr(case_loader, "read_stored_volume", read_slowly)
    timer = qt.QTimer()
    timer.setInterval(5)
    timer.connect("timeout()", lambda: texts.append(panel.ui.currentCaseLabel.text))
    timer.start()
    panel.onLoadCase("p1")
    timer.stop()
    assert "Opening p1..." in texts
    assert panel.ui.currentCaseLabel.text == "Open: p1"
    panel.onCloseCaseButton()


@pytest.mark.parametrize("modality", ["T1", "CT"])
def test_the_window_of_a_large_image_comes_from_a_sample(loader, tmp_path, monkeypatch, modality):
    """As Slicer would choose it, without counting all voxels; CT has its own."""
    import slicer

    from MultimodalSlicerLib import case_loader

    array = np.random.default_rng(0).normal(300.0, 40.0, size=(40, 50, 60)).astype(np.float32)
    array[:20] = 0.0
    array[0, 0, :3] = np.nan
    path = write_image(tmp_path / "a.nii.gz", array)
    monkeypatch.setattr(case_loader, "MAX_COUNTED_VOXELS", 1000)
    display = loader.open("case", {modality: ImageFile(path)})[modality].GetDisplayNode()
    window = (display.GetWindowLevelMin(), display.GetWindowLevelMax())
    assert not display.GetAutoWindowLevel()
    if modality == "CT":
        assert window == case_loader.CT_WINDOW_HU
        return
    reference = slicer.util.loadVolume(str(path), {"show": False}).GetDisplayNode()
    usual = (reference.GetWindowLevelMin(), reference.GetWindowLevelMax())
    assert window == pytest.approx(usual, abs=5.0)


def test_an_image_without_a_number_is_opened(loader, tmp_path, monkeypatch):
    from MultimodalSlicerLib import case_loader

    path = write_image(tmp_path / "a.nii.gz", np.full((9, 9, 9), np.nan, dtype=np.float32))
    monkeypatch.setattr(case_loader, "MAX_COUNTED_VOXELS", 10)
    assert list(loader.open("case", {"PET": ImageFile(path)})) == ["PET"]


def test_events_are_handled_while_labels_are_saved(scene, tmp_path):
    """Between the segments, before and after the file is written, and while it is compressed."""
    from MultimodalImagingLib.images.geometry import Grid, Volume
    from MultimodalSlicerLib.label_contents import areAlike, contentsOf, readContents, writeLabels
    from MultimodalSlicerLib.segment_nodes import importLabelMap

    array = np.zeros((20, 30, 40), dtype=np.uint8)
    array[5:10], array[12:15] = 1, 2
    grid = Grid((40, 30, 20), (1.0, 1.0, 1.0), (0.0,) * 3, tuple(np.eye(3).ravel().tolist()))
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    importLabelMap(Volume(array, grid), node)
    breaths, file = [], tmp_path / "case.seg.nrrd"
    writeLabels(node, file, lambda: breaths.append(sorted(p.name for p in tmp_path.iterdir())))
    assert len(breaths) >= 6
    assert any("plain" in name for names in breaths for name in names)
    assert [path.name for path in tmp_path.iterdir()] == ["case.seg.nrrd"]
    assert areAlike(readContents(scene, file), contentsOf(node))
    assert b"encoding: gzip" in file.read_bytes()[:2000]
    assert not node.GetModifiedSinceRead()
