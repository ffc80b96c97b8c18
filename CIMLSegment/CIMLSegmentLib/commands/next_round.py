"""The command `round`: the end of a round of labeling, after its training. Starts without torch.

Segments the evaluation cases and all cases without a label with the model of the round, and notes
the round in the record of the cohort: labels, model, Dice of every evaluation case.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from CIMLSegmentLib.commands.evaluate import add_label_values_argument
from CIMLSegmentLib.commands.train import find_cohort_apart
from CIMLSegmentLib.config import InferenceConfig
from CIMLSegmentLib.model.result_place import result_place
from CIMLSegmentLib.model.shipped_models import MODEL_HELP, model_folder
from MultimodalImagingLib.cohorts.cases import Case, Cohort
from MultimodalImagingLib.cohorts.labelled_cases import labelled_cases
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
    parser.add_argument(
        "--labels",
        type=Path,
        metavar="FOLDER",
        help="label maps that are named like the cases; default: the label files of the cohort and"
        " of its record",
    )
    add_label_values_argument(parser)
    parser.add_argument("--record", type=Path, help="folder of the cohort's record")
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

    facts = read_model_files(options.model)[1].facts
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
    labels = tuple(sorted((*facts.training_cases, *facts.validation_cases)))
    done = noted_round(record, options.model, labels, dice, n_drafts)
    append_event(record, "segmented", details={"model": done.model, "drafts": n_drafts})
    reporter.info(
        f"Round {done.number}: {counted(len(labels), 'label')}, {counted(n_drafts, 'draft')}."
        f" {_dice_sentence(dice)}"
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
        seen: Cases that the model has seen; they are not evaluated on.
        labels: Folder of label maps; `None` for those of record and cohort.

    Raises:
        CohortError: If the record cannot be read.
    """
    states = record.read_states()
    labelled = {case.case_id: case for case in labelled_cases(cohort, record, labels)}
    evaluation = [
        case for name, case in labelled.items() if name in states.evaluation and name not in seen
    ]
    rest = tuple(
        case
        for case in cohort.cases
        if case.case_id not in labelled
        and case.case_id not in states.evaluation
        and states.of(case.case_id) not in (CaseState.SKIPPED, CaseState.LABELLED)
    )
    references = {case.case_id: case.label for case in evaluation if case.label is not None}
    return RoundCases(references, tuple(evaluation), rest)


def noted_round(
    record: CohortRecord, model: Path, labels: tuple[str, ...], dice: DiceTable, n_drafts: int
) -> Round:
    """Add a round to the record; the one of the same model is replaced.

    Args:
        record: The record.
        model: Folder of the model.
        labels: Cases that it was trained and validated on.
        dice: Dice per evaluation case and region; `None` where neither label nor result has it.
        n_drafts: How many cases have a draft.

    Raises:
        CrossModalError: If the record cannot be written.
    """
    from CIMLSegmentLib.model.model_files import read_model_files

    model_id = str(read_model_files(model)[1].model_id)
    rounds = read_rounds(record)
    same = [entry.number for entry in rounds if entry.model_id == model_id]
    number = same[0] if same else max((entry.number for entry in rounds), default=0) + 1
    found = Round(number, labels, _in_record(record, model), model_id, utc_now(), dice, n_drafts)
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
    found = evaluate_results(place, references, label_values=label_values, reporter=reporter)
    dice: dict[str, dict[str, float | None]] = {}
    for score in found.scores:
        is_empty = score.predicted_ml == 0 and score.reference_ml == 0
        dice.setdefault(score.case_id, {})[score.region] = None if is_empty else score.dice
    return dice


def _dice_sentence(dice: DiceTable) -> str:
    values = [value for regions in dice.values() for value in regions.values() if value is not None]
    if not values:
        return "No labeled evaluation case, so there is no Dice that the model has not seen."
    return (
        f"Mean Dice {sum(values) / len(values):.3f} on {counted(len(dice), 'evaluation case')} that"
        " the model has not seen."
    )


def _in_record(record: CohortRecord, model: Path) -> str:
    try:
        return model.resolve().relative_to(record.folder.resolve()).as_posix()
    except ValueError:
        return str(model)
