"""A case opens, closes and takes only its own nodes away."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813


@pytest.fixture
def loader(scene):
    from MultimodalSlicerLib.case_loader import CaseLoader

    return CaseLoader(scene)


@pytest.fixture
def case(tmp_path):
    """Two images on different grids and a label map; returns images and label."""
    from MultimodalImagingLib.images.stored_image import ImageFile

    generator = np.random.default_rng(1)
    files = {}
    for name, size, spacing in (
        ("CT", (12, 10, 8), (1.0, 1.0, 3.0)),
        ("PET", (6, 5, 8), (2, 2, 3)),
    ):
        image = sitk.GetImageFromArray(generator.normal(size=size[::-1]).astype(np.float32))
        image.SetSpacing(spacing)
        path = tmp_path / f"{name}.nii.gz"
        sitk.WriteImage(image, str(path))
        files[name] = ImageFile(path)
    labels = np.zeros((8, 10, 12), dtype=np.uint8)
    labels[2:5, 3:6, 4:8], labels[6, 1, 1] = 1, 3
    image = sitk.GetImageFromArray(labels)
    image.SetSpacing((1.0, 1.0, 3.0))
    sitk.WriteImage(image, str(tmp_path / "seg.nii.gz"))
    return files, ImageFile(tmp_path / "seg.nii.gz")


def counts(scene):
    return {
        name: scene.GetNumberOfNodesByClass(f"vtkMRML{name}Node")
        for name in ("Volume", "VolumeDisplay", "Segmentation", "Storage", "LabelMapVolume")
    }


def test_images_and_labels_of_a_case_open_in_a_folder_of_their_own(loader, scene, case):
    from MultimodalSlicerLib.volume_nodes import subjectHierarchy

    images, label = case
    volumes = loader.open("Case 1", images, label)
    assert list(volumes) == ["CT", "PET"]
    assert [volume.GetName() for volume in volumes.values()] == ["CT", "PET"]  # like their files
    assert loader.caseID == "Case 1"
    hierarchy = subjectHierarchy(scene)
    parents = {
        hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node))
        for node in (*volumes.values(), loader.segmentation())
    }
    assert [hierarchy.GetItemName(parent) for parent in parents] == ["Case 1"]


def test_labels_refer_to_the_image_that_has_their_grid(loader, case):
    volumes = loader.open("Case 1", *case)
    reference = loader.segmentation().GetNodeReference("referenceImageGeometryRef")
    assert reference is volumes["CT"]


def test_labels_lie_on_their_voxels_and_are_shown_as_outline(loader, case):
    from MultimodalSlicerLib.segment_nodes import segmentVolumesMl

    loader.open("Case 1", *case)
    node = loader.segmentation()
    assert sorted(segmentVolumesMl(node).values()) == pytest.approx([1 * 3e-3, 36 * 3e-3])
    assert not node.GetDisplayNode().GetVisibility2DFill()
    assert node.GetDisplayNode().GetVisibility2DOutline()


def test_the_next_case_replaces_the_former_and_leaves_other_nodes_alone(loader, scene, case):
    from MultimodalSlicerLib.volume_nodes import subjectHierarchy

    images, label = case
    other = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "mine")
    loader.open("Case 1", images, label)
    before = counts(scene)
    loader.open("Case 2", images, label)
    assert counts(scene) == before
    assert loader.caseID == "Case 2"
    assert other.GetScene() is scene
    hierarchy = subjectHierarchy(scene)
    assert not hierarchy.GetItemByName("Case 1")
    assert hierarchy.GetItemByName("Case 2")


def test_closing_leaves_the_scene_as_it_was(loader, scene, case):
    before = scene.GetNumberOfNodes()
    loader.open("Case 1", *case)
    loader.close()
    assert loader.caseID == ""
    assert scene.GetNumberOfNodes() == before


def test_a_folder_with_a_foreign_file_stays(loader, scene, case):
    from MultimodalSlicerLib.volume_nodes import placeInFolder, subjectHierarchy

    loader.open("Case 1", *case)
    hierarchy = subjectHierarchy(scene)
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "mine")
    placeInFolder(node, hierarchy.GetItemByName("Case 1"))
    loader.close()
    assert node.GetScene() is scene
    assert hierarchy.GetItemName(hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)))


def test_a_file_that_is_gone_leaves_the_open_case_in_place(loader, scene, case, tmp_path):
    from MultimodalImagingLib.images.stored_image import ImageFile

    images, label = case
    loader.open("Case 1", images, label)
    before = scene.GetNumberOfNodes()
    gone = {**images, "MR": ImageFile(tmp_path / "gone.nii.gz")}
    with pytest.raises(ValueError, match="gone"):
        loader.open("Case 2", gone, label)
    assert loader.caseID == "Case 1"
    assert scene.GetNumberOfNodes() == before


def test_a_damaged_file_leaves_the_open_case_in_place(loader, scene, case, tmp_path):
    from MultimodalImagingLib.images.stored_image import ImageFile

    images, label = case
    loader.open("Case 1", images, label)
    before = scene.GetNumberOfNodes()
    (tmp_path / "bad.nii.gz").write_bytes(b"no image")
    with pytest.raises(ValueError, match="bad"):
        loader.open("Case 2", {**images, "MR": ImageFile(tmp_path / "bad.nii.gz")})
    assert loader.caseID == "Case 1"
    assert scene.GetNumberOfNodes() == before


def test_a_case_without_files_is_refused(loader):
    with pytest.raises(ValueError, match="Inspect the cohort again"):
        loader.open("Case 1", {})


def test_parts_of_a_four_dimensional_file_open_as_volumes(loader, tmp_path):
    import slicer

    from MultimodalImagingLib.images.stored_image import ImageFile

    array = np.arange(2 * 4 * 5 * 6, dtype=np.int16).reshape(2, 4, 5, 6)
    image = sitk.JoinSeries([sitk.GetImageFromArray(part) for part in array])
    sitk.WriteImage(image, str(tmp_path / "brats.nii.gz"))
    path = tmp_path / "brats.nii.gz"
    volumes = loader.open("Case 1", {"A": ImageFile(path, 0), "B": ImageFile(path, 1)})
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(volumes["B"]), array[1])


def test_labels_for_editing_are_made_on_the_grid_of_the_first_image(loader, case):
    images, _label = case
    volumes = loader.open("Case 1", images)
    assert loader.segmentation() is None
    node = loader.segmentationForEditing()
    assert node is loader.segmentation()
    assert node.GetNodeReference("referenceImageGeometryRef") is volumes["CT"]
    assert loader.segmentationForEditing() is node


def test_labels_cannot_be_edited_before_a_case_is_open(loader):
    with pytest.raises(ValueError, match="No case is open"):
        loader.segmentationForEditing()


def test_the_open_case_is_known_again_in_a_saved_scene(loader, scene, case, tmp_path):
    import slicer

    from MultimodalSlicerLib.case_loader import CaseLoader

    loader.open("Case 1", *case)
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    scene.Clear(0)
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    again = CaseLoader(scene)
    assert again.caseID == "Case 1"
    assert list(again.volumes()) == ["CT", "PET"]
    again.close()
    assert scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 0
    assert scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0


def test_segment_editor_shows_the_labels_over_the_first_image(loader, scene, case):
    from MultimodalSlicerLib.segment_editor import chooseInSegmentEditor

    volumes = loader.open("Case 1", *case)
    chooseInSegmentEditor(loader.segmentation(), volumes["CT"])
    chooseInSegmentEditor(loader.segmentation(), volumes["CT"])
    node = scene.GetSingletonNode("SegmentEditor", "vtkMRMLSegmentEditorNode")
    assert node.GetSegmentationNode() is loader.segmentation()
    assert node.GetSourceVolumeNode() is volumes["CT"]


@pytest.mark.parametrize("n_cases", [40, pytest.param(200, marks=pytest.mark.evidence)])
def test_cases_one_after_the_other_leave_nothing_behind(loader, scene, case, census, n_cases):
    loader.open("Case", *case)
    before = census()
    for number in range(n_cases):
        loader.open(f"Case {number}", *case)
    grown = census().grown(before)
    assert set(grown) <= {"connections"}, grown
    assert census().memory_mb - before.memory_mb < 50
