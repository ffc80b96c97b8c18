"""Going through the uncertain places of a draft: every slice view shows the place."""

from __future__ import annotations

from pathlib import Path

import pytest

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

from MultimodalImagingLib.record.atomic_files import write_json  # noqa: E402
from MultimodalImagingLib.record.draft_uncertainty import (  # noqa: E402
    DraftUncertainty,
    UncertainPlace,
    uncertainty_to_json,
)
from MultimodalSlicerLib.uncertain_places import UncertainPlaces  # noqa: E402

PLACES = (
    UncertainPlace("GTV", (10.0, -20.0, 30.0), 0.5),
    UncertainPlace("GTV", (-5.0, 0.5, -7.0), 0.3),
)


def result(folder: Path, content: object) -> Path:
    folder.mkdir()
    write_json(
        folder / "result.json", {"case": "a", "model": {"model_id": "m"}, "uncertainty": content}
    )
    return folder


@pytest.fixture
def views(scene):
    nodes = []
    for name, axis in (("Red", "Axial"), ("Green", "Coronal")):
        node = slicer.vtkMRMLSliceNode()
        node.SetLayoutName(name)
        scene.AddNode(node)
        node.SetOrientation(axis)
        nodes.append(node)
    return nodes


def centers(views):
    return [tuple(view.GetSliceToRAS().GetElement(row, 3) for row in range(3)) for view in views]


def test_places_are_shown_one_after_the_other_and_then_again(scene, views, tmp_path):
    found = UncertainPlaces()
    content = uncertainty_to_json(DraftUncertainty({"GTV": 0.4}, PLACES))
    found.follow(result(tmp_path / "a", content))
    expected = [(-10.0, 20.0, 30.0), (5.0, -0.5, -7.0), (-10.0, 20.0, 30.0)]
    for number, ras in zip((1, 2, 1), expected, strict=True):
        assert found.next(scene).region == "GTV"
        assert found.number == number
        for center in centers(views):
            assert center == pytest.approx(ras)


def test_the_crosshair_is_put_there(scene, tmp_path):
    crosshair = slicer.vtkMRMLCrosshairNode()
    crosshair.SetCrosshairName("default")
    scene.AddNode(crosshair)
    found = UncertainPlaces()
    content = uncertainty_to_json(DraftUncertainty({"GTV": 0.4}, PLACES))
    found.follow(result(tmp_path / "a", content))
    found.next(scene)
    assert tuple(crosshair.GetCrosshairRAS()) == (-10.0, 20.0, 30.0)


def test_results_without_places_and_no_result_have_none(scene, tmp_path):
    found = UncertainPlaces()
    for folder in (result(tmp_path / "older", None), tmp_path / "gone", None):
        found.follow(folder)
        assert found.next(scene) is None


def test_another_case_begins_with_its_first_place(scene, tmp_path):
    content = uncertainty_to_json(DraftUncertainty({"GTV": 0.4}, PLACES))
    found = UncertainPlaces()
    for name in ("a", "b"):
        folder = result(tmp_path / name, content)
        found.follow(folder)
        found.next(scene)
        found.follow(folder)
        assert found.number == 1
