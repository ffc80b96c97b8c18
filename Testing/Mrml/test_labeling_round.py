from __future__ import annotations

import pytest

from MDALSelectorPanelLib.nodes.labeling_round import newLabels, trainingOffer
from MultimodalImagingLib.record.case_states import CaseState, CaseStates
from MultimodalImagingLib.record.rounds import Round

AT = "2026-11-30T10:00:00+00:00"
ROWS = [
    *((f"c{n}", CaseState.LABELLED) for n in range(8)),
    ("c8", CaseState.SUGGESTED),
    ("c9", CaseState.SKIPPED),
]


def states(evaluation=()):
    return CaseStates({}, 1, evaluation=dict.fromkeys(evaluation, ""))


def test_labels_are_new_that_the_last_round_did_not_have():
    rounds = (Round(1, ("c0",), "m", "i", AT), Round(2, ("c0", "c1", "c2"), "m", "i", AT))
    assert newLabels(ROWS, states(), ()) == 8
    assert newLabels(ROWS, states(), rounds) == 5


def test_cases_for_testing_are_no_labels_to_train_on():
    assert newLabels(ROWS, states(["c6", "c7", "c8"]), ()) == 6


@pytest.mark.parametrize(("n", "isOffered"), [(0, False), (4, False), (5, True), (12, True)])
def test_a_training_is_offered_from_five_new_labels_on(n, isOffered):
    rounds = (Round(3, ("c0",), "m", "i", AT),)
    expected = f"{n} labels are new since round 3: Train and segment the rest uses them."
    assert trainingOffer(n, rounds) == (expected if isOffered else "")
    assert trainingOffer(n, ()).startswith(f"{n} labels are there to train on") is isOffered
