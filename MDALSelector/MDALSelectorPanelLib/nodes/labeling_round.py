"""How far a round of labeling is, and when it is time to train. Must not import Qt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from slicer.i18n import tr as _

from MultimodalImagingLib.record.case_states import CaseState, CaseStates
from MultimodalImagingLib.record.rounds import Round as TrainedRound
from MultimodalSlicerLib.plurals import byNumber

# A training takes minutes to hours, so it is not offered for every label.
OFFERED_AFTER = 5


@dataclass(frozen=True)
class Round:
    """How far the labeling of the suggested cases is.

    Attributes:
        nCases: Number of cases.
        nLabelled: Of these, labeled ones.
        nSkipped: Of these, skipped ones.
        meanLooking_s: Seconds that a label took on average; `None` if that is not known.
        isSelected: Whether a selection has suggested them; else it is the whole cohort.
        nNew: Labels of the cohort for training that the last training did not have.
        trained: Number of the round of the last training; 0 before the first.
    """

    nCases: int
    nLabelled: int
    nSkipped: int
    meanLooking_s: float | None
    isSelected: bool
    nNew: int = 0
    trained: int = 0

    @property
    def isOver(self) -> bool:
        """Whether nothing is left to be done."""
        return self.nCases > 0 and self.nLabelled + self.nSkipped >= self.nCases


def roundText(done: Round, *, isClassified: bool = False) -> str:
    """Say how far the labeling is, and what is next.

    Args:
        done: How far it is.
        isClassified: Whether the cases get classes, which selections learn from.
    """
    if done.isOver:
        return endText(done, isClassified=isClassified)
    text = byNumber(done.nCases, _("{n} of {all} case labeled"), _("{n} of {all} cases labeled"))
    if done.isSelected:
        text = _("{n} of {all} labeled in this round")
    parts = [text.format(n=done.nLabelled, all=done.nCases)]
    if done.nSkipped:
        parts.append(_("{n} skipped").format(n=done.nSkipped))
    if done.meanLooking_s is not None:
        parts.append(_("{time} on average").format(time=durationText(done.meanLooking_s)))
    sentence = _("{text}.").format(text=", ".join(parts))
    offer = "" if isClassified else trainingOffer(done)
    return " ".join(filter(None, (sentence, offer)))


def endText(done: Round, *, isClassified: bool = False) -> str:
    """Say what was done, and what is next."""
    text = _("All {all} are done: {n} labeled, {skipped} skipped.")
    if not done.isSelected:
        text = _("All {all} cases of the cohort are done: {n} labeled, {skipped} skipped.")
    text = text.format(all=done.nCases, n=done.nLabelled, skipped=done.nSkipped)
    return " ".join(filter(None, (text, _nextStep(done, isClassified=isClassified))))


def _nextStep(done: Round, *, isClassified: bool) -> str:
    """Say what comes after the last case; empty if nothing does."""
    if isClassified or (done.trained and not done.nNew):
        return _("Next: press Start for the next selection.") if done.isSelected else ""
    if not done.isSelected:
        return _("Next: train on them in Multimodal Segmentation (CIML).")
    return _(
        "Next: train on them in Multimodal Segmentation (CIML), then press Start for the next"
        " selection."
    )


def durationText(seconds: float) -> str:
    """Write a duration in minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes:
        return _("{m} min {s} s").format(m=minutes, s=rest)
    return _("{s} s").format(s=rest)


def newLabels(
    now: Mapping[str, CaseState], states: CaseStates, rounds: Sequence[TrainedRound]
) -> int:
    """Count the labels for training that the last round did not have.

    Args:
        now: State per case of the cohort.
        states: The record; its cases for testing are never trained on.
        rounds: The rounds of the cohort, in their order.
    """
    trained = frozenset(rounds[-1].labels if rounds else ())
    return sum(
        state is CaseState.LABELLED and case not in states.evaluation and case not in trained
        for case, state in now.items()
    )


def trainingOffer(done: Round) -> str:
    """Offer a training, a sentence; empty if there are few new labels."""
    if done.nNew < OFFERED_AFTER:
        return ""
    text = _("{n} labels are new since round {number}: Train and segment the rest uses them.")
    if not done.trained:
        text = _("{n} labels are there to train on: Train and segment the rest uses them.")
    return text.format(n=done.nNew, number=done.trained)
