"""Labels are alike if names, voxels and places are, wherever their images begin and end."""

from __future__ import annotations

import numpy as np
import pytest

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

from MultimodalImagingLib.images.geometry import Grid, Volume  # noqa: E402
from MultimodalSlicerLib.label_contents import (  # noqa: E402
    areAlike,
    contentsOf,
    readContents,
    writeLabels,
)
from MultimodalSlicerLib.segment_nodes import importLabelMap  # noqa: E402


def labels(scene, *, start=(2, 3, 4), size=(12, 11, 10), spacing=1.0, origin=(0.0, 0.0, 0.0)):
    array = np.zeros(size[::-1], dtype=np.uint8)
    k, j, i = start
    array[k : k + 2, j : j + 3, i : i + 4] = 1
    grid = Grid(size, (spacing,) * 3, origin, (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0))
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    importLabelMap(Volume(array, grid), node)
    return node


def test_labels_are_alike_on_a_larger_image(scene):
    larger = labels(scene, start=(3, 4, 5), size=(20, 21, 22), origin=(-1.0, -1.0, -1.0))
    assert areAlike(contentsOf(labels(scene)), contentsOf(larger))


@pytest.mark.parametrize(
    "change", [{"start": (2, 3, 5)}, {"origin": (0.0, 0.5, 0.0)}, {"spacing": 1.1}]
)
def test_the_same_voxels_elsewhere_are_not_alike(scene, change):
    assert not areAlike(contentsOf(labels(scene)), contentsOf(labels(scene, **change)))


def test_a_segment_with_another_name_is_not_alike(scene):
    node = labels(scene)
    before = contentsOf(node)
    node.GetSegmentation().GetNthSegment(0).SetName("liver")
    assert not areAlike(before, contentsOf(node))


def test_a_segment_more_is_not_alike_though_it_is_empty(scene):
    node = labels(scene)
    before = contentsOf(node)
    node.GetSegmentation().AddEmptySegment("other", "other")
    assert not areAlike(before, contentsOf(node))


def test_what_was_written_is_what_is_read_and_leaves_no_node(scene, tmp_path):
    node = labels(scene)
    first, second = tmp_path / "1.seg.nrrd", tmp_path / "2.seg.nrrd"
    written = writeLabels(node, first)
    count = scene.GetNumberOfNodes()
    assert areAlike(readContents(scene, first), written)
    assert areAlike(writeLabels(node, second), written)
    assert scene.GetNumberOfNodes() == count
    assert node.GetStorageNode().GetFileName() == str(second)
