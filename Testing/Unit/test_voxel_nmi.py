from __future__ import annotations

from collections import Counter
from math import log
from pathlib import Path

import numpy as np
import pytest

from MDALSelectorLib.estimation.features import (
    cohort_voxel_nmi,
    normalized_mutual_information,
    pair_scores,
)
from MultimodalImagingLib.cohorts.cohort import find_cohort
from MultimodalImagingLib.images.geometry import Grid
from MultimodalImagingLib.jobs.progress import NullReporter
from MultimodalImagingLib.preparation.prepared_case import PreparedCase
from MultimodalImagingLib.preparation.preprocessing import default_spec, prepare_cohort

GRID = Grid((20, 20, 20), (3.0, 3.0, 3.0), (0.0, 0.0, 0.0), tuple(np.eye(3).ravel()))


def case(case_id: str, images: dict[str, np.ndarray]) -> PreparedCase:
    full = np.ones(GRID.array_shape, dtype=bool)
    masks = dict.fromkeys(images, full)
    return PreparedCase(case_id, GRID, images, masks, masks, full)


def field(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=GRID.array_shape).astype(np.float32)


def naive(first: np.ndarray, second: np.ndarray, n_bins: int) -> float:
    def bins(values: np.ndarray) -> list[int]:
        edges = [np.quantile(values, b / n_bins) for b in range(1, n_bins)]
        return [sum(edge < value for edge in edges) for value in values]

    def entropy(counts: Counter) -> float:
        return -sum(c / n * log(c / n) for c in counts.values())

    n = len(first)
    a, b = bins(first), bins(second)
    h_a, h_b = entropy(Counter(a)), entropy(Counter(b))
    joint = Counter(zip(a, b, strict=True))
    bias = (len(joint) - len(set(a)) - len(set(b)) + 1) / (2 * n)
    return 2 * (h_a + h_b - entropy(joint) - bias) / (h_a + h_b)


def test_agrees_with_a_naive_count() -> None:
    generator = np.random.default_rng(0)
    first = generator.normal(size=2000)
    second = 0.8 * first + generator.normal(size=2000)
    result = normalized_mutual_information(first, second, n_bins=8)
    assert result == pytest.approx(naive(first, second, 8), abs=1e-12)
    assert 0.05 < result < 0.5


def test_identical_images_share_everything() -> None:
    values = np.random.default_rng(1).normal(size=5000)
    assert normalized_mutual_information(values, values) == pytest.approx(1.0)
    assert normalized_mutual_information(values, -3 * values + 1) == pytest.approx(1.0)


@pytest.mark.parametrize("n_samples", [2000, 20_000, 200_000])
def test_independent_images_share_nothing_however_few_voxels_there_are(n_samples: int) -> None:
    generator = np.random.default_rng(2)
    first, second = generator.normal(size=(2, n_samples))
    assert normalized_mutual_information(first, second) < 0.02


def test_gaussian_pairs_reach_their_closed_form() -> None:
    generator = np.random.default_rng(3)
    correlation = 0.8
    first, noise = generator.normal(size=(2, 400_000))
    second = correlation * first + np.sqrt(1 - correlation**2) * noise
    expected = -0.5 * log(1 - correlation**2) / log(32)
    result = normalized_mutual_information(first, second)
    assert result == pytest.approx(expected, rel=0.05)


def test_is_symmetric_and_ignores_increasing_maps_of_the_intensities() -> None:
    generator = np.random.default_rng(4)
    first = generator.normal(size=3000)
    second = first + generator.normal(size=3000)
    result = normalized_mutual_information(first, second)
    assert normalized_mutual_information(second, first) == pytest.approx(result, abs=1e-12)
    assert normalized_mutual_information(np.exp(first), second) == pytest.approx(result, abs=1e-9)


def test_a_constant_image_shares_nothing() -> None:
    values = np.random.default_rng(5).normal(size=2000)
    assert normalized_mutual_information(values, np.zeros(2000)) == 0.0


def test_missing_modalities_are_nan_and_do_not_move_the_mean() -> None:
    cases = []
    for index in range(6):
        base = field(index)
        noise = [(0.3 + 0.2 * index) * field(100 + 10 * index + m) for m in range(3)]
        images = {name: base + noise[m] for m, name in enumerate(("CT", "PET", "T1"))}
        if index == 2:
            del images["PET"]
        cases.append(case(f"case-{index}", images))
    cases.append(case("alone", {"T1": field(7)}))
    modalities = ("CT", "PET", "T1")
    pairs = pair_scores(cases, modalities)
    assert np.isnan(pairs[2]).tolist() == [True, False, True]
    assert np.isnan(pairs[6]).all()
    assert np.isfinite(pairs[[0, 1, 3, 4, 5]]).all()
    mean = cohort_voxel_nmi(cases, modalities)
    assert np.isnan(mean).tolist() == [False] * 6 + [True]
    assert (np.diff(mean[:6]) < 0).all()


def test_only_voxels_of_the_joint_body_count() -> None:
    first, second = field(0), field(1)
    body = np.zeros(GRID.array_shape, dtype=bool)
    body[5:15, 3:17, 3:17] = True
    second[~body] = first[~body]
    masked = case("masked", {"A": first, "B": second})
    masks = {"A": masked.coverage["A"], "B": masked.coverage["B"]}
    masked = PreparedCase("masked", GRID, masked.images, masks, masks, body)
    assert pair_scores([masked], ("A", "B"))[0, 0] < 0.02
    whole = PreparedCase("whole", GRID, masked.images, masks, masks, masks["A"])
    assert pair_scores([whole], ("A", "B"))[0, 0] > 0.2


@pytest.mark.cohort
def test_sequences_of_one_brain_share_more_than_those_of_two(
    real_cohorts: Path, tmp_path: Path
) -> None:
    found = find_cohort(real_cohorts / "ms3")
    cases = list(
        prepare_cohort(found, default_spec(found), cache=tmp_path, reporter=NullReporter())
    )
    own = pair_scores(cases, ("T1", "T2"))[:, 0]
    swapped = [
        PreparedCase(
            a.case_id,
            a.grid,
            {"T1": a.images["T1"], "T2": b.images["T2"]},
            a.coverage,
            a.bodies,
            a.body,
        )
        for a, b in zip(cases, cases[1:] + cases[:1], strict=True)
    ]
    assert (own > pair_scores(swapped, ("T1", "T2"))[:, 0]).all()
