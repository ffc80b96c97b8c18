"""Arrays and nodes: positions, transforms, overlays, segmentations."""

from __future__ import annotations

import numpy as np
import pytest

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

import vtk  # noqa: E402

from MultimodalImagingLib.images.geometry import Grid, Volume, is_same_grid  # noqa: E402
from MultimodalSlicerLib.segment_nodes import (  # noqa: E402
    importLabelMap,
    segmentVolumesMl,
    showOutline,
)
from MultimodalSlicerLib.volume_nodes import (  # noqa: E402
    OverlayStyle,
    addVolume,
    gridFromNode,
    placeBeside,
    placeInFolder,
    styleOverlay,
    subjectHierarchy,
    volumeFromNode,
    volumeProblem,
)

TISSUE = (
    "Segmentation category and type - 3D Slicer General Anatomy list"
    "~SCT^85756007^Tissue~SCT^85756007^Tissue~^^~Anatomic codes - DICOM master list~^^~^^"
)


@pytest.fixture
def labels(oblique_grid: Grid) -> Volume:
    array = np.zeros(oblique_grid.array_shape, dtype=np.int64)
    array[1:3, 2:5, 3:6] = 1
    array[4:6, 2:4, 1:8] = 4
    return Volume(array, oblique_grid)


SEGMENTATION = "vtkMRMLSegmentationNode"


def linear_transform(scene, matrix):
    node = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    to_parent = vtk.vtkMatrix4x4()
    to_parent.DeepCopy(np.asarray(matrix, dtype=float).ravel().tolist())
    node.SetMatrixTransformToParent(to_parent)
    return node


def segments_by_name(node):
    segmentation = node.GetSegmentation()
    segments = [segmentation.GetNthSegment(i) for i in range(segmentation.GetNumberOfSegments())]
    return {segment.GetName(): segment for segment in segments}


def test_a_volume_comes_back_from_the_scene_as_it_was(scene, oblique_volume):
    back = volumeFromNode(addVolume(scene, oblique_volume, "T1"))
    np.testing.assert_array_equal(back.array, oblique_volume.array)
    np.testing.assert_allclose(
        back.grid.affine_ras, oblique_volume.grid.affine_ras, rtol=0, atol=1e-12
    )


def test_what_is_read_does_not_change_with_the_node(scene, oblique_volume):
    node = addVolume(scene, oblique_volume, "T1")
    back = volumeFromNode(node)
    slicer.util.arrayFromVolume(node)[:] = -1
    np.testing.assert_array_equal(back.array, oblique_volume.array)


def test_a_linear_transform_moves_the_grid_and_keeps_the_voxels(scene, oblique_volume):
    node = addVolume(scene, oblique_volume, "T1")
    matrix = np.array([[0, -1, 0, 5], [1, 0, 0, -7], [0, 0, 1, 11], [0, 0, 0, 1]], dtype=float)
    node.SetAndObserveTransformNodeID(linear_transform(scene, matrix).GetID())
    back = volumeFromNode(node)
    np.testing.assert_allclose(
        back.grid.affine_ras, matrix @ oblique_volume.grid.affine_ras, rtol=0, atol=1e-10
    )
    np.testing.assert_array_equal(back.array, oblique_volume.array)


def test_two_linear_transforms_are_applied_from_the_inside_out(scene, oblique_volume):
    node = addVolume(scene, oblique_volume, "T1")
    turn = np.array([[0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], dtype=float)
    shift = np.eye(4)
    shift[:3, 3] = (3, -2, 8)
    inner, outer = linear_transform(scene, turn), linear_transform(scene, shift)
    inner.SetAndObserveTransformNodeID(outer.GetID())
    node.SetAndObserveTransformNodeID(inner.GetID())
    np.testing.assert_allclose(
        volumeFromNode(node).grid.affine_ras,
        shift @ turn @ oblique_volume.grid.affine_ras,
        rtol=0,
        atol=1e-10,
    )


def test_reading_a_transformed_volume_leaves_node_and_scene_unchanged(scene, oblique_volume):
    node = addVolume(scene, oblique_volume, "T1")
    transform = linear_transform(scene, np.diag([1.0, 1.0, 1.0, 1.0]))
    node.SetAndObserveTransformNodeID(transform.GetID())
    n_nodes, modified = scene.GetNumberOfNodes(), node.GetMTime()
    volumeFromNode(node)
    assert scene.GetNumberOfNodes() == n_nodes
    assert node.GetMTime() == modified
    assert node.GetParentTransformNode() is transform
    assert is_same_grid(gridFromNode(node), oblique_volume.grid)


def shifting_grid_transform(scene, shift):
    """A displacement field that is the same everywhere; by its type it is not linear."""
    field = vtk.vtkImageData()
    field.SetDimensions(5, 5, 5)
    field.SetOrigin(-200, -200, -200)
    field.SetSpacing(100, 100, 100)
    field.AllocateScalars(vtk.VTK_DOUBLE, 3)
    for component, value in enumerate(shift):
        field.GetPointData().GetScalars().FillComponent(component, value)
    transform = slicer.vtkOrientedGridTransform()
    transform.SetDisplacementGridData(field)
    node = scene.AddNewNodeByClass("vtkMRMLGridTransformNode")
    node.SetAndObserveTransformToParent(transform)
    return node


def test_a_nonlinear_transform_resamples_the_values_to_where_it_shows_them(scene):
    grid = Grid((40, 30, 20), (1.0, 1.0, 2.0), (0.0, 0.0, 0.0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
    array = np.zeros(grid.array_shape, dtype=np.float32)
    array[8:12, 10:20, 15:25] = 100.0
    node = addVolume(scene, Volume(array, grid), "PET")
    shift = (6.0, -4.0, 2.0)
    node.SetAndObserveTransformNodeID(shifting_grid_transform(scene, shift).GetID())
    back = volumeFromNode(node)

    def center_of_mass(volume):
        index = np.argwhere(volume.array > 50)[:, ::-1].mean(axis=0)
        return (volume.grid.affine_ras @ [*index, 1.0])[:3]

    expected = center_of_mass(Volume(array, grid)) + shift
    np.testing.assert_allclose(center_of_mass(back), expected, atol=0.6)
    assert back.array.max() == pytest.approx(100.0, abs=0.5)


def test_a_nonlinear_transform_leaves_node_and_scene_unchanged(scene, oblique_volume):
    node = addVolume(scene, oblique_volume, "PET")
    node.SetAndObserveTransformNodeID(shifting_grid_transform(scene, (1, 2, 3)).GetID())
    n_nodes = scene.GetNumberOfNodes()
    volumeFromNode(node)
    assert scene.GetNumberOfNodes() == n_nodes
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(node), oblique_volume.array)


def with_components(scene, n):
    node = scene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "DTI")
    image = vtk.vtkImageData()
    image.SetDimensions(4, 4, 4)
    image.AllocateScalars(vtk.VTK_FLOAT, n)
    node.SetAndObserveImageData(image)
    return node


def flat_volume(scene):
    grid = Grid((5, 5, 1), (1, 1, 1), (0, 0, 0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
    return addVolume(scene, Volume(np.ones((1, 5, 5), dtype=np.int16), grid), "scout")


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda scene: None, "No volume is chosen"),
        (lambda scene: scene.AddNewNodeByClass("vtkMRMLModelNode", "skin"), "'skin' is not a vol"),
        (lambda scene: scene.AddNewNodeByClass("vtkMRMLSequenceNode", "dce"), "is a sequence"),
        (lambda scene: scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "seg"), "label map"),
        (lambda scene: scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "new"), "no voxels"),
        (lambda scene: with_components(scene, 6), "6 values per voxel"),
        (flat_volume, "5 x 5 x 1 voxels"),
    ],
)
def test_what_is_no_image_is_refused_in_one_sentence_with_advice(scene, make, expected):
    problem = volumeProblem(make(scene))
    assert expected in problem
    assert problem.rstrip().endswith(".")
    assert "Choose" in problem or "choose" in problem


def test_an_image_has_no_problem(scene, oblique_volume):
    assert volumeProblem(addVolume(scene, oblique_volume, "T1")) is None


def test_a_volume_without_voxels_cannot_be_read(scene):
    with pytest.raises(ValueError, match="'empty' has no voxels"):
        volumeFromNode(scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty"))


def test_an_overlay_keeps_its_scale_and_hides_what_is_below_the_threshold(scene, oblique_volume):
    style = OverlayStyle(0.0, 1.0, 0.25, "vtkMRMLColorTableNodeRainbow")
    node = addVolume(scene, oblique_volume, "map")
    styleOverlay(node, style)
    display = node.GetDisplayNode()
    assert display.GetAutoWindowLevel() == 0
    assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == pytest.approx((0.0, 1.0))
    assert display.GetApplyThreshold() == 1
    assert display.GetLowerThreshold() == pytest.approx(0.25)
    assert display.GetUpperThreshold() > oblique_volume.array.max()
    assert display.GetColorNodeID() == "vtkMRMLColorTableNodeRainbow"


def test_labels_become_segments_with_names_colors_and_a_reference(scene, oblique_volume, labels):
    image, node = addVolume(scene, oblique_volume, "T1"), scene.AddNewNodeByClass(SEGMENTATION)
    importLabelMap(labels, node, [image])
    segments = segments_by_name(node)
    assert list(segments) == ["Label 1", "Label 4"]
    assert segments["Label 1"].GetColor() != segments["Label 4"].GetColor()
    assert node.GetNodeReference("referenceImageGeometryRef") is image


def test_segments_have_the_voxels_of_their_labels(scene, labels):
    node = scene.AddNewNodeByClass(SEGMENTATION)
    importLabelMap(labels, node)
    volumes, voxel_ml = list(segmentVolumesMl(node).values()), 1.0 * 1.5 * 3.0 / 1000
    expected = [(labels.array == value).sum() * voxel_ml for value in (1, 4)]
    assert volumes == pytest.approx(expected)


def test_segments_lie_where_the_labels_are(scene, labels):
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    importLabelMap(labels, node)
    segmentation = node.GetSegmentation()
    for name, value in (("Label 1", 1), ("Label 4", 4)):
        segment_id = segmentation.GetSegmentIdBySegmentName(name)
        image = slicer.vtkOrientedImageData()
        node.GetBinaryLabelmapRepresentation(segment_id, image)
        matrix = vtk.vtkMatrix4x4()
        image.GetImageToWorldMatrix(matrix)
        dimensions = image.GetDimensions()
        values = vtk.util.numpy_support.vtk_to_numpy(image.GetPointData().GetScalars())
        extent = image.GetExtent()
        index = np.argwhere(values.reshape(dimensions[::-1]))[:, ::-1] + np.array(extent[::2])
        to_ras = np.array([[matrix.GetElement(r, c) for c in range(4)] for r in range(4)])
        found = (to_ras @ np.c_[index, np.ones(len(index))].T)[:3].T.mean(axis=0)
        expected_index = np.argwhere(labels.array == value)[:, ::-1]
        affine = labels.grid.affine_ras
        expected = (affine @ np.c_[expected_index, np.ones(len(expected_index))].T)[:3].T
        np.testing.assert_allclose(found, expected.mean(axis=0), atol=1e-6)


def test_a_new_import_replaces_the_old_segments(scene, labels):
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    importLabelMap(labels, node)
    importLabelMap(labels, node)
    assert node.GetSegmentation().GetNumberOfSegments() == 2


def test_labels_without_a_voxel_give_no_segments(scene, labels):
    node = scene.AddNewNodeByClass(SEGMENTATION)
    importLabelMap(Volume(np.zeros_like(labels.array), labels.grid), node)
    assert segmentVolumesMl(node) == {}


def test_an_image_on_another_grid_gives_no_reference(scene, oblique_volume, labels):
    grid = oblique_volume.grid
    moved = Grid(grid.size, grid.spacing_mm, (0.0, 0.0, 0.0), grid.direction)
    image = addVolume(scene, Volume(oblique_volume.array, moved), "T1")
    node = scene.AddNewNodeByClass(SEGMENTATION)
    importLabelMap(labels, node, [image])
    assert node.GetNodeReference("referenceImageGeometryRef") is None


def test_probabilities_are_not_taken_for_labels(scene, oblique_volume):
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    with pytest.raises(ValueError, match="integer labels"):
        importLabelMap(oblique_volume, node)


def test_a_segmentation_can_be_shown_as_outline_only(scene, labels):
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    importLabelMap(labels, node)
    showOutline(node)
    display = node.GetDisplayNode()
    assert not display.GetVisibility2DFill()
    assert display.GetVisibility2DOutline()
    assert display.GetOpacity2DOutline() == 1.0


def test_a_node_is_placed_in_the_folder_of_its_neighbor(scene, oblique_volume, labels):
    image = addVolume(scene, oblique_volume, "T1")
    hierarchy = subjectHierarchy(scene)
    folder = hierarchy.CreateFolderItem(hierarchy.GetSceneItemID(), "Case 1")
    placeInFolder(image, folder)
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "segmentation")
    placeBeside(node, image)
    assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)) == folder
    placeInFolder(node, 0)
    assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)) == hierarchy.GetSceneItemID()
