from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from example_selection import PAIRS, write_example_run
from textured_cases import ball, texture, textured_case

from MDALSelectorLib.estimation.config import CrossFitConfig, LocalConfig
from MDALSelectorLib.estimation.cross_fitting import plan_cross_fit
from MDALSelectorLib.estimation.local_estimator import local_estimates
from MDALSelectorLib.estimation.local_maps import local_pmi_maps
from MDALSelectorLib.estimation.local_samples import sample_cohort
from MDALSelectorLib.estimation.pair_estimate import least_agreement
from MDALSelectorLib.estimation.position_critics import PositionCritics
from MDALSelectorLib.estimation.position_sheet import LocalEstimates
from MDALSelectorLib.report import pmi_maps
from MDALSelectorLib.report.map_files import map_files, mean_difference, read_disagreement
from MDALSelectorLib.report.shown_slice import least_fitting_position, least_fitting_slice
from MDALSelectorLib.report.thumbnails import case_strip, mapped_strip
from MDALSelectorLib.selection.critic_tensors import critic_tensors, critics_of
from MDALSelectorLib.selection.run_folder import LOG_NAME, map_names, map_places, remove_pictures
from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.images.geometry import Grid, Volume, is_same_grid
from MultimodalImagingLib.images.volume_io import write_volume
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
def learned(cases: list[PreparedCase]) -> LocalEstimates:
    samples = sample_cohort(cases, KINDS, blurs=[{}] * N, n_places=600)
    plan = plan_cross_fit([c.case_id for c in cases], config=CrossFitConfig(4, 1), seed=0)
    config = LocalConfig(n_places=600, n_shuffles=1, n_reliability_splits=0)
    return local_estimates(samples, [PAIR], plan=plan, config=config)


def maps_of(case: PreparedCase, row: int, critics: PositionCritics) -> np.ndarray:
    return local_pmi_maps(case, row=row, critics=critics, kinds=KINDS, blurs={})[PAIR]


def test_a_map_is_low_where_the_modalities_do_not_belong_together(
    cases: list[PreparedCase], learned: LocalEstimates
) -> None:
    values = maps_of(cases[5], 5, learned.critics)
    assert np.array_equal(np.isfinite(values), ball(24, 9.0))
    assert np.nanmedian(values[17:]) < np.nanmedian(values[:13]) - 0.5


def test_the_score_of_a_case_is_the_mean_of_its_map(
    cases: list[PreparedCase], learned: LocalEstimates
) -> None:
    for row in (0, 5, 11):
        values = maps_of(cases[row], row, learned.critics)
        assert np.nanmean(values) == pytest.approx(learned.estimates[0].pmi[row], abs=0.1)


def test_a_part_that_does_not_fit_shows_in_the_least_agreement_of_a_case(
    cases: list[PreparedCase], learned: LocalEstimates
) -> None:
    low = learned.estimates[0].low_pmi
    assert low is not None
    assert int(np.argmin(low)) == 5
    for row in (0, 5, 11):
        values = maps_of(cases[row], row, learned.critics)
        assert np.nanpercentile(values, 5) == pytest.approx(low[row], abs=0.3)
    assert low[5] < learned.estimates[0].pmi[5] - 1.0


def test_pairs_that_do_not_count_are_not_in_the_least_agreement(learned: LocalEstimates) -> None:
    (known,) = learned.estimates
    assert known.low_pmi is not None
    other = replace(known, pair=("a", "c"), low_pmi=known.low_pmi - 2.0, case_index=np.arange(N))
    of_both = least_agreement([known, other], [PAIR, ("a", "c")], n_cases=N + 1)
    np.testing.assert_allclose(of_both[:N], known.low_pmi - 1.0)
    assert np.isnan(of_both[N])
    of_one = least_agreement([known, other], [PAIR], n_cases=N)
    np.testing.assert_array_equal(of_one, known.low_pmi)
    whole = replace(known, low_pmi=None)
    assert np.isnan(least_agreement([whole], [PAIR], n_cases=N)).all()


def test_a_case_of_one_modality_has_no_map(
    cases: list[PreparedCase], learned: LocalEstimates
) -> None:
    alone = replace(cases[0], images={"a": cases[0].images["a"]})
    assert local_pmi_maps(alone, row=0, critics=learned.critics, kinds=KINDS, blurs={}) == {}


def test_critics_come_back_from_their_tensors(
    cases: list[PreparedCase], learned: LocalEstimates
) -> None:
    tensors = critic_tensors(learned.critics, ["a", "b"], [PAIR])
    back = critics_of(tensors, ["a", "b"], [PAIR])
    assert back is not None
    one, two = (maps_of(cases[3], 3, critics) for critics in (learned.critics, back))
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


def test_maps_are_found_by_pair_though_only_some_pairs_count(
    cases: list[PreparedCase],
    learned: LocalEstimates,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first pair of the run was not learned: its number stays free."""
    monkeypatch.setattr(pmi_maps, "case_blurs", lambda *_: {})
    selection = write_example_run(tmp_path)
    case = selection.suggested[0]
    prepared = SimpleNamespace(case_ids=(cases[5].case_id,) * 6, spec=SimpleNamespace(kinds=KINDS))
    places = map_places(str(case.thumbnail), [("z", "a"), PAIR])
    made = pmi_maps.PMIMaps(
        tmp_path, prepared, learned.critics, {PAIR: 1.0}, {cases[5].case_id: places}
    )
    monkeypatch.setattr(pmi_maps, "local_pmi_maps", lambda case, **_: {PAIR: case.images["a"]})
    below = made.disagreement(cases[5])
    file = tmp_path / places[PAIR]
    assert file.name == "pmi_2_a_b.nii.gz"
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    assert below is not None
    back, grid = read_disagreement({PAIR: file}, {PAIR: 1.0})
    assert np.allclose(back, below, atol=1e-6)
    assert is_same_grid(grid, cases[5].grid)


def test_a_run_knows_its_maps_again_and_takes_them_away(tmp_path: Path) -> None:
    selection = write_example_run(tmp_path)
    (tmp_path / LOG_NAME).write_text('{"time_s": 0.0, "event": "info"}\n', encoding="utf-8")
    case, unmapped = selection.suggested[0], selection.cases[-1]
    place = map_places(str(case.thumbnail), selection.pairs)[PAIRS[2]]
    (tmp_path / place).parent.mkdir(parents=True)
    grid = Grid((4, 4, 4), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0))
    write_volume(tmp_path / place, Volume(np.ones((4, 4, 4), dtype=np.float32), grid))
    assert map_files(tmp_path, selection, case.case_id) == {PAIRS[2]: tmp_path / place}
    assert map_files(tmp_path, selection, unmapped.case_id) == {}
    assert map_files(tmp_path, selection, "no case") == {}
    remove_pictures(tmp_path)
    assert not (tmp_path / place).exists()


def test_where_modalities_fit_is_read_with_nothing_outside_of_the_body(tmp_path: Path) -> None:
    grid = Grid((3, 2, 2), (2.0, 2.0, 2.0), (0.0, 0.0, 0.0), (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0))
    values = np.zeros((2, 2, 3), dtype=np.float32)
    values[0, 0] = [0.0, 0.5, -2.0]
    files = {("a", "b"): tmp_path / "ab.nii.gz", ("a", "c"): tmp_path / "ac.nii.gz"}
    write_volume(files["a", "b"], Volume(values, grid))
    write_volume(files["a", "c"], Volume(values + (values != 0), grid))
    found, _ = read_disagreement(files, {("a", "b"): 1.0, ("a", "c"): 1.0})
    assert found[0, 0, 1:].tolist() == [0.0, 2.5]
    assert np.isnan(found).sum() == 10
    other = Grid((3, 2, 2), (2.0, 2.0, 3.0), (0.0, 0.0, 0.0), grid.direction)
    write_volume(files["a", "c"], Volume(values, other))
    with pytest.raises(CohortError, match="run the selection again"):
        read_disagreement(files, {("a", "b"): 1.0, ("a", "c"): 1.0})


def test_the_place_of_least_fit_is_a_region_and_no_single_position() -> None:
    disagreement = np.full((3, 20, 20), -1.0, dtype=np.float32)
    disagreement[1, 4, 15] = 2.9  # noise
    disagreement[1, 10:14, 4:8] = 2.0
    disagreement[1, 0] = np.nan
    k, j, i = least_fitting_position(disagreement)
    assert k == 1
    assert (10 <= j < 14, 4 <= i < 8) == (True, True)
    corner = np.full((1, 6, 6), np.nan, dtype=np.float32)
    corner[0, 0, 0] = 1.0
    assert least_fitting_position(corner) == (0, 0, 0)
