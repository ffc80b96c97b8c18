"""The command `round`: the end of a round of labeling, after its training. Starts without torch.

Segments the evaluation cases and all cases without a label with the model of the round, and notes
the round in the record of the cohort: labels, model, Dice of every evaluation case.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from CIMLSegmentLib.commands.train import find_cohort_apart
from CIMLSegmentLib.commands.training_labels import add_labels_arguments
from CIMLSegmentLib.config import InferenceConfig
from CIMLSegmentLib.model.result_place import result_place
from CIMLSegmentLib.model.shipped_models import MODEL_HELP, model_folder
from MultimodalImagingLib.cohorts.cases import Case, Cohort
from MultimodalImagingLib.cohorts.evaluation_set import read_evaluation_set, split_held_out
from MultimodalImagingLib.cohorts.labelled_cases import labelled_cases
from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.images.stored_image import ImageFile
from MultimodalImagingLib.jobs.command_line import add_modality_argument
from MultimodalImagingLib.jobs.progress import Reporter
from MultimodalImagingLib.jobs.texts import counted
from MultimodalImagingLib.record.atomic_folder import tidy_up
from MultimodalImagingLib.record.case_states import utc_now
from MultimodalImagingLib.record.cohort_record import CaseState, CohortRecord, open_record
from MultimodalImagingLib.record.history import append_event
from MultimodalImagingLib.record.rounds import Round, append_round, read_rounds

DiceTable = Mapping[str, Mapping[str, float | None]]


@dataclass(frozen=True)
class RoundCases:
    """What is segmented at the end of a round.

    Attributes:
        references: Label of every labeled evaluation case that the model has not seen.
        evaluation: These cases.
        rest: Cases without a label that are neither skipped nor set aside: they get drafts.
    """

    references: Mapping[str, ImageFile]
    evaluation: tuple[Case, ...]
    rest: tuple[Case, ...]


def add_round_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the `round` command to its parser."""
    parser.add_argument("cohort", type=Path, help="folder of the cohort, or a CSV manifest")
    parser.add_argument("--model", type=model_folder, required=True, help=MODEL_HELP)
    add_labels_arguments(parser)
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda or cuda:1")
    add_modality_argument(parser)


def run_round(options: argparse.Namespace, reporter: Reporter) -> int:
    """Run the `round` command; cases that the model has segmented already are kept.

    Returns:
        Exit code 0, or 1 if some cases were not segmented.

    Raises:
        CrossModalError: If the model cannot be used, or the record cannot be written.
        CancelledError: If the user asked to stop; finished drafts are kept.
    """
    cohort = find_cohort_apart(options, reporter)
    record = open_record(cohort.root, folder=options.record)
    from CIMLSegmentLib.model.model_files import read_model_files  # loads torch

    model = read_model_files(options.model)
    facts = model.description.facts
    labels = labels_of_cohort(cohort, facts.seen_cases, options.model)
    cases = round_cases(cohort, record, facts.seen_cases, labels=options.labels)
    from CIMLSegmentLib.inference.devices import keep_freed_memory
    from CIMLSegmentLib.inference.segmentation_job import SegmentationJob, segment_cases
    from CIMLSegmentLib.model.model import load_model

    keep_freed_memory()
    place = result_place(record, options.model)
    tidy_up(place)
    job = SegmentationJob(InferenceConfig(device=options.device), place)
    todo = (*cases.evaluation, *cases.rest)
    outcome = segment_cases(todo, lambda: load_model(options.model), job, reporter=reporter)
    finished = {*outcome.done, *outcome.kept}
    n_drafts = len(finished & {case.case_id for case in cases.rest})
    dice = _evaluated(place, cases, finished, options.label_values, reporter)
    start = "" if facts.started_from is None else facts.started_from.name
    new = Round(
        number=0,
        labels=labels,
        model=_in_record(record, options.model),
        model_id=f"{model.description.model_id}-{facts.step}-{model.sha256[:16]}",
        at=utc_now(),
        evaluation=dice,
        n_drafts=n_drafts,
        started_from=start,
    )
    done = noted_round(record, new)
    append_event(record, "segmented", details={"model": done.model, "drafts": n_drafts})
    reporter.info(
        f"Round {done.number}: {counted(len(labels), 'label')}, {counted(n_drafts, 'draft')}."
        f" {_dice_sentence(done)}"
    )
    reporter.result(
        {
            "round": done.number,
            "output": str(place),
            "drafts": n_drafts,
            "evaluation": {case: dict(values) for case, values in dice.items()},
            "failed": dict(outcome.failed),
        }
    )
    return 1 if outcome.failed else 0


def round_cases(
    cohort: Cohort, record: CohortRecord, seen: set[str], *, labels: Path | None = None
) -> RoundCases:
    """Find what is to be segmented at the end of a round.

    Evaluation cases without a label get no draft: whoever labels them shall not see one.

    Args:
        cohort: The cohort.
        record: Its record.
        seen: Cases that the model has seen; no case of their patients is evaluated on.
        labels: Folder of label maps; `None` for those of record and cohort.

    Raises:
        CohortError: If the record cannot be read.
    """
    states, held = record.read_states(), read_evaluation_set(cohort, record)
    known_patients = {case.patient_id for case in cohort.cases if case.case_id in seen}
    labelled = {case.case_id: case for case in labelled_cases(cohort, record, labels)}
    _, tests = split_held_out(tuple(labelled.values()), held)
    evaluation = [case for case in tests if case.patient_id not in known_patients]
    rest = tuple(
        case
        for case in cohort.cases
        if case.case_id not in labelled
        and case.case_id not in held.cases
        and states.of(case.case_id) not in (CaseState.SKIPPED, CaseState.LABELLED)
    )
    references = {case.case_id: case.label for case in evaluation if case.label is not None}
    return RoundCases(references, tuple(evaluation), rest)


def labels_of_cohort(cohort: Cohort, seen: set[str], model: Path) -> tuple[str, ...]:
    """Return the cases of a cohort that had a part in a model, in their order.

    Args:
        cohort: The cohort.
        seen: Cases that the model, or one that it started from, has seen.
        model: Its folder.

    Raises:
        UsageError: If there is none: then it is no round of this cohort.
    """
    labels = tuple(case.case_id for case in cohort.cases if case.case_id in seen)
    if not labels:
        msg = (
            f"Expected a model that was trained on cases of {cohort.root.name}, but {model.name}"
            " has seen none of them, so it ends no round. Train one with `ciml-segmenter train`, or"
            " make drafts with `ciml-segmenter segment`."
        )
        raise UsageError(msg)
    return labels


def noted_round(record: CohortRecord, new: Round) -> Round:
    """Add a round to the record; the one of the same model is replaced.

    Args:
        record: The record.
        new: The round; its number is found here.

    Raises:
        CrossModalError: If the record cannot be written.
    """
    rounds = read_rounds(record)
    same = [entry.number for entry in rounds if entry.model_id == new.model_id]
    number = same[0] if same else max((entry.number for entry in rounds), default=0) + 1
    found = replace(new, number=number)
    append_round(record, found)
    return found


def _evaluated(
    place: Path, cases: RoundCases, finished: set[str], label_values: str, reporter: Reporter
) -> DiceTable:
    """Return the Dice of every evaluation case and region."""
    from CIMLSegmentLib.results.evaluation import evaluate_results

    references = {name: file for name, file in cases.references.items() if name in finished}
    if not references:
        return {}
    found = evaluate_results(
        place, references, label_values=label_values, set_aside=references, reporter=reporter
    )
    dice: dict[str, dict[str, float | None]] = {}
    for score in found.scores:
        is_empty = score.predicted_ml == 0 and score.reference_ml == 0
        dice.setdefault(score.case_id, {})[score.region] = None if is_empty else score.dice
    return dice


def _dice_sentence(done: Round) -> str:
    if done.mean_dice is None:
        return "No labeled evaluation case, so there is no Dice that the model has not seen."
    cases = counted(len(done.case_dice), "evaluation case")
    return f"Mean Dice {done.mean_dice:.3f} on {cases} that the model has not seen."


def _in_record(record: CohortRecord, model: Path) -> str:
    try:
        return model.resolve().relative_to(record.folder.resolve()).as_posix()
    except ValueError:
        return str(model)
