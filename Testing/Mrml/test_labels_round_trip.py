"""`.seg.nrrd` through Slicer's own storage node: names, colors, codes, overlaps, a finer grid."""

from __future__ import annotations

import numpy as np
import pytest

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

from MultimodalImagingLib.images.geometry import Grid, Volume, is_same_grid  # noqa: E402
from MultimodalImagingLib.record.label_set_file import LabelSet  # noqa: E402
from MultimodalSlicerLib.label_contents import (  # noqa: E402
    areAlike,
    contentsOf,
    isEmpty,
    readContents,
    writeLabels,
    writePlainly,
)
from MultimodalSlicerLib.label_sets import addEmptySegments, newLabels  # noqa: E402
from MultimodalSlicerLib.segment_nodes import segmentationFromFile  # noqa: E402
from MultimodalSlicerLib.volume_nodes import addVolume, gridFromNode  # noqa: E402

BRATS = ("T1", "T1c", "T2", "FLAIR")


@pytest.fixture
def image(scene, oblique_volume):
    return addVolume(scene, oblique_volume, "image")


@pytest.fixture
def node(scene, image):
    """Empty labels of a task on the grid of an oblique image."""
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    node.CreateDefaultDisplayNodes()
    addEmptySegments(node, newLabels(LabelSet("brats"), BRATS), {"T1c": image, "FLAIR": image})
    return node


def ball(shape, center, radius):
    offsets = np.indices(shape) - np.reshape(center, (3, 1, 1, 1))
    return (np.sqrt((offsets**2).sum(axis=0)) <= radius).astype(np.uint8)


def draw(node, index, array, image):
    segment = node.GetSegmentation().GetNthSegmentID(index)
    slicer.util.updateSegmentBinaryLabelmapFromArray(array, node, segment, image)


@pytest.fixture(autouse=True)
def logic(scene, monkeypatch):
    """`slicer.util` asks the module Segmentations for its logic."""
    import types

    logics = {
        "segmentations": slicer.vtkSlicerSegmentationsModuleLogic(),
        "volumes": slicer.vtkSlicerVolumesLogic(),
    }
    for one in logics.values():
        one.SetMRMLScene(scene)
    named = {name: types.SimpleNamespace(logic=lambda one=one: one) for name, one in logics.items()}
    modules = types.SimpleNamespace(**named)
    monkeypatch.setattr(slicer, "modules", modules, raising=False)
    monkeypatch.setattr(slicer, "mrmlScene", scene, raising=False)


def looks(node):
    """Return name, color and codes of every segment."""
    segmentation = node.GetSegmentation()
    segments = [segmentation.GetSegment(name) for name in segmentation.GetSegmentIDs()]
    return [(one.GetName(), tuple(np.round(one.GetColor(), 6)), codes(one)) for one in segments]


def codes(segment):
    import vtk

    found = vtk.reference("")
    segment.GetTag(segment.GetTerminologyEntryTagName(), found)
    return str(found)


def again(scene, file):
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    storage = scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
    storage.SetFileName(str(file))
    assert storage.ReadData(node)
    return node


def test_empty_labels_of_a_task_have_its_names_colors_codes_and_grid(node, image):
    from CIMLSegmentLib.task.task_io import load_task

    task = load_task("brats")
    assert [name for name, _color, _codes in looks(node)] == [r.title for r in task.regions]
    for (_name, color, entry), region in zip(looks(node), task.regions, strict=True):
        assert color == pytest.approx(np.array(region.color) / 255, abs=1e-6)
        assert region.terminology.type in entry
    assert node.GetNodeReference("referenceImageGeometryRef") is image
    assert isEmpty(node)


@pytest.mark.parametrize("write", [writeLabels, writePlainly])
def test_overlapping_segments_keep_names_colors_and_codes(scene, node, image, tmp_path, write):
    shape = gridFromNode(image).array_shape
    draw(node, 0, ball(shape, (3, 4, 4), 3.0), image)
    draw(node, 1, ball(shape, (3, 4, 5), 1.5), image)  # inside the first one
    before = contentsOf(node)
    assert all(content.voxels.any() for content in before[:2])
    write(node, tmp_path / "a.seg.nrrd")
    assert areAlike(readContents(scene, tmp_path / "a.seg.nrrd"), before)
    assert looks(again(scene, tmp_path / "a.seg.nrrd")) == looks(node)


def test_labels_without_a_voxel_are_labels_too(scene, node, tmp_path):
    writeLabels(node, tmp_path / "empty.seg.nrrd")
    read = again(scene, tmp_path / "empty.seg.nrrd")
    assert looks(read) == looks(node)
    assert isEmpty(read)


def test_labels_on_a_finer_grid_than_the_image_keep_it(scene, node, image, tmp_path):
    grid = gridFromNode(image)
    size, spacing = tuple(2 * n for n in grid.size), tuple(mm / 2 for mm in grid.spacing_mm)
    fine = Grid(size, spacing, grid.origin_mm, grid.direction)
    finer = addVolume(scene, Volume(np.zeros(fine.array_shape, np.float32), fine), "finer")
    node.SetReferenceImageGeometryParameterFromVolumeNode(finer)
    draw(node, 0, ball(fine.array_shape, (6, 8, 8), 3.0), finer)
    before = contentsOf(node)
    writeLabels(node, tmp_path / "fine.seg.nrrd")
    [first, *_] = readContents(scene, tmp_path / "fine.seg.nrrd")
    assert first.isLike(before[0])
    sides = np.linalg.norm(first.ijkToWorld[:3, :3], axis=0)
    assert sides == pytest.approx(np.array(spacing))
    with segmentationFromFile(scene, tmp_path / "fine.seg.nrrd") as read:
        text = read.GetSegmentation().GetConversionParameter("Reference image geometry")
    assert text == node.GetSegmentation().GetConversionParameter("Reference image geometry")
    assert not is_same_grid(fine, grid)


def test_what_is_kept_of_unsaved_work_changes_nothing_of_it(node, image, tmp_path):
    draw(node, 0, ball(gridFromNode(image).array_shape, (3, 4, 4), 2.0), image)
    assert node.GetModifiedSinceRead()
    storage = node.GetStorageNode()
    assert writePlainly(node, tmp_path / "kept.seg.nrrd")
    assert node.GetStorageNode() is storage
    assert node.GetModifiedSinceRead()
