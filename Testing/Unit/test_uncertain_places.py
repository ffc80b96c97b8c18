"""How undecided a model was: against maps of probability whose entropy is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import log
from pathlib import Path

import numpy as np
import pytest
from example_segmentation import BODY, grid, pet_ct, positions, rotation

from CIMLSegmentLib.inference.uncertain_places import draft_uncertainty
from CIMLSegmentLib.results.result_io import write_result
from CIMLSegmentLib.results.segmentation_result import SegmentationResult, read_result
from MultimodalImagingLib.images.geometry import Grid, Volume
from MultimodalImagingLib.record.draft_uncertainty import newest_drafts, read_draft

SIZE = (60, 60, 60)
OBLIQUE = rotation(25, (0.3, -0.5, 0.8))


def entropy(p: float) -> float:
    return -p * log(p) - (1 - p) * log(1 - p)


def lesion(on: Grid, center: Sequence[float], radius: float, rim_mm: float) -> np.ndarray:
    """Probability of a ball that falls from 1 to 0 over a rim of logistic shape."""
    distance = np.linalg.norm(positions(on) - np.array(center), axis=-1) - radius
    return (1 / (1 + np.exp(distance / rim_mm))).astype(np.float32)


def middle(on: Grid) -> tuple[float, float, float]:
    x, y, z = positions(on).reshape(-1, 3).mean(axis=0)
    return float(x), float(y), float(z)


def test_the_score_is_the_mean_entropy_within_5_mm_of_the_border() -> None:
    on = grid((40, 4, 4))  # voxels of 2 mm; the border lies between the columns 19 and 20
    columns = np.full(40, 0.001)
    columns[:18], columns[18:20] = 0.999, 0.8  # 2 and 4 mm from the other side
    columns[20], columns[21] = 0.3, 0.1
    columns[30:] = 0.4  # too far off to count
    values = np.broadcast_to(columns.astype(np.float32), (4, 4, 40)).copy()
    found = draft_uncertainty({"GTV": values}, on)
    expected = (2 * entropy(0.8) + entropy(0.3) + entropy(0.1)) / 4
    assert found.mean_nats == pytest.approx(expected, rel=1e-4)


def test_without_a_find_the_border_is_that_of_half_the_highest_probability() -> None:
    values = np.full((4, 4, 40), 0.001, dtype=np.float32)
    values[:, :, :20] = 0.4
    found = draft_uncertainty({"GTV": values}, grid((40, 4, 4)))
    assert found.mean_nats == pytest.approx((entropy(0.4) + entropy(0.001)) / 2, rel=1e-4)


def test_regions_count_alike_however_large_they_are() -> None:
    large, small = (np.full((4, 4, 40), 0.001, dtype=np.float32) for _ in range(2))
    large[:, :, 10:30], small[0, 0, :1] = 0.6, 0.6
    found = draft_uncertainty({"large": large, "small": small}, grid((40, 4, 4)))
    large_nats, small_nats = (found.regions_nats[name] for name in ("large", "small"))
    assert large_nats == pytest.approx((entropy(0.6) + entropy(0.001)) / 2, rel=1e-4)
    assert found.mean_nats == pytest.approx((large_nats + small_nats) / 2)


def test_twice_the_size_with_the_same_rim_gives_the_same_score() -> None:
    on = grid((80, 80, 80))
    small, large = (lesion(on, middle(on), radius, 2.0) for radius in (15.0, 30.0))
    scores = [draft_uncertainty({"GTV": p}, on).mean_nats for p in (small, large)]
    assert scores[1] == pytest.approx(scores[0], rel=0.02)
    sums = [float(((p > 0.1) & (p < 0.9)).sum()) for p in (small, large)]
    assert sums[1] > 3 * sums[0]  # what a sum would have made of it


def test_a_wider_rim_gives_a_higher_score() -> None:
    on = grid(SIZE)
    rims = (0.5, 1.0, 2.0, 4.0)
    scores = [draft_uncertainty({"GTV": lesion(on, middle(on), 20.0, r)}, on) for r in rims]
    nats = [score.mean_nats for score in scores]
    assert nats == sorted(nats)
    assert nats[-1] > 1.5 * nats[0]


def test_finer_voxels_give_the_same_score() -> None:
    nats = []
    for step, n in ((2.0, 50), (1.0, 100)):
        on = grid((n, n, n), spacing=(step,) * 3)
        nats.append(draft_uncertainty({"GTV": lesion(on, BODY, 20.0, 2.0)}, on).mean_nats)
    assert nats[1] == pytest.approx(nats[0], rel=0.08)


@pytest.mark.parametrize(("step", "p"), [(8.0, 0.6), (2.0, 0.6)])
def test_thick_slices_and_a_region_without_a_border_have_a_score(step: float, p: float) -> None:
    values = np.full((8, 8, 8), p, dtype=np.float32)
    values[: 4 if step > 5 else 0] = 0.001
    found = draft_uncertainty({"GTV": values}, grid((8, 8, 8), spacing=(step,) * 3))
    expected = (entropy(0.6) + entropy(0.001)) / 2 if step > 5 else entropy(0.6)
    assert found.mean_nats == pytest.approx(expected, rel=1e-4)


def test_nothing_at_all_is_a_score_of_zero_without_places() -> None:
    found = draft_uncertainty({"GTV": np.zeros((8, 8, 8), dtype=np.float32)}, grid((8, 8, 8)))
    assert (found.mean_nats, found.places) == (0.0, ())


@pytest.mark.parametrize("direction", [np.eye(3), np.diag([-1.0, -1.0, 1.0]), OBLIQUE])
def test_places_come_by_how_much_is_undecided_around_them(direction: np.ndarray) -> None:
    on = replace(grid(SIZE), direction=tuple(direction.ravel()))
    values = np.zeros(SIZE[::-1], dtype=np.float32)
    values[10:12, 10:12, 10:12] = 0.5  # a speck
    values[40:50, 40:50, 40:50] = 0.5  # a block
    first, second = draft_uncertainty({"GTV": values}, on).places[:2]
    where = positions(on)
    assert np.allclose(first.position_mm, where[44:46, 44:46, 44:46].mean((0, 1, 2)), atol=3.0)
    assert np.allclose(second.position_mm, where[10:12, 10:12, 10:12].mean((0, 1, 2)), atol=3.0)
    assert first.entropy_nats > second.entropy_nats > 0


def test_places_lie_apart_also_those_of_regions_within_each_other() -> None:
    on = grid((80, 80, 80))
    regions = {
        "outer": lesion(on, middle(on), 40.0, 3.0),
        "inner": lesion(on, middle(on), 38.0, 3.0),
    }
    places = np.array([p.position_mm for p in draft_uncertainty(regions, on).places])
    gaps = np.linalg.norm(places[:, None] - places[None], axis=-1)
    n_places = len(places)
    assert 3 <= n_places <= 20
    assert gaps[~np.eye(n_places, dtype=bool)].min() >= 15.0


def half() -> np.ndarray:
    values = np.zeros((8, 8, 8), dtype=np.float32)
    values[:4] = 0.5
    return values


def written(folder: Path, case_id: str, **uncertain: float) -> Path:
    on = grid((8, 8, 8))
    values = {name: half() * np.float32(2 * p) for name, p in uncertain.items()}
    result = SegmentationResult(
        case_id,
        pet_ct(),
        "PET",
        Volume(np.zeros((8, 8, 8), dtype=np.uint8), on),
        model={"model_id": "m"},
        uncertainty=draft_uncertainty(values, on) if values else None,
    )
    return write_result(result, folder)


def test_a_result_says_it_and_it_is_read_back(tmp_path: Path) -> None:
    folder = written(tmp_path, "a", GTV=0.5)
    stored = read_result(folder).uncertainty
    assert stored is not None
    expected = draft_uncertainty({"GTV": half()}, grid((8, 8, 8)))
    assert stored.regions_nats == pytest.approx(expected.regions_nats, abs=1e-6)
    assert len(stored.places) == len(expected.places) > 0
    draft = read_draft(folder)
    assert (draft.case_id, draft.model_id, draft.uncertainty) == ("a", "m", stored)


def test_a_result_without_it_can_be_read(tmp_path: Path) -> None:
    folder = written(tmp_path, "a")
    assert read_result(folder).uncertainty is None
    text = (folder / "result.json").read_text(encoding="utf-8")
    older = text.replace('"uncertainty": null,', "")
    assert older != text
    (folder / "result.json").write_text(older, encoding="utf-8")
    assert read_draft(folder).uncertainty is None


def test_the_newest_drafts_are_those_of_one_model(tmp_path: Path) -> None:
    for name in ("a", "b"):
        written(tmp_path / "first", name, GTV=0.5)
    written(tmp_path / "second", "b", GTV=0.3)
    (tmp_path / "third" / "b").mkdir(parents=True)
    (tmp_path / "third" / "b" / "result.json").write_text("{", encoding="utf-8")
    folder, drafts = newest_drafts(tmp_path, ["a", "b", "c"])
    assert folder == tmp_path / "second"
    assert [*drafts] == ["b"]
    assert newest_drafts(tmp_path, ["a"])[0] == tmp_path / "first"
    assert newest_drafts(tmp_path / "nowhere", ["a"]) == (None, {})
