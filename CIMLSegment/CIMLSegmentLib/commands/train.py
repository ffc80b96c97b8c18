"""The command `train`: from a cohort with some labels to a model folder. Starts without torch."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

from CIMLSegmentLib.commands.start_option import add_start_argument, check_start, read_start
from CIMLSegmentLib.commands.training_labels import (
    add_labels_arguments,
    labels_to_train_on,
    tell_of_places,
)
from CIMLSegmentLib.config import KINDS, LARGEST_PATCH, SMALLEST_SIDE, TrainingConfig, TrainingJob
from CIMLSegmentLib.inference.case_input import modality_rows
from CIMLSegmentLib.settings import add_options, settings_from_options
from CIMLSegmentLib.task.label_values import parse_label_values
from CIMLSegmentLib.task.task import Task
from CIMLSegmentLib.task.task_io import CohortModalities, load_task, preset_names
from CIMLSegmentLib.training.job_stages import N_PROBED, expected_plan
from CIMLSegmentLib.training.network_plan import (
    BASE_FEATURES,
    NetworkPlan,
    patch_for_network,
    plan_for_cases,
    training_spacing,
)
from MultimodalImagingLib.cohorts.cases import Case, Cohort
from MultimodalImagingLib.cohorts.cohort import find_cohort, patterns_for
from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.jobs.command_line import add_modality_argument
from MultimodalImagingLib.jobs.environment import same_name
from MultimodalImagingLib.jobs.progress import Reporter
from MultimodalImagingLib.preparation.intensity import modality_kind
from MultimodalImagingLib.preparation.prepared_case import PreprocessingSpec
from MultimodalImagingLib.record.atomic_folder import check_can_hold_folders
from MultimodalImagingLib.record.cohort_record import CohortRecord, open_record
from MultimodalImagingLib.record.json_entry import changed_config, read_settings
from MultimodalImagingLib.record.ownership import check_apart

if TYPE_CHECKING:
    from CIMLSegmentLib.model.model_description import ModelDescription
    from CIMLSegmentLib.training.training_cases import TrainingSet


def add_train_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the `train` command to its parser."""
    parser.add_argument("cohort", type=Path, help="folder of the cohort, or a CSV manifest")
    parser.add_argument(
        "--task", required=True, help=f"a JSON file, or a preset: {', '.join(preset_names())}"
    )
    parser.add_argument("--output", type=Path, required=True, help="the model folder")
    add_start_argument(parser)
    parser.add_argument("--primary", metavar="MODALITY", help="for tasks that leave it open")
    add_labels_arguments(parser)
    parser.add_argument(
        "--suggested-by",
        type=Path,
        metavar="RUN",
        help="train only on cases that this run of `mdal-selector select` suggested or counted as"
        " labeled; the labels of other cases are not read",
    )
    parser.add_argument("--resume", action="store_true", help="resume an earlier training")
    parser.add_argument(
        "--estimate",
        action="store_true",
        help="only make about ten steps and say how long the whole training would take; the"
        " prepared cases are kept, a model is not written",
    )
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda or cuda:1")
    parser.add_argument("--spacing", type=float, metavar="MM", help="working spacing, mm")
    add_modality_argument(parser)
    _add_training_arguments(parser)


def _add_training_arguments(parser: argparse.ArgumentParser) -> None:
    add_options(parser, TrainingConfig)
    parser.add_argument(
        "--features",
        type=int,
        help=f"channels at full resolution (default {BASE_FEATURES}, or those of --from)",
    )
    parser.add_argument(
        "--largest-patch",
        type=_side,
        default=LARGEST_PATCH,
        metavar="VOXELS",
        help="patches have at most as many voxels as a cube of this side (default %(default)s);"
        " smaller ones are quicker and see less around a voxel",
    )
    parser.add_argument(
        "--validation-case",
        action="append",
        metavar="CASE",
        help="keep this case for validation; default: a fifth of the patients, and in later"
        " trainings on the cohort again those of them that are labeled",
    )
    parser.add_argument(
        "--kind", default="ciml", choices=KINDS, help="the method, or a baseline to compare with"
    )
    parser.add_argument(
        "--settings",
        type=Path,
        metavar="FILE",
        help="JSON with `network` and `training`: any of the values of these names in the"
        " model.json of a model; what it names counts before options and plan",
    )


def run_train(options: argparse.Namespace, reporter: Reporter) -> int:
    """Run the `train` command; returns the exit code 0."""
    settings = read_settings(options.settings, ("network", "training"))
    check_start(options)
    check_can_hold_folders(options.output)
    cohort = find_cohort_apart(options, reporter)
    task = task_of_options(options, cohort)
    record = open_record(cohort.root, folder=options.record)
    cases, tested = labels_to_train_on(options, cohort, record, reporter)
    tell_of_places((*cases, *tested), cohort, task, reporter)
    config = _expected_config(options)
    reporter.plan(
        expected_plan(cohort, len(cases), config, options.device, n_evaluated=len(tested))
    )
    from CIMLSegmentLib.inference.devices import keep_freed_memory  # torch: only when it is needed
    from CIMLSegmentLib.training.training_cases import PreparationJob, prepare_training_set

    keep_freed_memory()
    start = read_start(options, task)
    preparation = PreparationJob(
        task,
        _spec(options, cases or cohort.cases, task, start),
        cohort.root,
        record.cache,
        parse_label_values(options.label_values, task),
    )
    both = prepare_training_set((*cases, *tested), preparation, reporter=reporter)
    prepared = both.setting_aside([case.case_id for case in tested])
    job = _training_job(options, prepared, settings, start)
    if job.validation_cases is None:
        job = replace(job, validation_cases=_validation_cases(options, prepared, job, record))
    run = _estimated if options.estimate else _trained
    reporter.result(run(options, prepared, task, job, reporter))
    return 0


def find_cohort_apart(
    options: argparse.Namespace, reporter: Reporter, *, option: str = "--output"
) -> Cohort:
    """Find the cohort of `options.cohort`, and tell what is wrong with it.

    Raises:
        UsageError: If `options.output` or `options.record` lies among the images; `option` is the
            one that the user has to change for the output.
        CohortError: If there is no cohort.
    """
    reporter.stage("Find cases", 1)
    patterns = patterns_for(options.cohort, modality_rows(options))
    cohort = find_cohort(options.cohort, patterns=patterns, reporter=reporter)
    reporter.advance()
    if getattr(options, "output", None) is not None:
        check_apart(options.output, cohort.files, option=option)
    if options.record is not None:
        check_apart(options.record, cohort.files, option="--record")
    if cohort.left_out:
        reporter.warning(cohort.left_out)
    for problem in cohort.problems:
        if problem.severity != "info":
            reporter.warning(str(problem))
    return cohort


def _estimated(
    _options: argparse.Namespace,
    prepared: TrainingSet,
    task: Task,
    job: TrainingJob,
    reporter: Reporter,
) -> dict[str, object]:
    """Say how long the training would take; returns the result of the command."""
    from CIMLSegmentLib.training.estimate import estimate_training

    return estimate_training(prepared, task, job, reporter).to_json()


def _trained(
    options: argparse.Namespace,
    prepared: TrainingSet,
    task: Task,
    job: TrainingJob,
    reporter: Reporter,
) -> dict[str, object]:
    """Train; returns the result of the command."""
    from CIMLSegmentLib.training.evaluation import dice_sentences
    from CIMLSegmentLib.training.train import train

    result = train(
        prepared, task, job, output=options.output, reporter=reporter, resume=options.resume
    )
    for text in dice_sentences(result.metrics, result.facts):
        reporter.info(text)
    metrics = {name: round(value, 4) for name, value in result.metrics.items()}
    means = result.facts.evaluation_dice
    tested = {"cases": sorted(result.facts.evaluation)} if means else {}
    return {
        "model": str(result.folder),
        "best_step": result.best_step,
        "stopped_early": result.stopped_early,
        **metrics,
        "evaluation": {**tested, **{name: round(value, 4) for name, value in means.items()}},
    }


def _validation_cases(
    options: argparse.Namespace, prepared: TrainingSet, job: TrainingJob, record: CohortRecord
) -> tuple[str, ...]:
    """Return the cases that validate, which the record keeps from round to round."""
    from CIMLSegmentLib.training.kept_split import validation_cases

    training = job.training
    return validation_cases(
        prepared.cases,
        record,
        share=training.validation_share,
        seed=training.seed,
        keep=not options.estimate,
    )


def _side(text: str) -> int:
    if not text.isdecimal() or int(text) < SMALLEST_SIDE:
        msg = f"expected a whole number of at least {SMALLEST_SIDE} voxels, got {text!r}"
        raise argparse.ArgumentTypeError(msg)
    return int(text)


def task_of_options(options: argparse.Namespace, cohort: Cohort) -> Task:
    """Read the task of `options.task`, with `options.primary` where it leaves that open.

    Raises:
        UsageError: If the cohort has no such modality.
        ModelError: If the task cannot be used.
    """
    if options.primary is not None and options.primary not in cohort.modalities:
        names = ", ".join(cohort.modalities)
        msg = f"The cohort has no modality {options.primary}. Give --primary one of {names}."
        raise UsageError(msg)
    kinds = {modality: modality_kind(modality) for modality in cohort.modalities}
    return load_task(options.task, cohort=CohortModalities(kinds, options.primary))


def _spec(
    options: argparse.Namespace, cases: Sequence[Case], task: Task, start: ModelDescription | None
) -> PreprocessingSpec:
    given = options.spacing
    if given is not None and not 0 < given < inf:
        msg = f"Expected a --spacing above 0 mm, got {given}."
        raise UsageError(msg)
    if given is not None:
        spacing_mm = (given,) * 3
    else:
        spacing_mm = start.preprocessing.spacing_mm if start else training_spacing(cases, task)
    return PreprocessingSpec(spacing_mm, dict(task.modalities))


def _expected_config(options: argparse.Namespace) -> TrainingConfig:
    """Return the settings as far as they are known before the cases are prepared."""
    side = min(options.largest_patch, LARGEST_PATCH)
    config = settings_from_options(TrainingConfig, options, patch_size=(side,) * 3)
    if options.estimate:
        return replace(config, n_steps=N_PROBED, validation_interval=N_PROBED)
    return config


def _training_job(
    options: argparse.Namespace,
    prepared: TrainingSet,
    settings: Mapping[str, Mapping[str, object]],
    start: ModelDescription | None,
) -> TrainingJob:
    largest = options.largest_patch
    if start is None:
        features = BASE_FEATURES if options.features is None else options.features
        plan = plan_for_cases(prepared, base_features=features, largest_patch=largest)
    else:
        patch = patch_for_network(prepared, start.network, largest_patch=largest)
        plan = NetworkPlan(patch, start.network)
    training = settings_from_options(
        TrainingConfig,
        options,
        patch_size=plan.patch_size,
        warmup_steps=min(TrainingConfig().warmup_steps, max(options.n_steps // 10, 1)),
    )
    chosen = options.validation_case
    where = f"the settings {options.settings}"
    return TrainingJob(
        changed_config(training, settings["training"], where=where),
        changed_config(plan.network, settings["network"], where=where),
        kind=options.kind,
        device=options.device,
        validation_cases=chosen and tuple(same_name(case_id) for case_id in chosen),
        start=options.start,
    )
