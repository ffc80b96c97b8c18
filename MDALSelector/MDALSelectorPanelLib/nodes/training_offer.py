"""When it is time to train: enough labels that no model was trained on. Must not import Qt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from slicer.i18n import tr as _

from MultimodalImagingLib.record.case_states import CaseState, CaseStates
from MultimodalImagingLib.record.rounds import Round

# A training takes minutes to hours, so it is not offered for every label.
OFFERED_AFTER = 5


def newLabels(
    rows: Iterable[tuple[str, CaseState]], states: CaseStates, rounds: Sequence[Round]
) -> int:
    """Count the labels for training that the last round did not have.

    Args:
        rows: The cases of the cohort with their states.
        states: The record; its cases for testing are never trained on.
        rounds: The rounds of the cohort, in their order.
    """
    trained = rounds[-1].labels if rounds else ()
    return sum(
        state is CaseState.LABELLED and case not in states.evaluation and case not in trained
        for case, state in rows
    )


def trainingOffer(nNew: int, rounds: Sequence[Round]) -> str:
    """Offer a training, a sentence; empty if there are few new labels."""
    if nNew < OFFERED_AFTER:
        return ""
    text = _("{n} labels are new since round {number}: Train and segment the rest uses them.")
    if not rounds:
        text = _("{n} labels are there to train on: Train and segment the rest uses them.")
    return text.format(n=nNew, number=rounds[-1].number if rounds else 0)
