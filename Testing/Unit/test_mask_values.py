from __future__ import annotations

import numpy as np
import pytest

from MultimodalImagingLib.images.arrays import mask_values

NOISE = np.random.default_rng(0)


def ball(value: float, background: float = 0.0) -> np.ndarray:
    z, y, x = np.ogrid[-1:1:32j, -1:1:32j, -1:1:32j]
    return np.where(x * x + y * y + z * z < 0.2, value, background).astype(np.float32)


@pytest.mark.parametrize("value", [1, 255, 4095, 0.5, -1])
def test_two_values_are_a_mask_whatever_they_are(value: float) -> None:
    found = mask_values(ball(value))
    assert found is not None
    assert f"{value:g}" in found


def test_a_label_map_is_no_image() -> None:
    labels = ball(2)
    labels[10:14, 10:14, 10:14] = 4
    labels[12, 12, 12] = 1
    assert mask_values(labels) == "a mask: only the values 0, 1, 2 and 4"


def test_a_lesion_of_one_voxel_is_a_mask_too() -> None:
    lesion = np.zeros((64, 64, 64), np.uint8)
    lesion[1, 2, 3] = 1
    assert mask_values(lesion) == "a mask: only the values 0 and 1"


@pytest.mark.parametrize(
    "array",
    [
        ball(300) + NOISE.normal(size=(32, 32, 32)).astype(np.float32),
        np.round(ball(300) + NOISE.normal(0, 12, (32, 32, 32))).astype(np.int16),
        ball(40, -1000) + np.round(NOISE.normal(0, 4, (32, 32, 32))),
        np.where(ball(1) > 0, np.arange(32) * 1.5, 0.0),
    ],
    ids=["noise", "integers", "CT", "steps"],
)
def test_an_image_is_none(array: np.ndarray) -> None:
    assert mask_values(array) is None


def test_an_image_whose_sample_is_air_only_is_looked_at_wholly() -> None:
    array = np.zeros((64, 64, 64), np.float32)
    array.ravel()[1::97] = np.arange(len(array.ravel()[1::97]))
    assert mask_values(array) is None
