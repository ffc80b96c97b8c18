"""A map of local PMI lies where the image lies, on one scale, and goes without a trace."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

import vtk  # noqa: E402
from vtk.util import numpy_support  # noqa: E402

from MDALSelectorPanelLib.nodes.case_maps import CaseMaps, caseMaps  # noqa: E402
from MDALSelectorPanelLib.nodes.pmi_overlay import PMIOverlay, tableColors  # noqa: E402
from MultimodalImagingLib.cohorts.cohort import find_cohort  # noqa: E402
from MultimodalImagingLib.images.geometry import Grid, Volume, is_same_grid  # noqa: E402
from MultimodalImagingLib.images.volume_io import write_volume  # noqa: E402
from MultimodalImagingLib.jobs.progress import NullReporter  # noqa: E402
from MultimodalImagingLib.preparation.preprocessing import (  # noqa: E402
    default_spec,
    prepare_cohort,
)
from MultimodalSlicerLib.volume_nodes import addVolume, gridFromNode, nodesOf  # noqa: E402

AB, AC = ("CT", "PET"), ("CT", "T1")
MEDIANS = {AB: 1.0, AC: 2.0}


@pytest.fixture
def image(scene, oblique_volume):
    slicer.vtkSlicerColorLogic().SetMRMLScene(scene)  # knows legends
    return addVolume(scene, oblique_volume, "case-1 CT")


@pytest.fixture
def views(scene, image):
    """A view of the image with something in the foreground, and one of another image."""
    other = addVolume(scene, Volume(np.ones((3, 3, 3), np.float32), unit_grid((3, 3, 3))), "PET")
    nodes = []
    for name, background, foreground in (("Red", image, other), ("Green", other, None)):
        view = slicer.vtkMRMLSliceCompositeNode()
        view.SetLayoutName(name)
        nodes.append(scene.AddNode(view))
        view.SetBackgroundVolumeID(background.GetID())
        view.SetForegroundVolumeID(foreground.GetID() if foreground else None)
        view.SetForegroundOpacity(0.25)
    return nodes


@pytest.fixture
def maps(tmp_path, oblique_grid):
    """Maps of two pairs: the PMI falls along I, outside of the body there is 0."""
    i = np.indices(oblique_grid.array_shape)[2]
    files = {AB: tmp_path / "pmi_1_CT_PET.nii.gz", AC: tmp_path / "pmi_2_CT_T1.nii.gz"}
    for pair, shift in ((AB, 0.0), (AC, 1.0)):
        values = np.where(i > 0, 4.1 - 0.8 * i + shift, 0.0).astype(np.float32)
        write_volume(files[pair], Volume(values, oblique_grid))
    return CaseMaps("case-1", "", files, MEDIANS)


@pytest.fixture
def overlay(scene, views):
    return PMIOverlay(scene)


def unit_grid(size):
    return Grid(size, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0))


def census(scene):
    return [scene.GetNthNode(n).GetID() for n in range(scene.GetNumberOfNodes())]


def drawn(node):
    """Colors and opacity that slice views get of a map, 0 to 255, `(K, J, I, 4)`."""
    port = node.GetDisplayNode().GetOutputImageDataConnection()
    port.GetProducer().Update()
    image = port.GetProducer().GetOutputDataObject(port.GetIndex())
    colors = numpy_support.vtk_to_numpy(image.GetPointData().GetScalars())
    return colors.reshape(*reversed(image.GetDimensions()), 4).astype(int)


def test_a_map_lies_on_its_grid_and_holds_the_difference_in_nats(
    overlay, maps, image, oblique_grid
):
    overlay.show(maps, (AB,), image, 0.6)
    assert is_same_grid(gridFromNode(overlay.node), oblique_grid, tolerance_mm=1e-3)
    values = slicer.util.arrayFromVolume(overlay.node)
    i = np.indices(oblique_grid.array_shape)[2]
    np.testing.assert_allclose(values, np.where(i > 0, 3.1 - 0.8 * i, 0.0), atol=1e-5)
    overlay.show(maps, (AB, AC), image, 0.6)
    values = slicer.util.arrayFromVolume(overlay.node)
    np.testing.assert_allclose(values, np.where(i > 0, 3.1 - 0.8 * i, 0.0), atol=1e-5)


def test_what_a_run_makes_of_an_oblique_case_lies_over_its_anatomy(scene, overlay, image, tmp_path):
    """From image files over the working grid of the run to the node: a spot stays at its place."""
    spot = write_oblique_case(tmp_path / "cohort" / "case-1")
    cohort = find_cohort(tmp_path / "cohort")
    prepared = prepare_cohort(
        cohort, default_spec(cohort), cache=tmp_path / "cache", reporter=NullReporter()
    )[0]
    file = tmp_path / "map.nii.gz"
    values = np.where(prepared.body, prepared.images["T1"] + 100.0, 0.0)
    write_volume(file, Volume(values.astype(np.float32), prepared.grid))
    overlay.show(CaseMaps("case-1", "", {AB: file}, MEDIANS), (AB,), image, 0.6)
    assert is_same_grid(gridFromNode(overlay.node), prepared.grid, tolerance_mm=1e-3)
    shown = slicer.util.arrayFromVolume(overlay.node)
    weights = np.clip(shown - np.percentile(shown[shown != 0], 98), 0.0, None)
    k, j, i = (float((axis * weights).sum() / weights.sum()) for axis in np.indices(shown.shape))
    matrix = vtk.vtkMatrix4x4()
    overlay.node.GetIJKToRASMatrix(matrix)
    found = matrix.MultiplyPoint((i, j, k, 1.0))[:3]
    np.testing.assert_allclose(found, spot, atol=0.7)


def write_oblique_case(folder: Path) -> tuple[float, ...]:
    """Write two images of a ball with a bright spot on oblique, anisotropic voxels."""
    angle = 0.35
    c, s = np.cos(angle), np.sin(angle)
    direction = np.array([[c, -s, 0], [s * c, c * c, -s], [s * s, s * c, c]])
    grid = Grid((50, 44, 22), (2.0, 2.4, 5.0), (-60.0, -35.0, 20.0), tuple(direction.ravel()))
    k, j, i = np.indices(grid.array_shape)
    affine = grid.affine_ras
    ras = np.stack([i, j, k, np.ones_like(i)], axis=-1) @ affine.T
    middle = affine @ ((np.array([*grid.size, 3]) - 1) / 2)
    spot = middle[:3] + np.array([12.0, -9.0, 14.0])
    body = np.linalg.norm(ras[..., :3] - middle[:3], axis=-1) < 42
    near = np.exp(-np.sum((ras[..., :3] - spot) ** 2, axis=-1) / (2 * 6.0**2))
    noise = np.random.default_rng(0).normal(size=grid.array_shape)
    folder.mkdir(parents=True)
    for name in ("t1", "t2"):
        values = np.where(body, 300 + 20 * noise + 900 * near, 0.0).astype(np.float32)
        write_volume(folder / f"case-1_{name}.nii.gz", Volume(values, grid))
    return tuple(spot.tolist())


def test_every_map_has_the_same_scale_and_no_color_where_all_is_usual(overlay, maps, image):
    for pairs in ((AB,), (AC,), (AB, AC)):
        overlay.show(maps, pairs, image, 0.6)
        display = overlay.node.GetDisplayNode()
        assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == (-3.0, 3.0)
        assert display.GetAutoWindowLevel() == display.GetApplyThreshold() == 0
        values, colors = slicer.util.arrayFromVolume(overlay.node), drawn(overlay.node)
        isDrawn = colors[..., 3] > 0
        assert np.array_equal(isDrawn[np.abs(values) < 0.4], np.zeros((np.abs(values) < 0.4).sum()))
        assert isDrawn[np.abs(values) > 0.6].all()
        red, blue = colors[..., 0], colors[..., 2]
        assert (blue > red)[values < -0.6].all()
        assert (red > blue)[values > 0.6].all()


def test_colors_are_the_stronger_the_farther_from_usual():
    colors = tableColors(3.0)
    assert [color[3] for color in colors[25:36]] == [0.0] * 11
    assert all(color[3] == 1.0 for color in (*colors[:25], *colors[36:]))
    assert colors[0][:3] == (0.0, 0.3, 1.0)
    assert [color[1] for color in colors[:25]] == sorted(color[1] for color in colors[:25])


def test_a_map_covers_its_image_in_all_views_that_show_it_and_no_other(overlay, maps, image, views):
    overlay.show(maps, (AB,), image, 0.6)
    assert views[0].GetForegroundVolumeID() == overlay.node.GetID()
    assert views[0].GetForegroundOpacity() == pytest.approx(0.6)
    assert views[1].GetForegroundVolumeID() is None
    overlay.setOpacity(0.3)
    assert views[0].GetForegroundOpacity() == pytest.approx(0.3)
    assert views[1].GetForegroundOpacity() == pytest.approx(0.25)


def test_maps_come_and_go_without_a_trace(scene, overlay, maps, image, views):
    former = views[0].GetForegroundVolumeID()
    overlay.show(maps, (AB,), image, 0.6)
    overlay.remove()
    before = census(scene)  # the color table stays for the next map
    for pairs in ((AB,), (AC,), (AB, AC)):
        overlay.show(maps, pairs, image, 0.6)
        assert len(nodesOf(scene, "vtkMRMLColorLegendDisplayNode")) == 1
    overlay.remove()
    assert census(scene) == before
    assert overlay.node is None
    assert views[0].GetForegroundVolumeID() == former
    assert views[0].GetForegroundOpacity() == pytest.approx(0.25)
    overlay.remove()


def test_a_view_that_shows_something_else_meanwhile_goes_on_doing_so(overlay, maps, image, views):
    overlay.show(maps, (AB,), image, 0.6)
    other = views[1].GetBackgroundVolumeID()
    views[0].SetForegroundVolumeID(other)
    views[0].SetForegroundOpacity(0.8)
    overlay.remove()
    assert views[0].GetForegroundVolumeID() == other
    assert views[0].GetForegroundOpacity() == pytest.approx(0.8)


def test_nothing_of_a_map_is_listed_or_saved(scene, overlay, maps, image, views, tmp_path):
    known = {node: node.GetSaveWithScene() for node in all_nodes(scene)}
    overlay.show(maps, (AB,), image, 0.6)
    added = [node for node in all_nodes(scene) if node not in known]
    assert len(added) >= 4
    for node in added:
        assert node.GetHideFromEditors()
        assert not node.GetSaveWithScene()
    file = tmp_path / "scene.mrml"
    scene.SetURL(str(file))
    assert scene.Commit()
    assert overlay.node.GetName() not in file.read_text()
    again = slicer.vtkMRMLScene()
    again.SetURL(str(file))
    again.Connect()
    for view in nodesOf(again, "vtkMRMLSliceCompositeNode"):
        shown = view.GetForegroundVolumeID()
        assert shown is None or again.GetNodeByID(shown).GetName() == "PET"
    again.Clear(1)


def all_nodes(scene):
    return [scene.GetNthNode(index) for index in range(scene.GetNumberOfNodes())]


@pytest.mark.parametrize("helper", ["map", "display", "table", "legend", "image"])
def test_any_node_may_be_deleted_by_hand(scene, overlay, maps, image, views, helper):
    overlay.show(maps, (AB,), image, 0.6)
    display = overlay.node.GetDisplayNode()
    legend = nodesOf(scene, "vtkMRMLColorLegendDisplayNode")[0]
    table = display.GetColorNode()
    nodes = {"map": overlay.node, "display": display, "table": table, "legend": legend}
    scene.RemoveNode(nodes.get(helper, image))
    overlay.setOpacity(0.5)
    overlay.jumpToLeastFit()
    if helper != "image":
        overlay.show(maps, (AC,), image, 0.6)
        assert overlay.node.GetDisplayNode().GetColorNode() is not None
        assert views[0].GetForegroundVolumeID() == overlay.node.GetID()
    overlay.remove()
    assert overlay.node is None
    assert not nodesOf(scene, "vtkMRMLColorLegendDisplayNode")


def test_slices_go_to_the_place_of_least_fit_also_under_a_transform(
    scene, overlay, maps, image, oblique_grid
):
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    matrix = vtk.vtkMatrix4x4()
    matrix.SetElement(0, 3, 50.0)
    transform.SetMatrixTransformToParent(matrix)
    image.SetAndObserveTransformNodeID(transform.GetID())
    slice_node = scene.AddNewNodeByClass("vtkMRMLSliceNode")
    slice_node.SetOrientation("Sagittal")
    overlay.show(maps, (AB,), image, 0.6)
    overlay.jumpToLeastFit()
    index = np.indices(oblique_grid.size).reshape(3, -1)
    low = index[:, index[0] >= 6]  # there the PMI is lowest
    places = (oblique_grid.affine_ras @ np.vstack([low, np.ones(low.shape[1])]))[0] + 50.0
    place = slice_node.GetSliceToRAS().GetElement(0, 3)
    assert places.min() - 0.1 <= place <= places.max() + 0.1


def test_a_file_that_cannot_be_read_leaves_the_views_alone(scene, overlay, maps, image, views):
    from MultimodalImagingLib.errors import CrossModalError

    overlay.show(maps, (AC,), image, 0.6)
    shown = overlay.node
    maps.files[AB].write_bytes(b"no image")
    with pytest.raises(CrossModalError):
        overlay.show(maps, (AB,), image, 0.6)
    assert overlay.node is shown
    maps.files[AB].unlink()
    with pytest.raises(CrossModalError):
        overlay.show(maps, (AB,), image, 0.6)


def test_words_name_unit_and_colors(overlay, maps, image):
    text = overlay.show(maps, (AB,), image, 0.6)
    assert "CT and PET" in text
    assert "1.00 nats" in text
    assert "Blue: less than usual" in text
    assert "mean of the 2 pairs" in overlay.show(maps, (AB, AC), image, 0.6)


# --- which maps there are ---------------------------------------------------------------------


@pytest.fixture
def run(tmp_path):
    """A run of the local estimator with maps of its first case."""
    from dataclasses import replace

    from example_selection import PAIRS, example_scores, example_selection

    from MDALSelectorLib.selection.run_folder import map_places, write_selection

    scores = example_scores()
    local = replace(scores.diagnostics, estimator="local", bounds_nats={"local": 1.0})
    selection = example_selection(scores=replace(scores, diagnostics=local))
    folder = tmp_path / "run"
    write_selection(folder, selection)
    places = map_places(selection.suggested[0].thumbnail, selection.pairs)
    (folder / places[PAIRS[0]]).parent.mkdir(parents=True)
    volume = Volume(np.ones((3, 3, 3), np.float32), unit_grid((3, 3, 3)))
    for pair in PAIRS[1:]:
        write_volume(folder / places[pair], volume)
    return folder, selection


def test_the_maps_of_a_case_are_those_that_the_run_wrote(run):
    folder, selection = run
    case = selection.suggested[0].case_id
    maps = caseMaps(str(folder), case)
    assert maps.problem == ""
    assert maps.choices() == [selection.pairs[1:], *((pair,) for pair in selection.pairs[1:])]
    values, _ = maps.read(selection.pairs[1:2])
    median = selection.diagnostics.medians_nats[selection.pairs[1]]
    assert values.max() == pytest.approx(median - 1.0, abs=1e-5)


def test_a_case_without_a_map_says_why_and_what_to_do(run, tmp_path):
    from example_selection import write_example_run

    folder, selection = run
    unsuggested = next(case for case in selection.cases if case.thumbnail is None)
    expected = {
        (str(folder), ""): "Load a case first.",
        ("", "case-001"): "press Start",
        (str(folder), unsuggested.case_id): "A larger budget",
        (str(folder), selection.suggested[1].case_id): "Press Start again.",
        (str(folder), "case-999"): "not part of the ranking",
        (str(tmp_path / "gone"), "case-001"): "gone",
    }
    write_example_run(tmp_path / "whole")
    expected[str(tmp_path / "whole"), selection.suggested[0].case_id] = "Choose the estimator Local"
    for where, text in expected.items():
        maps = caseMaps(*where)
        assert text in maps.problem
        assert maps.problem.endswith(".")
        assert maps.choices() == []
