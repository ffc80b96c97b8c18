"""Maps of levels: brought to the result's grid, attention as a mean, information as an amount."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from CIMLSegmentLib.inference.result_maps import (
    OutputSpace,
    attention_maps,
    information_on_output_grid,
    mean_over_levels,
    on_output_grid,
    predictive_entropy,
    sum_over_levels,
)
from CIMLSegmentLib.inference.sliding_window import WindowedOutput
from CIMLSegmentLib.inference.window_box import WindowBox, body_box
from CIMLSegmentLib.network.network import MessageKey
from CIMLSegmentLib.task.task_io import load_task
from MultimodalImagingLib.images.geometry import Grid, Volume

IDENTITY = tuple(np.eye(3).ravel())
GRID = Grid((24, 16, 16), (2.0, 2.0, 2.0), (-20.0, 3.0, 8.0), IDENTITY)
WHOLE = WindowBox((0, 0, 0), (16, 16, 24), GRID)


def level_maps(seed: int = 0) -> dict[MessageKey, torch.Tensor]:
    """Random maps at strides 2, 4 and 8 (twice, for two auxiliaries)."""
    generator = torch.Generator().manual_seed(seed)
    return {
        MessageKey("task", auxiliary, level): torch.rand(
            16 // step, 16 // step, 24 // step, generator=generator
        )
        for auxiliary in ("A", "B")
        for level, step in ((1, 2), (2, 4), (3, 8))
    }


def test_information_over_the_whole_box_is_the_sum_over_levels() -> None:
    maps = level_maps()
    information = sum_over_levels(maps, subtask="task", auxiliary="A", box=WHOLE)
    total = sum(float(values.sum()) for key, values in maps.items() if key.auxiliary == "A")
    assert information.array.sum(dtype=np.float64) == pytest.approx(total, rel=1e-5)
    assert information.grid == GRID


def test_constant_information_is_spread_evenly() -> None:
    maps = {
        MessageKey("task", "A", level): torch.full((16 // s, 16 // s, 24 // s), 5.0)
        for level, s in ((1, 2), (2, 4))
    }
    information = sum_over_levels(maps, subtask="task", auxiliary="A", box=WHOLE)
    assert np.allclose(information.array, 5 / 8 + 5 / 64)


def test_attention_is_the_mean_over_levels() -> None:
    maps = {
        MessageKey("task", "A", level): torch.full((16 // s, 16 // s, 24 // s), value)
        for level, s, value in ((1, 2, 0.2), (2, 4, 0.4), (3, 8, 0.9))
    }
    shown = mean_over_levels(maps, subtask="task", auxiliary="A", box=WHOLE)
    assert np.allclose(shown.array, 0.5)


def test_attention_is_0_in_the_air_of_its_own_auxiliary_also_where_the_box_leaves_the_grid() -> (
    None
):
    task = load_task("pet-ct-mr")
    name = task.subtasks[0].name
    size = (24, 16, 24)  # the box begins 4 slices before the grid and ends 4 behind it
    attention = {
        MessageKey(name, auxiliary, 1): torch.full(tuple(n // 2 for n in size), 0.75)
        for auxiliary in ("CT", "T1")
    }
    bodies = {name: np.zeros(GRID.array_shape, bool) for name in ("CT", "T1")}
    bodies["CT"][3:10, 2:9, 5:20] = True
    bodies["T1"][8:, :, :] = True
    box = WindowBox((-4, 0, 0), size, GRID)
    output = WindowedOutput({}, attention, {})
    shown = {
        m.key.auxiliary: m for m in attention_maps(output, OutputSpace(box, GRID, task, bodies))
    }
    for auxiliary, body in bodies.items():
        np.testing.assert_allclose(
            shown[auxiliary].volume.array, np.where(body, 0.75, 0.0), atol=1e-6
        )


def test_one_level_is_enlarged_trilinearly() -> None:
    maps = {MessageKey("task", "A", 2): level_maps()[MessageKey("task", "A", 2)]}
    shown = mean_over_levels(maps, subtask="task", auxiliary="A", box=WHOLE)
    (values,) = maps.values()
    expected = F.interpolate(values[None, None], scale_factor=4, mode="trilinear")[0, 0]
    assert np.allclose(shown.array, expected.numpy(), atol=1e-6)


def test_only_the_asked_auxiliary_counts() -> None:
    maps = level_maps()
    silent = {k: v * (k.auxiliary == "A") for k, v in maps.items()}
    assert not sum_over_levels(silent, subtask="task", auxiliary="B", box=WHOLE).array.any()


def test_a_box_beyond_the_grid_shows_what_lies_on_the_grid() -> None:
    box = WindowBox((-8, 4, 16), (16, 16, 16), GRID)
    array = np.random.default_rng(0).random(GRID.array_shape, dtype=np.float32)
    cut = box.cut(array)
    assert cut.shape == (16, 16, 16)
    assert np.array_equal(cut[8:, :12, :8], array[:8, 4:, 16:])
    assert cut.sum(dtype=np.float64) == pytest.approx(array[:8, 4:, 16:].sum(dtype=np.float64))
    assert box.visible_grid == Grid((8, 12, 8), GRID.spacing_mm, (12.0, 11.0, 8.0), IDENTITY)


OTHER_GRIDS = {
    "finer": Grid((60, 40, 40), (0.8, 0.8, 0.8), (-20.6, 2.4, 7.4), IDENTITY),
    "coarser": Grid((12, 8, 4), (4.0, 4.0, 8.0), (-19.0, 4.0, 11.0), IDENTITY),
    "flipped": Grid(
        (24, 16, 16), (2.0, 2.0, 2.0), (26.0, 33.0, 8.0), (-1, 0, 0, 0, -1, 0, 0, 0, 1)
    ),
}


@pytest.mark.parametrize("name", OTHER_GRIDS)
def test_information_keeps_its_total_on_every_grid(name: str) -> None:
    rng = np.random.default_rng(0)
    information = Volume(rng.random(GRID.array_shape, dtype=np.float32), GRID)
    moved = information_on_output_grid(information, OTHER_GRIDS[name])
    assert moved.array.sum(dtype=np.float64) == pytest.approx(
        information.array.sum(dtype=np.float64), rel=1e-5
    )
    density = moved.array.mean() / np.prod(OTHER_GRIDS[name].spacing_mm)
    assert density == pytest.approx(information.array.mean() / 8, rel=0.02)


def test_a_flip_of_the_grid_flips_the_map_exactly() -> None:
    values = np.random.default_rng(0).random(GRID.array_shape, dtype=np.float32)
    moved = information_on_output_grid(Volume(values, GRID), OTHER_GRIDS["flipped"])
    assert np.allclose(moved.array, values[:, ::-1, ::-1], rtol=1e-5)


def test_a_constant_map_stays_constant_where_it_lies() -> None:
    ones = Volume(np.ones(GRID.array_shape, dtype=np.float32), GRID)
    assert np.allclose(on_output_grid(ones, OTHER_GRIDS["coarser"]).array, 1)
    far = Grid((4, 4, 4), (2.0, 2.0, 2.0), (500.0, 0.0, 0.0), IDENTITY)
    assert not on_output_grid(ones, far).array.any()


def test_silence_stays_silence() -> None:
    nothing = Volume(np.zeros(GRID.array_shape, dtype=np.float32), GRID)
    assert not information_on_output_grid(nothing, OTHER_GRIDS["finer"]).array.any()


def body(low: tuple[int, int, int], high: tuple[int, int, int]) -> np.ndarray:
    mask = np.zeros((60, 60, 60), dtype=bool)
    mask[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = True
    return mask


BIG = Grid((60, 60, 60), (2.0, 2.0, 2.0), (0.0, 0.0, 0.0), IDENTITY)


def test_the_box_holds_all_bodies_with_a_margin_in_whole_strides() -> None:
    bodies = [body((10, 20, 20), (30, 40, 30)), body((25, 20, 20), (35, 30, 44))]
    box = body_box(bodies, BIG).fitted(window=(16, 16, 16), stride=(8, 8, 4))
    low, high = np.array([10, 20, 20]) - 4, np.array([35, 40, 44]) + 4  # 8 mm are 4 voxels
    assert all(np.array(box.start) <= low)
    assert all(np.array(box.start) + box.size >= high)
    assert all(np.array(box.size) % [8, 8, 4] == 0)
    assert all(np.array(box.size) < high - low + [8, 8, 4])


def test_the_box_moves_with_the_body() -> None:
    window, stride = (32,) * 3, (8,) * 3
    first = body_box([body((10, 12, 14), (25, 27, 33))], BIG)
    second = body_box([body((13, 10, 19), (28, 25, 38))], BIG)
    here, there = (box.fitted(window=window, stride=stride) for box in (first, second))
    assert here.size == there.size
    assert np.array_equal(np.array(there.start) - here.start, [3, -2, 5])


def test_the_box_is_at_least_a_window_and_centered_on_the_body() -> None:
    box = body_box([body((28, 28, 28), (32, 32, 32))], BIG).fitted(
        window=(48,) * 3, stride=(16,) * 3
    )
    assert box.size == (48, 48, 48)
    assert box.start == (6, 6, 6)


def test_without_any_body_the_whole_grid_is_looked_at() -> None:
    box = body_box([np.zeros((60, 60, 60), bool)], BIG).fitted(window=(16,) * 3, stride=(8,) * 3)
    assert all(np.array(box.start) <= 0)
    assert all(np.array(box.start) + box.size >= 60)


def test_entropy_follows_its_formula() -> None:
    p = np.array([0.0, 1e-3, 0.25, 0.5, 0.9, 1.0], dtype=np.float32)
    q = p[1:-1].astype(np.float64)
    expected = [0, *(-(q * np.log(q) + (1 - q) * np.log(1 - q))), 0]
    assert np.allclose(predictive_entropy(p), expected, atol=1e-6)
    assert predictive_entropy(p).max() == pytest.approx(np.log(2))
