"""From a labeled cohort to a page: choose in every outer fold, train, test, compare, write.

`run_retrospect` is the one entry. Finished steps are kept in the run's folder, so that the same
command goes on where it was stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

from MDALSelectorLib.retrospect.class_cohort import ClassCohort, read_class_cohort
from MDALSelectorLib.retrospect.class_run import class_results
from MDALSelectorLib.retrospect.cohort_with_labels import CohortWithLabels
from MDALSelectorLib.retrospect.config import CLASSIFIER, MIN_CASES, RetrospectConfig
from MDALSelectorLib.retrospect.evaluation import Evaluation
from MDALSelectorLib.retrospect.fold_plan import FoldPlan, outer_folds, plan_fold
from MDALSelectorLib.retrospect.fold_record import plan_content, plan_from_content
from MDALSelectorLib.retrospect.fold_signals import Signals, cohort_signals
from MDALSelectorLib.retrospect.job_stages import TRAIN_AND_TEST, retrospect_plan
from MDALSelectorLib.retrospect.labelled_cohort import LabelledCohort, read_labelled_cohort
from MDALSelectorLib.retrospect.linear_run import linear_dice
from MDALSelectorLib.retrospect.nnunet_export import write_nnunet_splits
from MDALSelectorLib.retrospect.outcomes import FoldResult
from MDALSelectorLib.retrospect.page import write_page
from MDALSelectorLib.retrospect.pairing_check import cases_to_check
from MDALSelectorLib.retrospect.remarks import notes_on
from MDALSelectorLib.retrospect.retrospective import (
    Retrospective,
    all_outcomes,
    main_budget,
    verdict,
)
from MDALSelectorLib.retrospect.run_files import (
    JOB_LOG_NAME,
    JSON_NAME,
    RUN_NAME,
    is_unfinished,
    read_retrospective,
    run_folders,
    take_over,
    write_retrospective,
)
from MDALSelectorLib.retrospect.sites import Sites, sites_of
from MDALSelectorLib.retrospect.training_log import TrainingLog
from MDALSelectorLib.selection.config import PACKAGES
from MDALSelectorLib.selection_job import prepare_for_selection
from MultimodalImagingLib.cohorts.cases import Cohort
from MultimodalImagingLib.cohorts.class_table import known_classes
from MultimodalImagingLib.cohorts.evaluation_set import read_evaluation_set, split_held_out
from MultimodalImagingLib.cohorts.labelled_cases import labelled_cases
from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.jobs.job_log import LoggingReporter
from MultimodalImagingLib.jobs.progress import Reporter
from MultimodalImagingLib.jobs.texts import counted
from MultimodalImagingLib.record.checksums import json_checksum
from MultimodalImagingLib.record.class_task import read_class_task
from MultimodalImagingLib.record.cohort_record import CohortRecord, open_record
from MultimodalImagingLib.record.ownership import check_apart
from MultimodalImagingLib.version import current_versions


def run_retrospect(whole: Cohort, config: RetrospectConfig, reporter: Reporter) -> Path:
    """Replay label budgets on a cohort that has its labels, and write what would have helped.

    Args:
        whole: The cohort, with and without labels.
        config: What is asked for.
        reporter: Notified of stages, steps and problems.

    Returns:
        The run folder: `retrospect.json`, `retrospect.csv`, `retrospect.html`, `trainings.jsonl`,
        `log.jsonl`, and `nnunet/` if it was asked for.

    Raises:
        CohortError: If the cohort has no usable case.
        UsageError: If an option does not fit the cohort, or there are too few labels.
    """
    if config.record is not None:
        check_apart(config.record, whole.files, option="--record")
    record = open_record(whole.root, folder=config.record)
    cohort = _with_labels(whole, config, record, reporter)
    run = _run_folder(config, whole, record)
    with LoggingReporter(reporter, run / JOB_LOG_NAME) as told:
        told.plan(retrospect_plan(cohort, config))
        prepared = prepare_for_selection(cohort, config.spacing_mm, record, told)
        labelled: LabelledCohort | ClassCohort
        if config.learner == CLASSIFIER:
            labelled = read_class_cohort(prepared, _classes(whole, record))
        else:
            labelled = read_labelled_cohort(
                prepared, values=config.label_values, seed=config.seed, reporter=told
            )
        outer_folds(labelled.patient_ids, config)  # refuses what cannot be split, before the work
        sites = sites_of(cohort)
        log = TrainingLog(run, _key(labelled, config, sites))
        to_check = cases_to_check(labelled, cohort, record, log, told)
        describe = partial(cohort_signals, labelled, cohort, config, record, told, sites=sites)
        plans = _plans(labelled, config, log, told, describe)
        results = (
            class_results(plans, labelled, record, log, told)
            if isinstance(labelled, ClassCohort)
            else _results(plans, labelled, config, log, told)
        )
        found = _retrospective(results, labelled, config, to_check=to_check, sites=sites)
        write_retrospective(run, found)
        write_page(run, read_retrospective(run / JSON_NAME))  # as `report` writes it again
        if config.export:
            path = write_nnunet_splits(run, plans, labelled.case_ids, config.budgets)
            told.info(f"The splits for nnU-Net are in {path}.")
        told.info(found.sentence)
    return run


def _with_labels(
    cohort: Cohort, config: RetrospectConfig, record: CohortRecord, reporter: Reporter
) -> Cohort:
    """Return the cohort of the labeled cases that take part."""
    unknown = sorted(set(config.left_out) - {case.case_id for case in cohort.cases})
    if unknown:
        msg = (
            f"There is no case {', '.join(unknown)} in this cohort to leave out. Give --leave-out"
            " the name of a case as `inspect` lists it."
        )
        raise UsageError(msg)
    if config.learner == CLASSIFIER:
        of_case = _classes(cohort, record)
        found = tuple(case for case in cohort.cases if case.case_id in of_case)
    else:
        found = labelled_cases(cohort, record, config.labels, reporter)
    held = read_evaluation_set(cohort, record)
    kept, _ = split_held_out(found, held)
    n_held = len(found) - len(kept)
    if n_held:
        reporter.info(
            f"{counted(n_held, 'labeled case')} set aside for testing"
            f" {'takes' if n_held == 1 else 'take'} no part: a strategy that is chosen by"
            f" {'it' if n_held == 1 else 'them'} could not be tested on"
            f" {'it' if n_held == 1 else 'them'}."
        )
    cases = tuple(case for case in kept if case.case_id not in config.left_out)
    if len(cases) < MIN_CASES:
        n = len(cases)
        msg = (
            f"Expected at least {MIN_CASES} cases with a {_kind(config)}, found {n or 'none'} among"
            f" the {counted(len(cohort.cases), 'case')} of {cohort.root.name}. A retrospective"
            f" needs them: {_advice(config)}"
        )
        raise UsageError(msg)
    return replace(cohort, cases=cases)


def _kind(config: RetrospectConfig) -> str:
    return "class" if config.learner == CLASSIFIER else "label"


def _advice(config: RetrospectConfig) -> str:
    if config.learner == CLASSIFIER:
        return "give cases a class, or import classes with `mdal-selector classes --import`."
    return "add them, or give their folder with --labels."


def _classes(cohort: Cohort, record: CohortRecord) -> dict[str, str]:
    """Return the class of every case that has one.

    Raises:
        UsageError: If the cohort is not one to classify.
    """
    task = read_class_task(record)
    if task is None:
        msg = (
            "Expected a cohort whose label is a class per case for the learner classifier, found no"
            " classes in its record. Say them with `mdal-selector classes`, or give another"
            " --learner."
        )
        raise UsageError(msg)
    return known_classes(cohort, record, task).of_case


def _run_folder(config: RetrospectConfig, cohort: Cohort, record: CohortRecord) -> Path:
    if config.output is None:
        unfinished = [run for run in run_folders(record) if is_unfinished(run)]
        run = unfinished[-1] if unfinished else record.new_run_folder(RUN_NAME)
        take_over(run)
        return run
    check_apart(config.output, cohort.files)
    take_over(config.output)
    return config.output


def _key(labelled: CohortWithLabels, config: RetrospectConfig, sites: Sites) -> str:
    """Return what stands for everything that a Dice depends on."""
    prepared = labelled.prepared
    cases = [
        [case.case_id, case.patient_id, prepared.key(prepared.cases[case.row]), case.checksum]
        for case in labelled.cases
    ]
    origin = sites.of(labelled.case_ids)
    return json_checksum([cases, origin, settings_of(config), current_versions(PACKAGES)])


def settings_of(config: RetrospectConfig) -> dict[str, object]:
    """Return the settings that decide on the result; folders are not among them."""
    places = ("labels", "output", "record", "export")
    settings = {name: value for name, value in asdict(config).items() if name not in places}
    if config.network is not None:
        network = asdict(config.network)
        hardware = ("at_once", "device")
        settings["network"] = {n: value for n, value in network.items() if n not in hardware}
    return settings


def _plans(
    labelled: CohortWithLabels,
    config: RetrospectConfig,
    log: TrainingLog,
    reporter: Reporter,
    describe: Callable[[], Signals],
) -> list[FoldPlan]:
    folds = outer_folds(labelled.patient_ids, config)
    names = [f"plan/{partition}/{fold}" for partition, fold, _, _ in folds]
    signals = None
    if any(log.get(name) is None for name in names):
        signals = describe()
    else:
        reporter.info("The choices of an earlier start are used: cases and settings are the same.")
    reporter.stage("Choose cases", len(folds))
    plans = []
    for name, (partition, fold, pool, test) in zip(names, folds, strict=True):
        place, is_kept = (partition, fold), log.get(name) is not None
        if not is_kept and signals is not None:
            made = plan_fold(signals, config, place=place, pool=pool, test=test)
            log.put(name, plan_content(made, labelled.case_ids))
        plans.append(plan_from_content(log.get(name) or {}, place, labelled.case_ids))
        (reporter.kept if is_kept else reporter.advance)()
    return plans


def _results(
    plans: Sequence[FoldPlan],
    labelled: LabelledCohort,
    config: RetrospectConfig,
    log: TrainingLog,
    reporter: Reporter,
) -> list[FoldResult]:
    if config.network is not None:
        from MDALSelectorLib.retrospect.network_run import network_results  # loads torch

        return network_results(plans, labelled, config, log, reporter)
    n_trainings = sum(len({t.cases for t in plan.trainings}) for plan in plans)
    reporter.info(
        f"{counted(n_trainings, 'training')} of the {config.learner} learner in {len(plans)}"
        " outer folds. The"
        " remaining time is known after the first test cases."
    )
    reporter.stage(TRAIN_AND_TEST, sum(len(plan.test) for plan in plans))
    return [
        FoldResult(plan, linear_dice(plan, labelled, log, reporter, seed=config.seed))
        for plan in plans
    ]


def _retrospective(
    results: Sequence[FoldResult],
    labelled: CohortWithLabels,
    config: RetrospectConfig,
    *,
    to_check: Mapping[str, Sequence[str]],
    sites: Sites,
) -> Retrospective:
    evaluation = Evaluation(results, labelled.patient_ids, seed=config.seed)
    bands, outcomes, areas = all_outcomes(evaluation, len(config.budgets))
    main = main_budget(config.budgets)
    at_main = [outcome for outcome in outcomes if outcome.budget == main]
    name = labelled.prepared.root.name
    return Retrospective(
        cohort=name,
        modalities=labelled.prepared.modalities,
        learner=config.learner,
        budgets=config.budgets,
        bands=bands,
        outcomes=outcomes,
        areas=areas,
        main_budget=main,
        sentence=verdict(name, config.budgets[main], at_main),
        notes=notes_on(results, labelled, config, at_main, to_check=to_check, sites=sites),
        n_cases=len(labelled.cases),
        n_patients=len(set(labelled.patient_ids)),
        configuration=settings_of(config),
        versions=current_versions(PACKAGES),
    )
