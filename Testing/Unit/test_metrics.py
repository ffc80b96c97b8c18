"""Dice and Hausdorff distance against closed forms and a reference without tricks."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from MultimodalImagingLib.images.overlap import ONE_EMPTY_MM, dice, hausdorff95

EMPTY = np.zeros((6, 7, 8), dtype=bool)


def blob(seed: int, threshold: float) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=(12, 13, 14))
    return ndimage.gaussian_filter(noise, 1.5) > threshold


def naive_hausdorff95(first: np.ndarray, second: np.ndarray, spacing: tuple[float, ...]) -> float:
    """All distances between all surface voxels."""

    def surface(mask: np.ndarray) -> np.ndarray:
        padded = np.pad(mask, 1)
        found = []
        for index in np.argwhere(padded):
            neighbors = [index + step for step in (*np.eye(3, dtype=int), *-np.eye(3, dtype=int))]
            if not all(padded[tuple(n)] for n in neighbors):
                found.append((index - 1) * spacing)
        return np.array(found)

    distances = np.linalg.norm(surface(first)[:, None] - surface(second)[None], axis=-1)
    there, back = distances.min(axis=1), distances.min(axis=0)
    return float(max(np.percentile(there, 95), np.percentile(back, 95)))


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (3.0, 1.0, 0.7)])
@pytest.mark.parametrize("seed", range(4))
def test_hausdorff_distance_equals_the_naive_one(
    seed: int, spacing: tuple[float, float, float]
) -> None:
    first, second = blob(seed, 0.05), blob(seed + 100, 0.1)
    found = hausdorff95(first, second, spacing_mm=spacing)
    assert found == pytest.approx(naive_hausdorff95(first, second, spacing), rel=1e-6)
    assert found == hausdorff95(second, first, spacing_mm=spacing)


def test_a_shifted_box_is_as_far_as_it_was_shifted() -> None:
    first, second = EMPTY.copy(), EMPTY.copy()
    first[2:4, 2:4, 1:3], second[2:4, 2:4, 5:7] = True, True
    assert hausdorff95(first, second, spacing_mm=(1, 1, 2.5)) == pytest.approx(10)
    assert dice(first, second) == 0


def test_dice_of_a_half_overlap() -> None:
    first, second = EMPTY.copy(), EMPTY.copy()
    first[0, 0, :4], second[0, 0, 2:6] = True, True
    assert dice(first, second) == pytest.approx(0.5)
    assert dice(first, first) == 1
    assert hausdorff95(first, first, spacing_mm=(1, 1, 1)) == 0


def test_empty_masks_follow_the_brats_rules() -> None:
    full = ~EMPTY
    assert dice(EMPTY, EMPTY) == 1
    assert hausdorff95(EMPTY, EMPTY, spacing_mm=(1, 1, 1)) == 0
    for first, second in ((EMPTY, full), (full, EMPTY)):
        assert dice(first, second) == 0
        assert hausdorff95(first, second, spacing_mm=(1, 1, 1)) == ONE_EMPTY_MM == 373.13
