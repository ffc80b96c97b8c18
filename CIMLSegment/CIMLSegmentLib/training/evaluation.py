"""The Dice on the evaluation set, when a training has ended: of cases that had no part in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from CIMLSegmentLib.config import InferenceConfig
from CIMLSegmentLib.inference.sliding_window import WindowPlan
from CIMLSegmentLib.model.model_description import EvaluatedCase, ModelFacts
from CIMLSegmentLib.network.baselines import Baseline
from CIMLSegmentLib.network.network import CIMLNet
from CIMLSegmentLib.training.job_stages import EVALUATE
from CIMLSegmentLib.training.training_case import TrainingCase
from CIMLSegmentLib.training.training_run import TrainingData, TrainingRun
from CIMLSegmentLib.training.training_state import keep_best
from CIMLSegmentLib.training.validation import validate_case
from MultimodalImagingLib.jobs.progress import Reporter
from MultimodalImagingLib.jobs.texts import counted, listed


def unseen_by_start(data: TrainingData, reporter: Reporter) -> tuple[TrainingCase, ...]:
    """Return the evaluation set without the cases that the model to start from has seen.

    Args:
        data: What the training works on.
        reporter: Notified of cases that are left out.
    """
    cases = data.evaluation
    if data.inherited is None:
        return cases
    start, seen = data.inherited.start.name, {*data.inherited.seen}
    known = [case.case_id for case in cases if case.case_id in seen]
    if known:
        reporter.warning(
            f"{len(known)} of {counted(len(cases), 'evaluation case')}"
            f" {'was' if len(known) == 1 else 'were'} seen by the model {start}, from which this"
            f" training starts, and cannot test it: {listed(known)}."
        )
    return tuple(case for case in cases if case.case_id not in known)


def evaluated(
    run: TrainingRun,
    network: CIMLNet | Baseline,
    cases: Sequence[TrainingCase],
    reporter: Reporter,
) -> dict[str, EvaluatedCase]:
    """Segment the evaluation set with the best network, and note it in the model.

    Args:
        run: The training, which has ended.
        network: Its best network, on the CPU; it is there again afterwards.
        cases: The cases.
        reporter: Notified of every case.

    Raises:
        CrossModalError: If the model cannot be written; it is then there without these figures.
        CancelledError: If the user asked to stop; as above.
    """
    if not cases or not run.processes.is_first:
        return {}
    device = run.processes.device
    # As a case is segmented later: the figure stands beside those of segmentations.
    plan = WindowPlan(tuple(run.job.training.patch_size), InferenceConfig(), device)
    reporter.stage(EVALUATE, len(cases))
    network.to(device)
    found = {}
    for case in cases:
        score = validate_case(network, case, plan)
        found[case.case_id] = EvaluatedCase(dict(score.dice), dict(score.hd95_mm))
        reporter.advance()
    network.cpu()
    description = run.data.description
    keep_best(
        run.data.folder,
        network,
        replace(description, facts=replace(description.facts, evaluation=found)),
        step=run.progress.best_step,
        metrics=run.progress.best_metrics,
    )
    return found


def dice_sentences(metrics: Mapping[str, float], facts: ModelFacts) -> tuple[str, ...]:
    """Say which cases each Dice of a training comes from.

    Args:
        metrics: Validation figures of the kept state.
        facts: Of the model.
    """
    texts = []
    if "dice" in metrics:
        cases = counted(len(facts.validation_cases), "validation case")
        texts.append(
            f"Dice {metrics['dice']:.3f} on {cases}, by which the state of the model was chosen:"
            " it flatters."
        )
    means = facts.evaluation_dice
    if means:
        n = len(facts.evaluation)
        regions = ", ".join(
            f"{name.removeprefix('dice ')} {value:.3f}"
            for name, value in means.items()
            if name != "dice"
        )
        texts.append(
            f"Dice {means['dice']:.3f} on the evaluation set, {counted(n, 'case')} that had no"
            f" part in the training ({regions})."
        )
    else:
        texts.append(
            "No labeled case is set aside for testing, so no Dice says how good the model is on new"
            " cases. Set some aside with `mdal-selector evaluation` and label them."
        )
    return tuple(texts)
