from __future__ import annotations

from dataclasses import replace

import pytest

from MDALSelectorPanelLib.nodes.labeling_round import Round, newLabels, roundText
from MultimodalImagingLib.record.case_states import CaseState, CaseStates
from MultimodalImagingLib.record.rounds import Round as TrainedRound

AT = "2026-11-30T10:00:00+00:00"
NOW = dict(
    [
        *((f"c{n}", CaseState.LABELLED) for n in range(8)),
        ("c8", CaseState.SUGGESTED),
        ("c9", CaseState.SKIPPED),
    ]
)


def states(evaluation=()):
    return CaseStates({}, 1, evaluation=dict.fromkeys(evaluation, ""))


def test_labels_are_new_that_the_last_round_did_not_have():
    rounds = (
        TrainedRound(1, ("c0",), "m", "i", AT),
        TrainedRound(2, ("c0", "c1", "c2"), "m", "i", AT),
    )
    assert newLabels(NOW, states(), ()) == 8
    assert newLabels(NOW, states(), rounds) == 5


def test_cases_for_testing_are_no_labels_to_train_on():
    assert newLabels(NOW, states(["c6", "c7", "c8"]), ()) == 6


@pytest.mark.parametrize(("n", "isOffered"), [(0, False), (4, False), (5, True), (12, True)])
def test_a_training_is_offered_from_five_new_labels_on(n, isOffered):
    half = Round(24, 12, 0, None, isSelected=True, nNew=n, trained=3)
    offer = f" {n} labels are new since round 3: Train and segment the rest uses them."
    assert roundText(half) == "12 of 24 labeled in this round." + (offer if isOffered else "")
    first = roundText(replace(half, trained=0))
    assert (f"{n} labels are there to train on" in first) is isOffered
    assert roundText(half, isClassified=True) == "12 of 24 labeled in this round."


TRAIN = "Next: train on them in Multimodal Segmentation (CIML)"
START = "press Start for the next selection."


@pytest.mark.parametrize(
    ("nNew", "trained", "isSelected", "isClassified", "then"),
    [
        (11, 0, True, False, f"{TRAIN}, then {START}"),
        (5, 1, True, False, f"{TRAIN}, then {START}"),
        (0, 1, True, False, f"Next: {START}"),  # it was trained on them
        (0, 0, False, False, f"{TRAIN}."),
        (0, 1, False, False, ""),
        (11, 0, True, True, f"Next: {START}"),  # a selection learns from classes by itself
        (11, 0, False, True, ""),
    ],
)
def test_the_end_of_a_round_says_what_is_next_and_offers_nothing_twice(
    nNew, trained, isSelected, isClassified, then
):
    over = Round(12, 11, 1, 60.0, isSelected=isSelected, nNew=nNew, trained=trained)
    all_ = "All 12 are done" if isSelected else "All 12 cases of the cohort are done"
    expected = f"{all_}: 11 labeled, 1 skipped. {then}".strip()
    assert roundText(over, isClassified=isClassified) == expected
