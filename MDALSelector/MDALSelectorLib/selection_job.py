"""From a cohort to a run folder: prepare, estimate, choose, write.

`run_selection` is the one entry. What takes long is kept in the cohort's record as soon as it is
finished: prepared images, what was measured of each case, what each estimator found, and scores. A
cancelled run goes on where it was; another budget or strategy reads no image and trains nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from MDALSelectorLib.inspection.acquisition_groups import acquisition_groups
from MDALSelectorLib.report.run_writing import write_run
from MDALSelectorLib.selection.budget import check_some_unlabelled, parse_budget
from MDALSelectorLib.selection.case_selection import CaseSelection
from MDALSelectorLib.selection.classified import cohort_classes, with_class_drafts
from MDALSelectorLib.selection.config import (
    PACKAGES,
    SelectionConfig,
    SelectionRequest,
    configuration_of,
)
from MDALSelectorLib.selection.job_stages import selection_plan
from MDALSelectorLib.selection.knowledge import (
    DraftScores,
    Knowledge,
    find_drafts,
    skipped_cases,
    with_knowledge,
)
from MDALSelectorLib.selection.run_folder import LOG_NAME, check_run_folder
from MDALSelectorLib.selection.scoring import load_or_estimate_scores
from MDALSelectorLib.selection.selecting import make_selection
from MultimodalImagingLib.cohorts.cases import Cohort, Problem
from MultimodalImagingLib.cohorts.evaluation_set import read_evaluation_set
from MultimodalImagingLib.cohorts.labelled_cases import is_labelled
from MultimodalImagingLib.errors import CohortError, UsageError
from MultimodalImagingLib.jobs.job_log import LoggingReporter
from MultimodalImagingLib.jobs.job_plan import PlannedStage
from MultimodalImagingLib.jobs.progress import Reporter
from MultimodalImagingLib.jobs.texts import counted
from MultimodalImagingLib.preparation.preprocessing import (
    PreparedCohort,
    default_spec,
    prepare_cohort,
)
from MultimodalImagingLib.record.cohort_record import CaseState, CohortRecord, open_record
from MultimodalImagingLib.record.ownership import check_apart, is_free
from MultimodalImagingLib.record.shared_record import overlooked_text
from MultimodalImagingLib.version import current_versions


def run_selection(
    cohort: Cohort,
    config: SelectionConfig,
    reporter: Reporter,
    *,
    later: tuple[PlannedStage, ...] = (),
) -> Path:
    """Rank the cases of a cohort and write everything about it into a run folder.

    Args:
        cohort: The cohort.
        config: What is asked for.
        reporter: Notified of stages, steps and problems.
        later: Stages that follow in the same job.

    Returns:
        The run folder: `selection.csv`, `selection.json`, `embeddings.safetensors`, `thumbnails/`,
        `maps/`, `report.html`, `log.jsonl`. All but the log are the same bytes for the same seed.

    Raises:
        CohortError: If the cohort has no usable case.
        UsageError: If an option does not fit the cohort.
    """
    budget = parse_budget(config.budget, n_cases=len(cohort.cases))
    _check_case_names(config, cohort)
    if config.record is not None:
        check_apart(config.record, cohort.files, option="--record")
    record = open_record(cohort.root, folder=config.record)
    run = _run_folder(config, cohort, record)
    with LoggingReporter(reporter, run / LOG_NAME) as run_reporter:
        run_reporter.info(f"The record of the cohort is {record.folder}.")
        if text := overlooked_text(cohort.root, record):
            run_reporter.warning(text)
        held = read_evaluation_set(cohort, record)
        held.tell(run_reporter)
        classes = cohort_classes(cohort, record, config.labelled, run_reporter)
        labelled, drafts = (
            (frozenset(classes.of_case), DraftScores())
            if classes is not None
            else (
                _cases_not_to_label(cohort, record, config, run_reporter),
                find_drafts(cohort, record, config, run_reporter),
            )
        )
        check_some_unlabelled(len(cohort.cases), len(labelled))
        run_reporter.plan(selection_plan(cohort, config, later=later))
        prepared = prepare_for_selection(cohort, config.spacing_mm, record, run_reporter)
        estimated = load_or_estimate_scores(
            prepared, config, record, run_reporter, groups=acquisition_groups(cohort)
        )
        knowledge = Knowledge(
            labelled, skipped_cases(record), drafts, frozenset(record.confirmed_cases()), held
        )
        scores = with_knowledge(estimated, cohort, config, knowledge)
        scores, findings = with_class_drafts(scores, cohort, classes, config, run_reporter)
        request = SelectionRequest(budget, config.strategy, config.estimation.seed, config.options)
        run_reporter.stage("Choose cases", 1)
        selection = replace(
            make_selection(scores, request),
            classes=findings,
            problems=_problem_texts(cohort, prepared),
            configuration=configuration_of(config, prepared.spec) | drafts.configuration,
            versions=current_versions(PACKAGES),
        )
        run_reporter.advance()
        write_run(run, selection, scores, prepared, run_reporter)
        _note_states(record, selection)
        _tell_outcome(selection, run_reporter)
    return run


def _cases_not_to_label(
    cohort: Cohort, record: CohortRecord, config: SelectionConfig, reporter: Reporter
) -> frozenset[str]:
    """Find the cases that need no label any more, and say where that is known from."""
    states = record.read_states()
    known = {
        case.case_id
        for case in cohort.cases
        if is_labelled(case.case_id, None, record, states.of(case.case_id))
    }
    in_files = {case.case_id for case in cohort.cases if case.label is not None}
    if config.labelled == "record" or not in_files:
        return frozenset(known)
    if config.labelled == "auto" and len(in_files) == len(cohort.cases):
        reporter.info(
            "Every case has a label file already: they are not used, and all cases are ranked as if"
            " they had none. Give --labelled files to leave labeled cases out."
        )
        return frozenset(known)
    reporter.info(
        f"{counted(len(in_files), 'case', 'has', 'have')} a label file and"
        f" {'counts' if len(in_files) == 1 else 'count'} as labeled."
    )
    return frozenset(known | in_files)


def prepare_for_selection(
    cohort: Cohort, spacing_mm: float | None, record: CohortRecord, reporter: Reporter
) -> PreparedCohort:
    """Prepare the images of a cohort and tell what is wrong with them.

    Args:
        cohort: The cohort.
        spacing_mm: Working spacing, mm; `None` to choose it from the images.
        record: Where prepared images are kept.
        reporter: Notified of every case and problem.

    Raises:
        CohortError: If no case can be used.
    """
    if cohort.left_out:
        reporter.warning(cohort.left_out)
    _warn_of(cohort.problems, reporter)
    spec = default_spec(cohort)
    if spacing_mm is not None:
        spec = replace(spec, spacing_mm=(spacing_mm,) * 3)
    reporter.info(f"Working spacing: {spec.spacing_mm[0]:g} mm.")
    prepared = prepare_cohort(cohort, spec, cache=record.cache, reporter=reporter)
    remarks = [problem for problem in prepared.problems if problem.severity == "info"]
    _warn_of(prepared.problems, reporter)
    if remarks:
        rest = (
            f" The same holds in {counted(len(remarks) - 1, 'more case')}." if remarks[1:] else ""
        )
        reporter.info(f"{remarks[0]}{rest}")
    if not prepared.cases:
        raise CohortError(_nothing_prepared(cohort, prepared))
    return prepared


def _warn_of(problems: Iterable[Problem], reporter: Reporter) -> None:
    for problem in problems:
        if problem.severity != "info":
            reporter.warning(str(problem))


def _nothing_prepared(cohort: Cohort, prepared: PreparedCohort) -> str:
    errors = [str(problem) for problem in prepared.problems if problem.severity == "error"]
    rest = f" ({len(errors) - 1} more like this above.)" if errors[1:] else ""
    return (
        f"None of the {counted(len(cohort.cases), 'case')} of {cohort.root.name} can be used,"
        " so there is"
        f" nothing to rank. {errors[0] if errors else ''}{rest}"
    )


def _check_case_names(config: SelectionConfig, cohort: Cohort) -> None:
    unknown = sorted(set(config.accepted) - {case.case_id for case in cohort.cases})
    if unknown:
        msg = (
            f"There is no case {', '.join(unknown)} in this cohort to accept."
            " Give --accept the name of a case as `inspect` lists it."
        )
        raise UsageError(msg)


def _run_folder(config: SelectionConfig, cohort: Cohort, record: CohortRecord) -> Path:
    if config.output is None:
        budget = re.sub(r"[^0-9A-Za-z.]+", "", config.budget.replace("%", "percent"))
        return record.new_run_folder(f"{config.strategy}-{budget}")
    output = config.output
    check_apart(output, cohort.files)
    if not is_free(output):
        check_run_folder(output)
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"The output folder {output} cannot be made ({error.strerror}). Choose another."
        raise UsageError(msg) from error
    return output


def _problem_texts(cohort: Cohort, prepared: PreparedCohort) -> tuple[str, ...]:
    problems = [*cohort.problems, *prepared.problems]
    texts = (str(problem) for problem in problems if problem.severity != "info")
    first = (cohort.left_out,) if cohort.left_out else ()
    return tuple(dict.fromkeys((*first, *texts)))


def _note_states(record: CohortRecord, selection: CaseSelection) -> None:
    """Bring the record up to date; what users decided (labeled, skipped, ...) stays."""
    states = record.read_states()
    open_states = (CaseState.UNLABELLED, CaseState.SUGGESTED, CaseState.CHECK_PAIRING)
    changes = {}
    for case in selection.cases:
        wanted, now = CaseState(case.state), states.of(case.case_id)
        is_open = now in open_states or (now, wanted) == (CaseState.CONFIRMED, CaseState.SUGGESTED)
        if is_open and wanted in open_states:
            changes[case.case_id] = wanted
    changes = {case: state for case, state in changes.items() if states.of(case) is not state}
    if changes:
        record.change_states(changes, seen_revision=states.revision)


def _tell_outcome(selection: CaseSelection, reporter: Reporter) -> None:
    if selection.fallback is not None:
        asked, used = selection.fallback.asked, selection.fallback.used
        reporter.warning(f"{used} was used in place of {asked}. {selection.fallback.reason}")
    else:
        reporter.info(selection.trust.sentence)
    for remark in selection.diagnostics.remarks:
        reporter.info(remark)
    if selection.to_check:
        names = ", ".join(case.case_id for case in selection.to_check)
        reporter.info(f"Check whether the images of these cases belong together: {names}.")
    names = ", ".join(case.case_id for case in selection.suggested)
    reporter.info(f"Label next{selection.order_text}: {names}.")
