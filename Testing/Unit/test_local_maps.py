from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from textured_cases import ball, texture, textured_case

from MDALSelectorLib.estimation.config import CrossFitConfig, LocalConfig
from MDALSelectorLib.estimation.cross_fitting import plan_cross_fit
from MDALSelectorLib.estimation.local_estimator import LocalCritics, local_estimates
from MDALSelectorLib.estimation.local_maps import local_pmi_maps
from MDALSelectorLib.estimation.local_samples import sample_cohort
from MDALSelectorLib.report.pmi_maps import mean_difference
from MDALSelectorLib.report.shown_slice import least_fitting_slice
from MDALSelectorLib.report.thumbnails import case_strip, mapped_strip
from MDALSelectorLib.selection.critic_tensors import critic_tensors, critics_of
from MDALSelectorLib.selection.run_folder import map_names
from MultimodalImagingLib.preparation.prepared_case import PreparedCase

N, PAIR, KINDS = 20, ("a", "b"), {"a": "CT", "b": "CT"}


def swapped_region(case: PreparedCase) -> PreparedCase:
    """Replace the second modality in the upper third of a ball by another texture."""
    images = dict(case.images)
    other = texture(np.random.default_rng(77), case.body.shape[0])
    images["b"] = np.where(np.arange(24)[:, None, None] >= 15, other, images["b"])
    return replace(case, images=images)


@pytest.fixture(scope="module")
def cases() -> list[PreparedCase]:
    made = [textured_case(f"c{i:02d}", seed=i, share=0.8) for i in range(N)]
    return [*made[:5], swapped_region(made[5]), *made[6:]]


@pytest.fixture(scope="module")
def learned(cases: list[PreparedCase]) -> tuple[LocalCritics, np.ndarray]:
    samples = sample_cohort(cases, KINDS, blurs=[{}] * N, n_places=600)
    plan = plan_cross_fit([c.case_id for c in cases], config=CrossFitConfig(4, 1), seed=0)
    config = LocalConfig(n_places=600, n_shuffles=1, n_reliability_splits=0)
    found = local_estimates(samples, [PAIR], plan=plan, config=config)
    return found.critics, found.estimates[0].pmi


def maps_of(case: PreparedCase, row: int, critics: LocalCritics) -> np.ndarray:
    return local_pmi_maps(case, row=row, critics=critics, kinds=KINDS, blurs={})[PAIR]


def test_a_map_is_low_where_the_modalities_do_not_belong_together(
    cases: list[PreparedCase], learned: tuple[LocalCritics, np.ndarray]
) -> None:
    values = maps_of(cases[5], 5, learned[0])
    assert np.array_equal(np.isfinite(values), ball(24, 9.0))
    assert np.nanmedian(values[17:]) < np.nanmedian(values[:13]) - 0.5


def test_the_score_of_a_case_is_the_mean_of_its_map(
    cases: list[PreparedCase], learned: tuple[LocalCritics, np.ndarray]
) -> None:
    for row in (0, 5, 11):
        values = maps_of(cases[row], row, learned[0])
        assert np.nanmean(values) == pytest.approx(learned[1][row], abs=0.1)


def test_a_case_of_one_modality_has_no_map(
    cases: list[PreparedCase], learned: tuple[LocalCritics, np.ndarray]
) -> None:
    alone = replace(cases[0], images={"a": cases[0].images["a"]})
    assert local_pmi_maps(alone, row=0, critics=learned[0], kinds=KINDS, blurs={}) == {}


def test_critics_come_back_from_their_tensors(
    cases: list[PreparedCase], learned: tuple[LocalCritics, np.ndarray]
) -> None:
    tensors = critic_tensors(learned[0], ["a", "b"], [PAIR])
    back = critics_of(tensors, ["a", "b"], [PAIR])
    assert back is not None
    one, two = (maps_of(cases[3], 3, critics) for critics in (learned[0], back))
    assert one.tobytes() == two.tobytes()
    assert critics_of({}, ["a", "b"], [PAIR]) is None


def test_pairs_are_averaged_where_they_are_known_against_their_own_median() -> None:
    maps = {
        ("a", "b"): np.array([1.0, np.nan, np.nan], dtype=np.float32),
        ("a", "c"): np.array([0.0, 3.0, np.nan], dtype=np.float32),
    }
    found = mean_difference(maps, {("a", "b"): 2.0, ("a", "c"): 2.0})
    assert found is not None
    assert found[:2].tolist() == [1.5, -1.0]
    assert np.isnan(found[2])
    assert mean_difference({}, {}) is None


def test_the_slice_that_fits_least_lies_below_the_informative_one(
    cases: list[PreparedCase],
) -> None:
    body = cases[0].body
    disagreement = np.where(body, np.float32(-1), np.float32(np.nan))
    disagreement[14][body[14]] = 2.0
    disagreement[2][body[2]] = 9.0  # hardly any body there
    assert least_fitting_slice(disagreement) == 14
    strip = mapped_strip(cases[0], disagreement, kinds=KINDS)
    assert strip.shape == (324, 3 * 164 - 4)
    assert strip[164:, -80].max() == round(255 * 2 / 3)
    assert strip[:160, -80].max() == 0  # they fit better than the median there
    plain = case_strip(cases[0], kinds=KINDS)
    assert np.array_equal(strip[:160, : plain.shape[1]], plain)
    crossed_out = mapped_strip(cases[0], None, kinds=KINDS)
    assert crossed_out.shape == (160, 3 * 164 - 4)


def test_files_of_maps_have_names_for_any_disk() -> None:
    names = map_names([("T1/post", "FLAIR"), ("T1:post", "FLAIR")])
    assert list(names.values()) == ["pmi_1_T1-post_FLAIR.nii.gz", "pmi_2_T1-post_FLAIR.nii.gz"]
