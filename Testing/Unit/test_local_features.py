from __future__ import annotations

import numpy as np
import pytest
from textured_cases import KINDS, ball, texture, textured_case

from MDALSelectorLib.estimation.local_features import (
    N_FEATURES,
    local_features,
    matching_blur_mm,
)
from MDALSelectorLib.estimation.local_samples import places_in, sample_cohort

MM = (2.0, 2.0, 2.0)
EDGE = 16
BODY = ball(EDGE, 6.0)
IMAGE = texture(np.random.default_rng(0), EDGE)


def naive_average(image: np.ndarray, mask: np.ndarray, at: tuple[int, ...], sigma: float) -> float:
    total = weight = 0.0
    for voxel in zip(*np.nonzero(mask), strict=True):
        steps = np.abs(np.subtract(voxel, at))
        if steps.max() <= int(3 * sigma + 0.5):
            gauss = np.exp(-0.5 * (steps**2).sum() / sigma**2)
            total, weight = total + gauss * image[voxel], weight + gauss
    return total / weight


def test_averages_agree_with_a_naive_sum_over_the_body() -> None:
    found = local_features(IMAGE, BODY, spacing_mm=MM, kind="CT")
    for at in [(8, 8, 8), (8, 8, 3), (4, 6, 9)]:
        for feature, sigma in ((1, 1.0), (2, 2.0)):
            expected = naive_average(IMAGE, BODY, at, sigma)
            assert found[(feature, *at)] == pytest.approx(expected, abs=1e-4)


def test_what_lies_outside_the_body_changes_no_feature_inside() -> None:
    other = np.where(BODY, IMAGE, 50.0).astype(np.float32)
    one, two = (local_features(i, BODY, spacing_mm=MM, kind="CT") for i in (IMAGE, other))
    assert one.shape == (N_FEATURES, *BODY.shape)
    assert np.array_equal(one[:, BODY], two[:, BODY])


def test_widths_are_in_mm_along_every_axis() -> None:
    fine = local_features(IMAGE, np.ones_like(BODY), spacing_mm=(2.0, 2.0, 2.0), kind="CT")
    doubled = np.repeat(IMAGE, 2, axis=0)
    thin = local_features(
        doubled, np.ones(doubled.shape, dtype=bool), spacing_mm=(2.0, 2.0, 1.0), kind="CT"
    )
    widest = 3
    assert np.corrcoef(fine[widest].ravel(), thin[widest, ::2].ravel())[0, 1] > 0.99


def test_the_gradient_of_a_ramp_is_its_slope_per_mm() -> None:
    ramp = np.broadcast_to(np.arange(EDGE, dtype=np.float32) * 3.0, (EDGE,) * 3)
    found = local_features(ramp.copy(), np.ones_like(BODY), spacing_mm=(1.5, 1.5, 1.5), kind="CT")
    assert found[4, 8, 8, 8] == pytest.approx(2.0, rel=1e-3)


@pytest.mark.parametrize("change", [np.exp, lambda v: v**3 + v, lambda v: 900 * v + 40])
def test_no_increasing_change_of_mr_intensities_matters(change) -> None:
    changed = change(IMAGE.astype(np.float64)).astype(np.float32)
    one, two = (local_features(i, BODY, spacing_mm=MM, kind="MR") for i in (IMAGE, changed))
    assert np.allclose(one, two, atol=1e-5)


def test_a_single_slice_and_a_single_voxel_have_features() -> None:
    flat = local_features(IMAGE[:1], np.ones((1, EDGE, EDGE), bool), spacing_mm=MM, kind="MR")
    point = np.zeros_like(BODY)
    point[3, 4, 5] = True
    dot = local_features(IMAGE, point, spacing_mm=MM, kind="CT")
    assert np.isfinite(flat).all()
    assert dot[0, 3, 4, 5] == IMAGE[3, 4, 5]
    assert dot[1, 3, 4, 5] == pytest.approx(IMAGE[3, 4, 5])


def test_the_sharper_modality_is_brought_to_the_coarser_along_each_axis() -> None:
    blurs = matching_blur_mm({"CT": (1.0, 1.0, 5.0), "PET": (4.0, 4.0, 3.0)}, (2.0, 2.0, 2.0))
    assert blurs["CT"] == pytest.approx((12**0.5 / 2.3548, 12**0.5 / 2.3548, 0.0))
    assert blurs["PET"] == pytest.approx((0.0, 0.0, 4.0 / 2.3548))


def test_a_blur_smooths() -> None:
    sharp = local_features(IMAGE, BODY, spacing_mm=MM, kind="CT")
    soft = local_features(IMAGE, BODY, spacing_mm=MM, kind="CT", resolution_mm=(4.0, 4.0, 4.0))
    assert soft[0][BODY].std() < 0.6 * sharp[0][BODY].std()


def test_places_fill_the_box_of_a_body_evenly() -> None:
    body = np.zeros((20, 30, 40), dtype=bool)
    body[2:18, 5:25, 10:20] = True
    voxels = places_in(body, 4000)
    for axis, part in zip(voxels, ((2, 18), (5, 25), (10, 20)), strict=True):
        counts = np.bincount(axis, minlength=part[1])
        assert counts[: part[0]].sum() == 0
        expected = 4000 / (part[1] - part[0])
        assert np.abs(counts[part[0] : part[1]] - expected).max() < 0.1 * expected


def test_a_missing_modality_and_air_count_nowhere() -> None:
    cases = [textured_case("one", seed=1, share=0.5), textured_case("two", seed=2, share=0.5)]
    cases.append(textured_case("three", seed=3, share=0.5, modalities=("a",)))
    kinds = {m: KINDS[m] for m in ("a", "b")}
    samples = sample_cohort(cases, kinds, blurs=[{}] * 3, n_places=500)
    assert samples.available["b"].tolist() == [True, True, False]
    counts = samples.counts(("a", "b"))
    assert counts.sum(axis=1).tolist()[2] == 0
    assert 0.4 < counts[0].mean() < 0.6  # a ball fills 0.52 of its box
