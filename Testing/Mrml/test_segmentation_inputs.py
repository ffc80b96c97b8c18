"""Volumes of a scene: matched to modalities, checked, written where transforms put them."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import example_result as example
import numpy as np
import pytest

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")
vtk = pytest.importorskip("vtk")

from CIMLSegmentLib.task.task_io import load_task, task_from_json, task_to_json  # noqa: E402
from CIMLSegmentPanelLib.nodes.input_checks import checkInputs, worldGrid  # noqa: E402
from CIMLSegmentPanelLib.nodes.input_matching import matchVolumes  # noqa: E402
from CIMLSegmentPanelLib.nodes.model_summary import (  # noqa: E402
    ModelSummary,
    millimeters,
    read_model_summary,
)
from CIMLSegmentPanelLib.nodes.run_files import ResultFolders, exportVolumes  # noqa: E402
from MultimodalImagingLib.errors import ModelError  # noqa: E402
from MultimodalImagingLib.images.geometry import Volume, is_same_grid  # noqa: E402
from MultimodalImagingLib.images.stored_image import ImageFile  # noqa: E402
from MultimodalImagingLib.images.volume_io import read_volume  # noqa: E402
from MultimodalSlicerLib.volume_nodes import (  # noqa: E402
    addVolume,
    gridFromNode,
    subjectHierarchy,
)

MODEL = ModelSummary(Path("model"), load_task("pet-ct-mr"), (2.0, 2.0, 2.0))


def add(scene, name: str, modality: str = "CT", grid=None):
    return addVolume(scene, example.image(modality, grid or example.grid()), name)


def linear_transform(scene, *, shift=(0.0, 0.0, 0.0), degrees: float = 0.0):
    node = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform = vtk.vtkTransform()
    transform.Translate(*shift)
    transform.RotateZ(degrees)
    node.SetMatrixTransformToParent(transform.GetMatrix())
    return node


def bending_transform(scene, shift_mm: float = 6.0):
    """A thin-plate spline that shifts everything to the right; not linear by its type."""
    spline = vtk.vtkThinPlateSplineTransform()
    spline.SetBasisToR()
    source, target = vtk.vtkPoints(), vtk.vtkPoints()
    for x in (-100, 100):
        for y in (-100, 100):
            for z in (-100, 100):
                source.InsertNextPoint(x, y, z)
                target.InsertNextPoint(x + shift_mm, y, z)
    spline.SetSourceLandmarks(source)
    spline.SetTargetLandmarks(target)
    node = scene.AddNewNodeByClass("vtkMRMLTransformNode")
    node.SetAndObserveTransformToParent(spline)
    return node


# --- matching ---------------------------------------------------------------------------------


def test_volumes_are_found_by_name_whatever_their_order(scene):
    nodes = {name: add(scene, f"STS_001_{name.lower()}") for name in ("T1", "CT", "PET")}
    match = matchVolumes(scene, MODEL.task)
    assert dict(match.nodes) == nodes
    assert not match.notes


def test_contrast_enhanced_and_plain_images_are_told_apart(scene):
    task = load_task("brats")
    names = {"FLAIR": "a_t2f", "T1": "a_t1n", "T1c": "a_t1c", "T2": "a_t2w"}
    nodes = {modality: add(scene, name) for modality, name in names.items()}
    assert dict(matchVolumes(scene, task).nodes) == {m: nodes[m] for m in task.modalities}


def test_of_two_candidates_none_is_chosen_and_both_are_named(scene):
    add(scene, "PET")
    add(scene, "CT one")
    add(scene, "CT two")
    match = matchVolumes(scene, MODEL.task)
    assert "CT" not in match.nodes
    assert match.notes["CT"] == "These could be CT: 'CT one', 'CT two'. Choose one."


def test_names_of_scanners_mean_the_same_as_in_cohorts(scene):
    names = {
        "FLAIR": "6: t2_tirm_tra_dark-fluid",
        "T1": "4: t1_mprage nativ",
        "T1c": "9: MPRAGE tra KM",
        "T2": "5: T2_blade",
    }
    nodes = {modality: add(scene, name) for modality, name in names.items()}
    match = matchVolumes(scene, load_task("brats"))
    assert dict(match.nodes) == nodes


def test_a_twin_does_not_hide_the_plain_volume(scene):
    plain = add(scene, "a_CT")
    add(scene, "a_CT_reg")
    add(scene, "a_CT_mask")
    assert matchVolumes(scene, MODEL.task).nodes["CT"] is plain


def test_unnamed_volumes_are_not_guessed(scene):
    for name in ("Volume", "Volume_1", "Volume_2"):
        add(scene, name)
    match = matchVolumes(scene, MODEL.task)
    assert not match.nodes
    assert match.notes["PET"] == "No volume is named like PET. Choose one."
    assert "go on without it" in match.notes["CT"]


def test_dicom_attributes_tell_where_names_do_not(scene):
    pet, ct = add(scene, "4: unknown"), add(scene, "3: unknown")
    hierarchy = subjectHierarchy(scene)
    attribute = slicer.vtkMRMLSubjectHierarchyConstants.GetDICOMSeriesModalityAttributeName()
    for node, modality in ((pet, "PT"), (ct, "CT")):
        item = hierarchy.CreateItem(hierarchy.GetSceneItemID(), node)
        hierarchy.SetItemAttribute(item, attribute, modality)
    assert dict(matchVolumes(scene, MODEL.task).nodes) == {"PET": pet, "CT": ct}


def test_dicom_does_not_decide_between_two_modalities_of_one_kind(scene):
    node = add(scene, "5: unknown")
    node.SetAttribute("DICOM.Modality", "MR")
    assert not matchVolumes(scene, load_task("brats")).nodes


def test_label_maps_and_our_own_maps_are_no_candidates(scene):
    label = scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "CT")
    label.SetAndObserveImageData(add(scene, "PET").GetImageData())
    add(scene, "Attention CT to PET").SetAttribute("CIMLSegment.Map", "{}")
    assert set(matchVolumes(scene, MODEL.task).nodes) == {"PET"}


def test_a_modality_that_the_table_does_not_know_stands_for_itself(scene):
    text = json.dumps(task_to_json(MODEL.task)).replace('"T1"', '"elastography-map"')
    task = task_from_json(json.loads(text))
    node = add(scene, "liver Elastography-Map 3")
    assert matchVolumes(scene, task).nodes["elastography-map"] is node


# --- checks -----------------------------------------------------------------------------------


def chosen(scene) -> dict:
    return {name: add(scene, name, name) for name in MODEL.modalities}


def test_good_volumes_have_no_problem_and_their_geometry_is_said(scene):
    verdict = checkInputs(MODEL, chosen(scene))
    assert verdict.problem == ""
    assert verdict.sentence.startswith("All volumes have the same grid. They are resampled to 2")
    assert not any(verdict.notes.values())


def test_different_grids_are_fine(scene):
    nodes = chosen(scene)
    nodes["T1"] = add(scene, "T1", "T1", example.grid((60, 68, 13), (1.0, 1.0, 4.0)))
    verdict = checkInputs(MODEL, nodes)
    assert verdict.problem == ""
    assert "different grids in the same space" in verdict.sentence


def test_volumes_that_do_not_overlap_are_refused_by_name(scene):
    nodes = chosen(scene)
    nodes["CT"].SetAndObserveTransformNodeID(linear_transform(scene, shift=(500, 0, 0)).GetID())
    verdict = checkInputs(MODEL, nodes)
    assert "do not overlap" in verdict.problem
    assert "'CT'" in verdict.problem


def test_a_transform_that_brings_volumes_together_counts(scene):
    nodes = chosen(scene)
    far = vtk.vtkMatrix4x4()
    nodes["CT"].GetIJKToRASMatrix(far)
    far.SetElement(0, 3, far.GetElement(0, 3) + 500)
    nodes["CT"].SetIJKToRASMatrix(far)
    assert checkInputs(MODEL, nodes).problem
    nodes["CT"].SetAndObserveTransformNodeID(linear_transform(scene, shift=(-500, 0, 0)).GetID())
    verdict = checkInputs(MODEL, nodes)
    assert verdict.problem == ""
    assert "Parent transforms are honored: CT." in verdict.sentence


def test_a_missing_auxiliary_is_a_remark_and_a_missing_primary_a_problem(scene):
    nodes = chosen(scene)
    assert checkInputs(MODEL, {**nodes, "CT": None}).notes["CT"] == (
        "Without CT the result may be worse."
    )
    problem = checkInputs(MODEL, {**nodes, "PET": None}).problem
    assert problem.startswith("Choose the volume of PET")


def test_what_is_no_3d_image_is_refused_with_what_to_do(scene):
    nodes = chosen(scene)
    label = scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "labels")
    label.SetAndObserveImageData(nodes["CT"].GetImageData())
    vector = scene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "four")
    image = vtk.vtkImageData()
    image.SetDimensions(5, 5, 5)
    image.AllocateScalars(vtk.VTK_FLOAT, 4)
    vector.SetAndObserveImageData(image)
    wrong = {
        "label map": label,
        "4 values per voxel": vector,
        "no voxels": scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty"),
        "sequence": scene.AddNewNodeByClass("vtkMRMLSequenceNode", "4-D"),
    }
    for text, node in wrong.items():
        problem = checkInputs(MODEL, {**nodes, "CT": node}).problem
        assert text in problem
        assert "hoose" in problem


def test_one_volume_for_two_modalities_is_refused(scene):
    nodes = chosen(scene)
    problem = checkInputs(MODEL, {**nodes, "T1": nodes["CT"]}).problem
    assert problem == "'CT' is chosen for CT and for T1. Choose another volume."


def test_a_volume_named_like_another_modality_is_remarked(scene):
    nodes = chosen(scene)
    verdict = checkInputs(MODEL, {**nodes, "PET": nodes["CT"], "CT": nodes["PET"]})
    assert verdict.problem == ""
    assert verdict.notes["PET"] == "'CT' is named like CT, not like PET. Is it right?"


# --- files ------------------------------------------------------------------------------------


def test_files_hold_the_voxels_at_their_place(scene, tmp_path):
    grids = {"PET": example.grid(direction=example.oblique()), "CT": example.grid((9, 8, 7))}
    nodes = {name: add(scene, name, name, grid) for name, grid in grids.items()}
    files = exportVolumes(nodes, tmp_path)
    for name, path in files.items():
        volume = read_volume(ImageFile(path))
        assert is_same_grid(volume.grid, grids[name])
        assert np.array_equal(volume.array, example.image(name, grids[name]).array)


def test_linear_transforms_move_the_grid_and_leave_the_node(scene, tmp_path):
    node = add(scene, "PET", "PET")
    before = gridFromNode(node)
    transform = linear_transform(scene, shift=(10, -20, 5), degrees=30)
    node.SetAndObserveTransformNodeID(transform.GetID())
    volume = read_volume(ImageFile(exportVolumes({"PET": node}, tmp_path)["PET"]))
    matrix = vtk.vtkMatrix4x4()
    transform.GetMatrixTransformToWorld(matrix)
    to_world = np.array([[matrix.GetElement(r, c) for c in range(4)] for r in range(4)])
    assert np.allclose(volume.grid.affine_ras, to_world @ before.affine_ras, atol=1e-4)
    assert is_same_grid(volume.grid, worldGrid(node))
    assert is_same_grid(gridFromNode(node), before)
    assert node.GetParentTransformNode() is transform


def test_transforms_that_are_not_linear_are_hardened_on_a_copy(scene, tmp_path):
    node = add(scene, "PET", "PET")
    node.SetAndObserveTransformNodeID(bending_transform(scene, 6.0).GetID())
    n_nodes = scene.GetNumberOfNodes()
    volume = read_volume(ImageFile(exportVolumes({"PET": node}, tmp_path)["PET"]))
    center = _center_of_lesion(volume)
    assert np.allclose(center, np.array(example.LESION) - [6.0, 0, 0], atol=0.7)
    box = worldGrid(node).corners_lps
    assert (box.min(axis=0) <= center).all()
    assert (center <= box.max(axis=0)).all()
    assert scene.GetNumberOfNodes() == n_nodes


def _center_of_lesion(volume: Volume) -> np.ndarray:
    k, j, i = np.nonzero(volume.array > 4)
    index = np.stack([i, j, k, np.ones_like(i)])
    return (volume.grid.index_to_lps @ index)[:3].mean(axis=1)


def test_a_volume_of_one_value_is_refused(scene, tmp_path):
    on = example.grid()
    node = addVolume(scene, Volume(np.full(on.array_shape, 3.0, np.float32), on), "flat")
    with pytest.raises(ValueError, match=r"'flat' has the value 3 everywhere. Choose another"):
        exportVolumes({"PET": node}, tmp_path)


# --- models -----------------------------------------------------------------------------------


def test_a_model_folder_is_understood_without_torch(tmp_path):
    model = read_model_summary(example.write_model_json(tmp_path / "model"))
    assert model.modalities == ("PET", "CT", "T1")
    assert model.spacing_mm == (2.0, 2.0, 2.0)
    assert (
        millimeters(model.map_spacing_mm)
        == "4 \N{MULTIPLICATION SIGN} 4 \N{MULTIPLICATION SIGN} 4 mm"
    )


@pytest.mark.parametrize("damage", ["no folder", "no weights", "no json", "no task"])
def test_what_is_no_model_folder_is_refused_with_what_to_do(tmp_path, damage):
    folder = example.write_model_json(tmp_path / "model")
    if damage == "no folder":
        folder = tmp_path / "nothing"
    elif damage == "no weights":
        (folder / "model.safetensors").unlink()
    elif damage == "no json":
        (folder / "model.json").write_text("{broken", encoding="utf-8")
    else:
        (folder / "model.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ModelError, match=r"Choose the folder|Correct it|train the model again"):
        read_model_summary(folder)


def test_volumes_of_one_size_that_lie_elsewhere_are_named_with_the_distance(scene) -> None:
    grid = example.grid()
    x, y, z = grid.origin_mm
    extent = grid.size[0] * grid.spacing_mm[0]
    moved = dataclasses.replace(grid, origin_mm=(x + extent / 2, y, z))
    nodes = {"CT": add(scene, "ct"), "PET": add(scene, "pet", "PET", moved), "T1": None}
    verdict = checkInputs(MODEL, nodes)
    assert f"'pet' has the size of 'ct', but its origin is off by {extent / 2:.3g} mm" in (
        verdict.sentence
    )
    nodes["PET"] = add(scene, "pet2", "PET")
    assert "off by" not in checkInputs(MODEL, nodes).sentence


def test_only_folders_of_its_own_are_removed(tmp_path: Path) -> None:
    folders = ResultFolders()
    folders.remove(tmp_path)  # before the first run, as for results of a scene that was read
    job = folders.new()
    (job / "result").mkdir()
    (tmp_path / "mine.txt").write_text("mine")
    folders.remove(tmp_path)
    # What a scene from a file may name: a way out of the temporary folder.
    out = Path(*[".."] * len(job.parts)) / tmp_path.relative_to(tmp_path.anchor)
    folders.remove(job / out)
    folders.remove(job.parent / ".." / "x")
    folders.remove(job.parent)
    assert (tmp_path / "mine.txt").read_text() == "mine"
    assert (job / "result").is_dir()
    folders.remove(job / "result")
    assert not job.exists()
