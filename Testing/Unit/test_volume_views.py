"""Crops of volumes: one place for all modalities, augmentation, and lazy reading."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from MDALSelectorLib.estimation.config import (
    ContrastiveConfig,
    CropConfig,
    CrossFitConfig,
    NormalizationConfig,
)
from MDALSelectorLib.estimation.contrastive_estimator import (
    ContrastiveSettings,
    contrastive_estimates,
)
from MDALSelectorLib.estimation.cross_fitting import plan_cross_fit
from MDALSelectorLib.estimation.volume_views import VolumeViews
from MultimodalImagingLib.images.geometry import Grid
from MultimodalImagingLib.preparation.prepared_case import PreparedCase

PLAIN = CropConfig(gain=0, offset=0, gamma=0, noise=0)
EYE = (1.0, 0, 0, 0, 1, 0, 0, 0, 1)


def make_case(
    index: int, shape: tuple[int, int, int] = (24, 20, 18), *, modalities: str = "ab"
) -> PreparedCase:
    """Return a case whose modality b is twice a plus one, voxel by voxel, in the body."""
    generator = np.random.default_rng(index)
    image = generator.standard_normal(shape).astype(np.float32)
    body = np.zeros(shape, dtype=bool)
    body[3:-2, 2:-2, 1:-1] = True
    images = {"a": image, "b": 2 * image + 1}
    grid = Grid((shape[2], shape[1], shape[0]), (3.0, 3.0, 3.0), (0.0, 0.0, 0.0), EYE)
    return PreparedCase(
        case_id=f"case_{index:03d}",
        grid=grid,
        images={m: images[m] for m in modalities},
        coverage={m: np.ones(shape, dtype=bool) for m in modalities},
        bodies=dict.fromkeys(modalities, body),
        body=body,
    )


def make_views(cases: Sequence[PreparedCase], config: CropConfig = PLAIN) -> VolumeViews:
    return VolumeViews(
        cases,
        available={m: np.array([m in case.images for case in cases]) for m in "ab"},
        config=config,
    )


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_all_modalities_are_cropped_at_the_same_place_and_turned_alike() -> None:
    views = make_views([make_case(i) for i in range(4)])
    drawn = views.sample(np.arange(4), n_views=20, generator=seeded())
    assert drawn["a"].shape == (4, 20, 1, 16, 16, 16)
    torch.testing.assert_close(drawn["b"], 2 * drawn["a"] + 1, rtol=0, atol=0.01)
    assert not torch.equal(drawn["a"][:, 0], drawn["a"][:, 1])


def test_crops_are_turned_and_flipped_in_all_48_ways() -> None:
    cube = make_case(0, (16, 16, 16))
    views = make_views([cube])
    crops = views.sample(np.array([0]), n_views=1500, generator=seeded())["a"][0, :, 0]
    different = {crop.numpy().tobytes() for crop in crops}
    assert len(different) == 48
    for crop in crops[:20]:
        torch.testing.assert_close(crop.sort().values.sum(), crops[0].sum(), rtol=1e-3, atol=0.05)


def test_intensities_are_changed_independently_per_modality_and_view() -> None:
    views = make_views([make_case(0)], CropConfig(gain=0.3, offset=0.3, gamma=0, noise=0))
    drawn = views.sample(np.array([0]), n_views=30, generator=seeded())
    slopes, offsets = [], []
    for one, other in zip(drawn["a"][0], drawn["b"][0], strict=True):
        slope, offset = np.polyfit(one.ravel().numpy(), other.ravel().numpy(), 1)
        slopes.append(slope)
        offsets.append(offset)
    assert np.std(slopes) > 0.2
    assert np.std(offsets) > 0.2


def test_noise_is_added_with_its_own_amplitude() -> None:
    case = make_case(0, (16, 16, 16))
    plain = make_views([case]).sample(np.array([0]), n_views=50, generator=seeded())["a"]
    noisy = make_views([case], CropConfig(gain=0, offset=0, gamma=0, noise=0.5)).sample(
        np.array([0]), n_views=50, generator=seeded()
    )["a"]
    amplitudes = (noisy - plain).std(dim=(2, 3, 4, 5))
    assert float(amplitudes.min()) < 0.1
    assert float(amplitudes.max()) > 0.5


def test_centers_of_training_crops_lie_in_the_body() -> None:
    shape = (40, 40, 40)
    case = make_case(0, shape)
    body = np.zeros(shape, dtype=bool)
    body[28:32, 10:30, 10:30] = True
    image = np.broadcast_to(np.arange(40, dtype=np.float32)[:, None, None], shape).copy()
    marked = PreparedCase(
        case.case_id, case.grid, {"a": image, "b": image}, case.coverage, case.bodies, body
    )
    crops = make_views([marked]).sample(np.array([0]), n_views=50, generator=seeded())["a"]
    middle = crops.mean(dim=(2, 3, 4, 5)) + 0.5
    assert float(middle.min()) >= 28
    assert float(middle.max()) <= 24 + 8


def test_scored_crops_are_the_same_each_time_and_cover_the_body() -> None:
    views = make_views([make_case(i) for i in range(3)])
    first, counts = views.evaluation_views(np.arange(3))
    again, _ = views.evaluation_views(np.arange(3))
    assert first["a"].shape == (3, 27, 1, 16, 16, 16)
    assert counts.shape == (3, 27)
    assert counts.any(axis=1).all()
    torch.testing.assert_close(first["a"], again["a"], rtol=0, atol=0)
    torch.testing.assert_close(first["b"], 2 * first["a"] + 1, rtol=0, atol=0.01)


def test_scored_crops_with_little_body_do_not_count() -> None:
    case = make_case(0, (60, 20, 20))
    body = np.zeros((60, 20, 20), dtype=bool)
    body[:18] = True
    body[58:, :4, :4] = True
    sparse = PreparedCase(case.case_id, case.grid, case.images, case.coverage, case.bodies, body)
    _, counts = make_views([sparse]).evaluation_views(np.array([0]))
    assert 0 < counts.sum() <= 18


def test_a_volume_smaller_than_a_crop_is_padded() -> None:
    views = make_views([make_case(0, (9, 30, 5))])
    drawn = views.sample(np.array([0]), n_views=3, generator=seeded())
    scored, counts = views.evaluation_views(np.array([0]))
    assert drawn["a"].shape == (1, 3, 1, 16, 16, 16)
    assert scored["a"].shape == (1, 27, 1, 16, 16, 16)
    assert counts.any()


def test_a_case_gives_only_the_modalities_that_it_has() -> None:
    views = make_views([make_case(0), make_case(1, modalities="a"), make_case(2)])
    drawn = views.sample(np.array([0, 1, 2]), n_views=2, generator=seeded())
    scored, counts = views.evaluation_views(np.array([1, 2]))
    assert drawn["a"].shape[0] == 3
    assert drawn["b"].shape[0] == 2
    torch.testing.assert_close(drawn["b"][1], 2 * drawn["a"][2] + 1, rtol=0, atol=0.01)
    assert scored["a"].shape[0] == 2
    assert scored["b"].shape[0] == 1
    assert len(counts) == 2


class _CountingCases(Sequence[PreparedCase]):
    """Cases that are made when they are asked for, and counted."""

    def __init__(self, n_cases: int) -> None:
        self._n_cases, self.n_reads = n_cases, 0

    def __len__(self) -> int:
        return self._n_cases

    @overload
    def __getitem__(self, index: int) -> PreparedCase: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[PreparedCase]: ...
    def __getitem__(self, index: int | slice) -> PreparedCase | Sequence[PreparedCase]:
        assert isinstance(index, int)
        self.n_reads += 1
        return make_case(index, (64, 64, 64))


@pytest.mark.parametrize(("memory_mb", "expected"), [(1024, 6), (3, 12)])
def test_cases_are_read_once_if_memory_allows_and_again_if_not(
    memory_mb: int, expected: int
) -> None:
    cases = _CountingCases(6)
    views = VolumeViews(
        cases,
        available={m: np.ones(6, dtype=bool) for m in "ab"},
        config=CropConfig(memory_mb=memory_mb),
    )
    for _ in range(2):
        views.sample(np.arange(6), n_views=1, generator=seeded())
    assert cases.n_reads == expected


def textured_case(index: int, n_cases: int, generator: np.random.Generator) -> PreparedCase:
    """Return blobs; the two modalities of the case share how much room they take, and no blob."""
    share = 0.03 + 0.94 * index / n_cases
    images = {}
    for modality in "ab":
        noise = gaussian_filter(generator.standard_normal((20, 20, 20)), 1.0)
        images[modality] = (noise < np.quantile(noise, share)).astype(np.float32)
    case = make_case(index, (20, 20, 20))
    return PreparedCase(case.case_id, case.grid, images, case.coverage, case.bodies, case.body)


def test_the_estimator_finds_what_volumes_share() -> None:
    generator = np.random.default_rng(0)
    cases = [textured_case(index, 30, generator) for index in range(30)]
    plan = plan_cross_fit([f"p{i}" for i in range(30)], config=CrossFitConfig(n_repeats=1), seed=0)
    training = ContrastiveConfig(max_steps=40, evaluate_every=10, views_per_case=2)
    settings = ContrastiveSettings(training, NormalizationConfig(), torch.device("cpu"))
    config = CropConfig(channels=(8, 16, 16), places_per_axis=2)
    (found,) = contrastive_estimates(
        make_views(cases, config), [("a", "b")], plan=plan, settings=settings
    )
    assert found.bound_nats > 0.5
    assert np.isfinite(found.pmi).all()
