from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from CIMLSegmentLib.task.regions import label_in_air, lost_label, placed_regions
from CIMLSegmentLib.task.task_io import load_task
from MultimodalImagingLib.images.geometry import Grid, Volume

BRATS = load_task("brats")
GRID = Grid((20, 20, 20), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0))


def cube() -> Volume:
    array = np.zeros(GRID.array_shape, np.int32)
    array[5:15, 5:15, 5:15] = 2
    return Volume(array, GRID)


def said(labels: Volume, grid: Grid = GRID) -> str | None:
    return lost_label(placed_regions(labels, grid, BRATS))


@pytest.mark.parametrize(
    ("shift", "share"), [(9.0, None), (10.0, None), (11.0, "60%"), (40.0, "100%")]
)
def test_a_label_that_lies_more_than_half_outside_is_refused(
    shift: float, share: str | None
) -> None:
    text = said(Volume(cube().array, replace(GRID, origin_mm=(shift, 0.0, 0.0))))
    if share is None:
        assert text is None
    else:
        assert text is not None
        assert f"{share} of its 1 ml lie outside of the primary image" in text


def test_a_label_that_the_working_spacing_swallows_is_refused_with_the_spacing() -> None:
    array = np.zeros(GRID.array_shape, np.int32)
    array[::5, ::5, ::5] = 2
    coarse = replace(GRID, size=(4, 4, 4), spacing_mm=(5.0, 5.0, 5.0), origin_mm=(2.0, 2.0, 2.0))
    text = said(Volume(array, GRID), coarse)
    assert text is not None
    assert "100% of its 0.064 ml are lost at the working spacing of 5 x 5 x 5 mm" in text
    assert "smaller --spacing" in text


def test_an_empty_label_has_nothing_to_lose() -> None:
    assert said(Volume(np.zeros(GRID.array_shape, np.int32), GRID)) is None


@pytest.mark.parametrize(("first_slice", "is_told"), [(0, False), (10, False), (11, True)])
def test_a_label_in_the_air_is_told(first_slice: int, is_told: bool) -> None:
    body = np.zeros(GRID.array_shape, bool)
    body[first_slice:] = True
    regions = placed_regions(cube(), GRID, BRATS)
    assert bool(list(label_in_air(regions, body))) == is_told
