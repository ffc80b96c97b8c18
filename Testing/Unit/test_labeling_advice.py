"""Whether to go on labeling: against curves whose numbers are known."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pytest

from MDALSelectorLib.labeling.advice import Advice, RoundDice, advice
from MDALSelectorLib.labeling.curve_picture import curve_picture
from MDALSelectorLib.labeling.effort import labeling_effort
from MDALSelectorLib.labeling.learning_curve import fit_curves
from MultimodalImagingLib.record.case_states import SavedLabel
from MultimodalImagingLib.record.rounds import Round

N = (8, 16, 24, 32)


def dice_of(
    n_labels: Sequence[int], top: float, drop: float, exponent: float, *, n_cases: int = 12
) -> np.ndarray:
    """Dice per round and case; every case lies off the curve by its own constant."""
    offsets = np.linspace(-0.15, 0.15, n_cases)
    return (top - drop * np.array(n_labels, float) ** -exponent)[:, None] + offsets


def rounds(n_labels: Sequence[int], dice: np.ndarray) -> list[Round]:
    return [
        Round(
            number,
            tuple(f"case-{i}" for i in range(n)),
            f"models/round-{number}",
            f"id-{number}",
            "2026-01-01T00:00:00+00:00",
            {f"test-{i}": {"GTV": float(value)} for i, value in enumerate(row)},
        )
        for number, (n, row) in enumerate(zip(n_labels, dice, strict=True), start=1)
    ]


@pytest.mark.parametrize(("top", "drop", "exponent"), [(0.8, 1.0, 0.5), (0.75, 0.6, 0.7)])
def test_the_curve_of_rounds_without_noise_is_found(
    top: float, drop: float, exponent: float
) -> None:
    curves = fit_curves(N, dice_of(N, top, drop, exponent))
    found = (curves.top[0], curves.drop[0], curves.exponent[0])
    assert found == pytest.approx((top, drop, exponent), rel=1e-6)
    ahead = top - drop * 64.0**-exponent
    assert curves.dice(64).value == pytest.approx(ahead)
    now = top - drop * 32.0**-exponent
    assert curves.gain(32).value == pytest.approx(ahead - now)
    needed = (drop / (top - now - 0.01)) ** (1 / exponent) - 32
    assert curves.labels_for(0.01).value == pytest.approx(needed)
    assert curves.gain(32).low < curves.gain(32).value < curves.gain(32).high


def test_a_gain_beyond_the_top_is_never_reached() -> None:
    assert fit_curves(N, dice_of(N, 0.7, 0.5, 1.0)).labels_for(0.5).value == np.inf


def test_no_curve_foretells_a_dice_above_one() -> None:
    curves = fit_curves(N, np.array([0.80, 0.86, 0.91, 0.95])[:, None] + np.zeros(6))
    assert curves.top[0] > 1.0
    assert curves.at(1e6).max() == 1.0
    assert curves.gain(1e6).value == pytest.approx(1 - curves.at(32)[0])
    assert curves.labels_for(0.06).value == np.inf
    assert 0 < curves.labels_for(0.04).value < 32


def test_the_noise_is_what_the_curve_leaves_over_and_at_least_a_point() -> None:
    assert fit_curves(N, dice_of(N, 0.8, 1.0, 0.5)).noise == 0.01
    off = np.array([0.05, -0.05, 0.05, -0.05])[:, None]
    assert fit_curves(N, dice_of(N, 0.6, 0.3, 0.5) + off).noise > 0.04


def test_a_round_without_a_label_of_the_cohort_does_not_count() -> None:
    found = rounds((0, *N), dice_of((1, *N), 0.8, 1.0, 0.5))
    assert [row.n_labels for row in advice(found, n_left=30).rounds] == [*N]
    with pytest.raises(ValueError, match="from 1 on"):
        fit_curves((0, 8, 16), dice_of((1, 8, 16), 0.8, 1.0, 0.5))


def test_with_nothing_left_to_label_nothing_is_foretold() -> None:
    found = advice(rounds(N, dice_of(N, 0.9, 1.5, 0.5)), n_left=0)
    assert found.sentence.startswith("No case is left to label:")
    assert found.curves is not None


def test_the_same_rounds_give_the_same_interval() -> None:
    first, second = (fit_curves(N, dice_of(N, 0.8, 1.0, 0.5)).gain(8) for _ in range(2))
    assert first == second


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(4)
    truth = 0.75 - 0.5 * np.array([*N, 40.0]) ** -0.7
    hits = 0
    for _ in range(60):
        noise = generator.normal(0, 0.05, (4, 10)) + generator.normal(0, 0.01, (4, 1))
        seen = truth[:4, None] + generator.normal(0, 0.12, 10) + noise
        gain = fit_curves(N, seen).gain(8)
        hits += gain.low <= truth[4] - truth[3] <= gain.high
    assert hits >= 48


def test_a_steep_curve_says_go_on_with_the_number_of_labels() -> None:
    found = advice(rounds(N, dice_of(N, 0.9, 1.5, 0.5)), n_left=30)
    assert not found.may_stop
    assert found.sentence.startswith("It is worth to go on. About 3 more labels for +1 point (90 %")
    assert [row.n_labels for row in found.rounds] == [*N]


@pytest.mark.parametrize("slope", [0.0, -0.02])
def test_a_flat_or_falling_curve_says_that_it_may_be_time_to_stop(slope: float) -> None:
    dice = dice_of(N, 0.7, 0.0, 1.0) + slope * np.arange(4)[:, None]
    found = advice(rounds(N, dice), n_left=30)
    assert found.may_stop
    assert found.sentence.startswith(
        "It may be time to stop: 8 more labels change the mean Dice by"
    )
    assert "includes no gain" in found.sentence


@pytest.mark.parametrize(("n_rounds", "words"), [(0, "are none"), (1, "is 1"), (2, "are 2")])
def test_fewer_than_three_rounds_give_no_extrapolation(n_rounds: int, words: str) -> None:
    found = advice(rounds(N[:n_rounds], dice_of(N[:n_rounds], 0.8, 1.0, 0.5)), n_left=30)
    assert found.curves is None
    assert found.sentence.startswith("No extrapolation is possible yet")
    assert f"there {words}." in found.sentence


def test_rounds_are_compared_on_the_cases_that_all_have() -> None:
    found = rounds(N, dice_of(N, 0.8, 1.0, 0.5, n_cases=9))
    del found[2].evaluation["test-0"]  # type: ignore[attr-defined]
    found[1].evaluation["test-1"]["GTV"] = None  # type: ignore[index]
    table = advice(found, n_left=30).rounds
    assert {row.n_cases for row in table} == {7}
    for case in ("test-2", "test-3", "test-4"):
        del found[0].evaluation[case]  # type: ignore[attr-defined]
    assert "have 4 evaluation cases in common" in advice(found, n_left=30).sentence


def test_of_rounds_with_as_many_labels_the_last_counts() -> None:
    dice = dice_of((8, 8, 16, 24), 0.8, 1.0, 0.5)
    dice[0] = 0.1
    found = advice(rounds((8, 8, 16, 24), dice), n_left=30)
    assert [row.number for row in found.rounds] == [2, 3, 4]


def saved(number: int, **facts: object) -> SavedLabel:
    place = f"labels/{number}/ab.seg.nrrd"
    known = {"case_id": str(number), "reader": "ab", "path": place, "sha256": "", "at": ""}
    return SavedLabel(**{**known, **facts})  # type: ignore[arg-type]


def test_minutes_with_and_without_a_draft_and_what_was_changed() -> None:
    found = labeling_effort(
        [
            saved(1, looking_s=120.0, drawing_s=60.0),
            saved(2, looking_s=240.0, drawing_s=180.0),
            saved(3, looking_s=60.0, drawing_s=30.0, began="m", changed_voxels=0, draft_dice=1.0),
            saved(4, began="m", changed_voxels=500, draft_dice=0.9),
            saved(5, looking_s=9000.0, is_blinded=True),
            saved(6, looking_s=9000.0, reader="consensus"),
        ]
    )
    assert found.sentences == (
        "1.0 min per case with a draft (30 s of drawing; 1 timed).",
        "3.0 min per case without one (2.0 min of drawing; 2 timed).",
        "Of a draft, 250 voxels were changed (median of 2; Dice of draft and label 0.950; 1 saved"
        " unchanged).",
    )
    assert labeling_effort([]).sentences == ()


def test_the_picture_makes_no_more_of_a_small_difference_than_it_is() -> None:
    rows = (RoundDice(1, 5, 8, 0.175), RoundDice(2, 10, 8, 0.177))
    picture = curve_picture(Advice("", rows))
    heights = [float(text) for text in re.findall(r'cy="([0-9.]+)"', picture)]
    assert 0 < heights[0] - heights[1] < 10  # pixels, of 296
    assert ">0.18<" in picture
