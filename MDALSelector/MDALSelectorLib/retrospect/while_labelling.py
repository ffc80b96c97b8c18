"""During labeling: what the labels that there are say about the choice of a strategy.

The labeled cases are split into outer folds, and every strategy chooses half of the others in each.
Modality differences and embeddings are those of the selection, which sees the images of all cases
and no label. The choice itself stays with the user: nothing is switched here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from MDALSelectorLib.inspection.acquisition_groups import acquisition_groups
from MDALSelectorLib.retrospect.config import MIN_CASES, RANDOM
from MDALSelectorLib.retrospect.evaluation import Evaluation
from MDALSelectorLib.retrospect.fold_plan import FoldPlan, choices, outer_folds
from MDALSelectorLib.retrospect.job_stages import EVIDENCE_SETTINGS, cases_to_ask
from MDALSelectorLib.retrospect.labelled_cohort import LabelledCohort, read_labelled_cohort
from MDALSelectorLib.retrospect.linear_run import linear_dice
from MDALSelectorLib.retrospect.outcomes import FoldResult, Outcome
from MDALSelectorLib.retrospect.retrospective import luck_of_the_best, signed
from MDALSelectorLib.retrospect.training_log import TrainingLog
from MDALSelectorLib.selection.cohort_scores import CohortScores
from MDALSelectorLib.selection.config import SelectionConfig
from MDALSelectorLib.selection.scoring import load_or_estimate_scores
from MDALSelectorLib.selection_job import prepare_for_selection
from MDALSelectorLib.strategies import Pool
from MultimodalImagingLib.cohorts.cases import Cohort
from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.jobs.progress import NullReporter, Reporter
from MultimodalImagingLib.preparation.preprocessing import PreparedCohort
from MultimodalImagingLib.record.cohort_record import open_record


@dataclass(frozen=True)
class LabelEvidence:
    """What the labels say about the strategies.

    Attributes:
        text: A few sentences.
        offered: The strategy that they speak for; `None` if they give no reason to change.
    """

    text: str
    offered: str | None = None


def evidence_while_labelling(
    cohort: Cohort, config: SelectionConfig, reporter: Reporter
) -> LabelEvidence | None:
    """Ask the labels of a cohort that is being labeled, after a selection of the same settings.

    Args:
        cohort: The cohort.
        config: The selection, whose scores are in the record.
        reporter: Notified of stages and steps.

    Returns:
        `None` if fewer than 10 cases are labeled that may be trained on, or all of those: then
        `retrospect` says more.
    """
    record = open_record(cohort.root, folder=config.record)
    cases = cases_to_ask(cohort, record)
    if not cases:
        return None
    whole = prepare_for_selection(cohort, config.spacing_mm, record, NullReporter())
    scores = load_or_estimate_scores(
        whole, config, record, NullReporter(), groups=acquisition_groups(cohort)
    )
    kept = {case.case_id: case for case in cases}
    rows = [row for row, name in enumerate(whole.case_ids) if name in kept]
    prepared = replace(
        whole,
        cases=tuple(kept[whole.case_ids[row]] for row in rows),
        headers=tuple(whole.headers[row] for row in rows),
    )
    return evidence_from_labels(prepared, scores, config.strategy, reporter)


def evidence_from_labels(
    prepared: PreparedCohort, scores: CohortScores, strategy: str, reporter: Reporter
) -> LabelEvidence | None:
    """Say which strategy would have helped among the cases that are labeled already.

    Args:
        prepared: The labeled cases of the cohort, each with its label map.
        scores: Scores of the whole cohort.
        strategy: The strategy that is used.
        reporter: Notified of stages and steps.

    Returns:
        `None` if there are too few labels to say anything.
    """
    if len(prepared) < MIN_CASES:
        return None
    try:
        labelled = read_labelled_cohort(
            prepared, values=(), seed=EVIDENCE_SETTINGS.seed, reporter=reporter
        )
        folds = outer_folds(labelled.patient_ids, EVIDENCE_SETTINGS)
    except UsageError as error:
        return LabelEvidence(f"The labels say nothing about the choice of a strategy yet: {error}")
    plans = [
        _plan(labelled, scores, place=(partition, fold), pool=pool, test=test)
        for partition, fold, pool, test in folds
    ]
    reporter.stage("Ask the labels", sum(len(plan.test) for plan in plans))
    with TemporaryDirectory() as folder:  # too quick to be worth keeping
        log = TrainingLog(Path(folder), "")
        results = [
            FoldResult(
                plan, linear_dice(plan, labelled, log, reporter, seed=EVIDENCE_SETTINGS.seed)
            )
            for plan in plans
        ]
    evaluation = Evaluation(results, labelled.patient_ids, seed=EVIDENCE_SETTINGS.seed)
    names = dict.fromkeys(training.strategy for training in plans[0].trainings[1:])
    found = [evaluation.outcome(name, 0) for name in names]
    return advice(
        [outcome for outcome in found if outcome is not None], strategy, len(labelled.cases)
    )


def advice(outcomes: list[Outcome], strategy: str, n_labelled: int) -> LabelEvidence:
    """Put the evidence into words; offers another strategy only where its interval is above zero.

    Args:
        outcomes: Of all strategies.
        strategy: The one that is used.
        n_labelled: Number of labeled cases.
    """
    compared = [outcome for outcome in outcomes if outcome.strategy != RANDOM]
    ranked = sorted(compared, key=lambda o: (-o.difference, o.strategy))
    used = next((o for o in ranked if o.strategy == strategy), None)
    lead = f"Among the {n_labelled} labeled cases, half of them chosen in outer folds:"
    own = f" {_told(used)}" if used is not None else ""
    if not ranked:
        return LabelEvidence(f"{lead} no strategy could be compared with random draws.")
    best = ranked[0]
    told = "" if best is used else f" {_told(best)}"
    text = f"{lead}{own}{told}"
    luck = luck_of_the_best(outcomes)
    if best is used or best.low <= 0 or best.difference <= luck:
        return LabelEvidence(f"{text} This is no reason to change the strategy.")
    limit = (
        "The labeled cases are few, and were chosen rather than drawn: this need not hold for the"
        " others."
    )
    return LabelEvidence(f"{text} {limit}", best.strategy)


def _told(outcome: Outcome) -> str:
    interval = f"{signed(outcome.low)} to {signed(outcome.high)}"
    return (
        f"{outcome.strategy} lies {signed(outcome.difference)} Dice from the median random draw"
        f" (95 % interval {interval})."
    )


def _plan(
    labelled: LabelledCohort,
    scores: CohortScores,
    *,
    place: tuple[int, int],
    pool: tuple[int, ...],
    test: tuple[int, ...],
) -> FoldPlan:
    index = {case_id: row for row, case_id in enumerate(scores.case_ids)}
    rows = [index[labelled.case_ids[case]] for case in pool]
    described = Pool(
        case_ids=tuple(scores.case_ids[row] for row in rows),
        patient_ids=tuple(scores.patient_ids[row] for row in rows),
        embeddings=scores.embeddings[rows],
        eligible=np.ones(len(rows), dtype=bool),
        labelled=np.zeros(len(rows), dtype=bool),
        utilities={name: values[rows] for name, values in scores.measures.items()},
    )
    trainings = choices(described, pool, EVIDENCE_SETTINGS, place=place)
    return FoldPlan(*place, pool, test, trainings, scores.diagnostics.estimator, True)
