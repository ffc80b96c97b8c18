"""Shifts of more than 24 mm: told with sign and mm, and only where enough is left to judge."""

from __future__ import annotations

import numpy as np
import pytest

from MDALSelectorLib.pairing.far_shifts import FarShift, far_shift, far_spectrum

EDGE = 24
FIELD = np.random.default_rng(0).normal(size=(7, *(3 * EDGE,) * 3)).astype(np.float32)
SPACING = (3.0, 3.5, 4.0)


def shifted_by(voxels: tuple[int, int, int], spacing: tuple[float, float, float]) -> FarShift:
    """Look for a shift between two windows of one field, the second's content moved by `voxels`."""
    spectra = []
    for steps in ((0, 0, 0), voxels):
        window = tuple(slice(EDGE - n, 2 * EDGE - n) for n in steps)
        known = np.ones((EDGE,) * 3, dtype=np.float32)
        spectra.append(far_spectrum(FIELD[:, *window], known))
    return far_shift(*spectra, spacing_mm=spacing)


@pytest.mark.parametrize("voxels", [(10, 0, 0), (0, -9, 0), (0, 0, 12), (-7, 6, 0)])
def test_a_far_shift_is_told_with_sign_and_mm(voxels: tuple[int, int, int]) -> None:
    found = shifted_by(voxels, SPACING)
    assert found.agreement > 0.95
    assert found.gain > 0.5
    np.testing.assert_allclose(found.offset_mm, np.array(voxels) * SPACING, atol=1.0)


def test_a_small_shift_is_no_far_one() -> None:
    found = shifted_by((4, 0, 0), SPACING)
    assert found.agreement < 0.5
    assert found.gain < -0.5


@pytest.mark.parametrize(
    ("voxels", "spacing"),
    [((15, 0, 0), (5.4, 5.4, 5.4)), ((15, 15, 0), (3.0, 3.0, 3.0))],
    ids=["beyond 80 mm", "a seventh of the edges left"],
)
def test_shifts_that_cannot_be_judged_are_not_proposed(
    voxels: tuple[int, int, int], spacing: tuple[float, float, float]
) -> None:
    assert shifted_by(voxels, spacing).agreement < 0.5
    nearer = (voxels[0], 0, 0)
    assert shifted_by(nearer, (3.0, 3.0, 3.0)).agreement > 0.95
