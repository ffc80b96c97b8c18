"""The selection of a cohort whose label is a class per case: what is labeled, drafts, entropies."""

from __future__ import annotations

from dataclasses import dataclass, replace

from MDALSelectorLib.classification.class_findings import LEARN_CLASSES, N_REPEATS, ClassFindings
from MDALSelectorLib.inspection.acquisition_groups import acquisition_groups
from MDALSelectorLib.selection.cohort_scores import CohortScores
from MDALSelectorLib.selection.config import LabelledRule, SelectionConfig
from MDALSelectorLib.strategies import STRATEGIES
from MDALSelectorLib.strategies.pool import EPISTEMIC
from MultimodalImagingLib.cohorts.cases import Cohort
from MultimodalImagingLib.cohorts.class_table import known_classes
from MultimodalImagingLib.cohorts.evaluation_set import EvaluationSet, read_evaluation_set
from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.jobs.progress import Reporter
from MultimodalImagingLib.jobs.texts import counted
from MultimodalImagingLib.record.class_task import ClassTask, read_class_task
from MultimodalImagingLib.record.cohort_record import CohortRecord


@dataclass(frozen=True)
class CohortClasses:
    """The classes that count in a selection.

    Attributes:
        task: The classes of the cohort.
        of_case: Class per labeled case.
        held: Cases that are set aside for testing.
    """

    task: ClassTask
    of_case: dict[str, str]
    held: EvaluationSet


def cohort_classes(
    cohort: Cohort, record: CohortRecord, rule: LabelledRule, reporter: Reporter
) -> CohortClasses | None:
    """Return the classes of a cohort that is one to classify; `None` for one to segment.

    Args:
        cohort: The cohort.
        record: Its record.
        rule: Whether classes that the cohort came with count, too.
        reporter: Told where classes are known from, and what is not used.

    Raises:
        CohortError: If the classes cannot be read.
    """
    task = read_class_task(record)
    if task is None:
        return None
    known = known_classes(cohort, record, task)
    for problem in known.problems:
        reporter.warning(problem)
    held = read_evaluation_set(cohort, record)
    own = known.labels.that_count
    if rule == "record" or not known.came_with:
        return CohortClasses(task, own, held)
    if rule == "auto" and len(known.came_with) == len(cohort.cases):
        reporter.info(
            "Every case came with a class: these are not used, and all cases are ranked as if they"
            " had none. Give --labelled files to leave classified cases out."
        )
        return CohortClasses(task, own, held)
    n = len(known.came_with)
    reporter.info(f"{counted(n, 'case', 'comes', 'come')} with a class, which counts as its label.")
    return CohortClasses(task, known.of_case, held)


def with_class_drafts(
    scores: CohortScores,
    cohort: Cohort,
    classes: CohortClasses | None,
    config: SelectionConfig,
    reporter: Reporter,
) -> tuple[CohortScores, ClassFindings | None]:
    """Draft the cases without a class, and add the entropy of the drafts to the scores.

    Args:
        scores: Scores of the cohort.
        cohort: Where groups of acquisition come from.
        classes: Its classes; `None` for a cohort to segment, whose scores stay as they are.
        config: Strategy, and the source of splits and resamples.
        reporter: Notified of steps and told how far drafts hold.

    Raises:
        UsageError: If the strategy ranks by drafts and there are none.
    """
    if classes is None:
        return scores, None
    from MDALSelectorLib.classification.class_drafts import (  # loads scikit-learn
        ClassifiedCohort,
        entropy_column,
        find_drafts,
    )

    names = {*scores.case_ids}
    classified = ClassifiedCohort(
        names=classes.task.names,
        case_ids=scores.case_ids,
        patient_ids=scores.patient_ids,
        embeddings=scores.embeddings,
        given={case: name for case, name in classes.of_case.items() if case in names},
        evaluation=frozenset(classes.held.cases),
        companions=frozenset(classes.held.companions),
        groups=acquisition_groups(cohort),
    )
    reporter.stage(LEARN_CLASSES, N_REPEATS)
    findings = find_drafts(classified, seed=config.estimation.seed, advance=reporter.advance)
    if not findings.drafts:
        reporter.kept(N_REPEATS)
        _check_needs_none(config.strategy, findings)
    reporter.info(findings.sentence)
    for remark in findings.remarks:
        reporter.info(remark)
    if findings.drafts:
        column = entropy_column(findings, scores.case_ids)
        scores = replace(scores, measures={**scores.measures, EPISTEMIC: column})
    return scores, findings


def _check_needs_none(strategy: str, findings: ClassFindings) -> None:
    kind = STRATEGIES.get(strategy)
    if kind is not None and kind.utility == EPISTEMIC:
        msg = f"{strategy} ranks by drafts. {findings.sentence} Or choose another strategy."
        raise UsageError(msg)
