"""What the record and the user know beside what was estimated: labels, skips, drafts, scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from MDALSelectorLib.case_flags import CHECK_PAIRING, EVALUATION, SKIPPED, with_flags
from MDALSelectorLib.selection.acquisition import with_acquisition
from MDALSelectorLib.selection.cohort_scores import CohortScores
from MDALSelectorLib.selection.config import SelectionConfig
from MDALSelectorLib.strategies import STRATEGIES
from MDALSelectorLib.strategies.pool import EPISTEMIC, SCORE
from MultimodalImagingLib.cohorts.cases import Cohort
from MultimodalImagingLib.cohorts.evaluation_set import EvaluationSet
from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.images.arrays import Float64Array
from MultimodalImagingLib.jobs.progress import Reporter
from MultimodalImagingLib.jobs.texts import counted, listed
from MultimodalImagingLib.record.cohort_record import CaseState, CohortRecord
from MultimodalImagingLib.record.draft_uncertainty import Draft, newest_drafts, read_drafts


@dataclass(frozen=True)
class DraftScores:
    """How uncertain one model was about its drafts.

    Attributes:
        name: Name of the folder of the drafts; empty if there are none.
        model_id: The model; empty if nothing says.
        nats: Uncertainty by case, nats.
    """

    name: str = ""
    model_id: str = ""
    nats: Mapping[str, float] = field(default_factory=dict)

    @property
    def configuration(self) -> dict[str, object]:
        """What the configuration of a run says of them; nothing without drafts."""
        return {"drafts": {"folder": self.name, "model": self.model_id}} if self.nats else {}


@dataclass(frozen=True)
class Knowledge:
    """What is known of a cohort beside its images.

    Attributes:
        labelled: Cases that need no label any more.
        skipped: Why cases are not to be labeled, by case.
        drafts: How uncertain a model was about its drafts.
        confirmed: Cases whose pairing a reader has confirmed.
        held: Cases that are set aside for testing; they are neither suggested nor do they count as
            labeled.
    """

    labelled: frozenset[str] = frozenset()
    skipped: Mapping[str, str] = field(default_factory=dict)
    drafts: DraftScores = field(default_factory=DraftScores)
    confirmed: frozenset[str] = frozenset()
    held: EvaluationSet = field(default_factory=EvaluationSet)


def with_knowledge(
    scores: CohortScores, cohort: Cohort, config: SelectionConfig, known: Knowledge
) -> CohortScores:
    """Add what is known of the cases to what was estimated.

    Raises:
        UsageError: If the column of the user's score, or of a grouping, cannot be used.
    """
    names = frozenset(scores.case_ids)
    column = config.score_column
    own = {} if column is None else {SCORE: score_column(cohort, scores.case_ids, column)}
    if known.drafts.nats:
        nats = [known.drafts.nats.get(name, np.nan) for name in scores.case_ids]
        own[EPISTEMIC] = np.array(nats)
    scores = with_acquisition(scores, cohort, config.within)
    flags = with_flags(scores.flags, CHECK_PAIRING, cohort.duplicates)
    for kind, reasons in ((SKIPPED, known.skipped), (EVALUATION, known.held.reasons)):
        own_reasons = {case: reason for case, reason in reasons.items() if case in names}
        flags = with_flags(flags, kind, own_reasons)
    return replace(
        scores,
        labelled=(known.labelled & names) - known.held.held_out,
        accepted=names & {*config.accepted, *known.confirmed},
        measures={**scores.measures, **own},
        flags=flags,
    )


def skipped_cases(record: CohortRecord) -> dict[str, str]:
    """Return why cases are not to be labeled, by case."""
    entries = record.read_states().entries.items()
    skipped = ((case, entry) for case, entry in entries if entry.state is CaseState.SKIPPED)
    return {case: entry.note or "no reason was given" for case, entry in skipped}


def find_drafts(
    cohort: Cohort, record: CohortRecord, config: SelectionConfig, reporter: Reporter
) -> DraftScores:
    """Read how uncertain the newest model, or that of the chosen folder, was about its drafts.

    Args:
        cohort: The cohort.
        record: Its record.
        config: Which strategy, and the folder of the drafts.
        reporter: Told which drafts count, and which cases have none.

    Raises:
        UsageError: If the strategy needs drafts and there are none.
    """
    case_ids = [case.case_id for case in cohort.cases]
    folder = config.drafts
    drafts: Mapping[str, Draft]
    if folder is None:
        folder, drafts = newest_drafts(record.results, case_ids)
    else:
        drafts = {name: d for name, d in read_drafts(folder).items() if name in {*case_ids}}
    known = {name: d for name, d in drafts.items() if d.uncertainty is not None}
    is_needed = STRATEGIES[config.strategy].utility == EPISTEMIC
    if is_needed and not known:
        raise UsageError(_without_drafts(config, folder or record.results, len(drafts)))
    if folder is None or not known:
        return DraftScores()
    if is_needed:
        _tell_of_drafts([name for name in case_ids if name not in known], folder, reporter)
    nats = {n: d.uncertainty.mean_nats for n, d in known.items() if d.uncertainty is not None}
    return DraftScores(folder.name, min(d.model_id for d in known.values()), nats)


def _without_drafts(config: SelectionConfig, folder: Path, n_drafts: int) -> str:
    found = "found none"
    if n_drafts:
        found = f"found {counted(n_drafts, 'draft')} that say nothing of the model's uncertainty"
    return (
        f"The strategy {config.strategy} needs drafts of a segmentation model; {found} in {folder}."
        " Segment the unlabeled cases first (`ciml-segmenter segment`, or Train and segment the"
        " rest in the panel), give --drafts another folder, or choose another strategy."
    )


def _tell_of_drafts(without: list[str], folder: Path, reporter: Reporter) -> None:
    reporter.info(f"The uncertainty is that of the drafts in {folder.name}.")
    if without:
        reporter.info(
            f"{counted(len(without), 'case', 'has', 'have')} no draft there: {listed(without)}."
        )


def score_column(cohort: Cohort, case_ids: tuple[str, ...], column: str) -> Float64Array:
    """Return the numbers in a column of the cohort's manifest, NaN where a case has none.

    Raises:
        UsageError: If there is no such column, or it holds something else than numbers.
    """
    attributes = {case.case_id: case.attributes for case in cohort.cases}
    columns = sorted({name for values in attributes.values() for name in values})
    if column not in columns:
        found = ", ".join(columns) or "no further column"
        msg = (
            f"Expected a column '{column}' in the manifest of the cohort, found {found}."
            " Give --score-column one of these, or another strategy."
        )
        raise UsageError(msg)
    return np.array([_number(case_id, attributes[case_id].get(column)) for case_id in case_ids])


def _number(case_id: str, text: str | None) -> float:
    try:
        return float(text) if text else float("nan")
    except ValueError as error:
        msg = (
            f"Expected a number as the score of case {case_id}, got '{text}'. Correct the manifest."
        )
        raise UsageError(msg) from error
