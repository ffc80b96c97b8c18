from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from MDALSelectorLib.estimation.config import CrossFitConfig, GaussianConfig
from MDALSelectorLib.estimation.cross_fitting import plan_cross_fit
from MDALSelectorLib.estimation.features import (
    N_BLOCKS,
    N_FEATURES,
    STATISTICS,
    case_features,
    cohort_features,
)
from MDALSelectorLib.estimation.gaussian_estimator import gaussian_estimates
from MultimodalImagingLib.cohorts.cohort import find_cohort
from MultimodalImagingLib.errors import CancelledError
from MultimodalImagingLib.images.geometry import Grid
from MultimodalImagingLib.jobs.progress import NullReporter
from MultimodalImagingLib.preparation.prepared_case import PreparedCase
from MultimodalImagingLib.preparation.preprocessing import default_spec, prepare_cohort


def case(
    images: dict[str, np.ndarray], body: np.ndarray | None = None, spacing=3.0
) -> PreparedCase:
    shape = next(iter(images.values())).shape
    grid = Grid(shape[::-1], (spacing,) * 3, (0.0, 0.0, 0.0), tuple(np.eye(3).ravel()))
    full = np.ones(shape, dtype=bool)
    masks = dict.fromkeys(images, full)
    return PreparedCase("case", grid, images, masks, masks, full if body is None else body)


def table(vector: np.ndarray) -> dict[str, np.ndarray]:
    cube = vector.reshape(N_BLOCKS, N_BLOCKS, N_BLOCKS, len(STATISTICS))
    return {name: cube[..., index] for index, name in enumerate(STATISTICS)}


def test_blocks_of_a_ramp_have_their_closed_form() -> None:
    ramp = np.broadcast_to(np.arange(30, dtype=np.float32), (20, 25, 30)).copy()
    result = table(case_features(case({"T1": ramp}), "T1"))
    expected = np.array([2.5, 8.5, 14.5, 20.5, 26.5])
    np.testing.assert_allclose(result["mean"], np.broadcast_to(expected, (5, 5, 5)), rtol=1e-6)
    np.testing.assert_allclose(result["p10"], result["mean"] - 2.5, atol=1e-5)
    np.testing.assert_allclose(result["p90"], result["mean"] + 2.5, atol=1e-5)
    np.testing.assert_allclose(result["log_sd"], np.log(np.sqrt(35 / 12) + 0.02), rtol=1e-5)
    np.testing.assert_allclose(result["log_gradient"], np.log(1 / 3 + 0.004), rtol=1e-5)


def test_gradient_is_per_mm_and_not_per_voxel() -> None:
    ramp = np.broadcast_to(np.arange(30, dtype=np.float32), (20, 25, 30)).copy()
    coarse = table(case_features(case({"T1": ramp}, spacing=6.0), "T1"))
    np.testing.assert_allclose(coarse["log_gradient"], np.log(1 / 6 + 0.004), rtol=1e-5)


def test_air_far_from_the_body_does_not_count() -> None:
    generator = np.random.default_rng(0)
    inner = generator.normal(size=(20, 20, 20)).astype(np.float32)
    small = case({"T1": inner})
    image = np.zeros((60, 60, 60), dtype=np.float32)
    image[20:40, 20:40, 20:40] = inner
    body = np.zeros(image.shape, dtype=bool)
    body[23:37, 23:37, 23:37] = True
    large = case({"T1": image}, body)
    mean = [table(case_features(c, "T1"))["mean"] for c in (small, large)]
    np.testing.assert_allclose(mean[0], mean[1], atol=1e-6)


def test_a_missing_modality_is_a_row_of_nan_and_the_rest_is_finite() -> None:
    generator = np.random.default_rng(1)
    both = case({m: generator.normal(size=(9, 8, 7)).astype(np.float32) for m in ("CT", "T1")})
    lone = replace(both, images={"T1": both.images["T1"]})
    result = cohort_features([both, lone], ("CT", "T1"))
    assert result["CT"].shape == (2, N_FEATURES)
    assert result["CT"].dtype == np.float32
    assert np.isnan(result["CT"][1]).all()
    assert np.isfinite(result["CT"][0]).all()
    assert np.isfinite(result["T1"]).all()


@pytest.mark.parametrize("shape", [(4, 4, 4), (4, 60, 5), (3, 7, 100)])
def test_thin_images_give_finite_features(shape: tuple[int, int, int]) -> None:
    image = np.random.default_rng(2).normal(size=shape).astype(np.float32)
    assert np.isfinite(case_features(case({"T1": image}), "T1")).all()


def test_a_case_without_a_body_is_described_by_the_whole_image() -> None:
    image = np.random.default_rng(3).normal(size=(10, 11, 12)).astype(np.float32)
    empty = case({"T1": image}, np.zeros(image.shape, dtype=bool))
    assert np.array_equal(case_features(empty, "T1"), case_features(case({"T1": image}), "T1"))


def test_each_case_is_reported_and_cancelling_stops() -> None:
    class Stop(NullReporter):
        def advance(self, n: int = 1) -> None:
            raise CancelledError

    image = np.random.default_rng(4).normal(size=(8, 8, 8)).astype(np.float32)
    with pytest.raises(CancelledError):
        cohort_features([case({"T1": image})], ("T1",), reporter=Stop())


@pytest.mark.cohort
@pytest.mark.evidence  # twenty seconds, of a real cohort
def test_features_find_the_signal_between_real_modalities(
    real_cohorts: Path, tmp_path: Path
) -> None:
    found = find_cohort(real_cohorts / "sts51")
    cohort = prepare_cohort(found, default_spec(found), cache=tmp_path, reporter=NullReporter())
    features = cohort_features(cohort, cohort.modalities)
    pairs = [("CT", "PET"), ("CT", "T1"), ("PET", "T1")]
    patients = [case.patient_id for case in cohort.cases]
    plan = plan_cross_fit(patients, config=CrossFitConfig(n_repeats=2), seed=0)
    estimates = gaussian_estimates(features, pairs, plan=plan, config=GaussianConfig())
    bounds = [float(np.mean(estimate.repeat_bounds)) for estimate in estimates]
    assert bounds[0] > 1.3
    assert bounds[1] > 1.0
    assert bounds[2] > 0.4
