"""What a retrospective rests on and what limits it, in full sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from MDALSelectorLib.retrospect.class_cohort import ClassCohort
from MDALSelectorLib.retrospect.cohort_with_labels import CohortWithLabels
from MDALSelectorLib.retrospect.config import (
    COMPARED,
    PLAIN_DRAWS,
    RANDOM,
    SITE_RANDOM,
    RetrospectConfig,
)
from MDALSelectorLib.retrospect.evaluation import N_RESAMPLES
from MDALSelectorLib.retrospect.outcomes import FoldResult, Outcome
from MDALSelectorLib.retrospect.pairing_check import note_on_pairing
from MDALSelectorLib.retrospect.retrospective import luck_of_the_best
from MDALSelectorLib.retrospect.sites import Sites
from MultimodalImagingLib.jobs.texts import counted, joined, listed

PROXY = (
    "The learner is a proxy: ridge regression on fixed local features, trained in milliseconds. A"
    " segmentation network reaches higher Dice and may order the strategies differently; let"
    " nnU-Net or your own network check what you rely on (--export nnunet)."
)
NETWORK = (
    "The learner is one small network, {n_steps} steps at {spacing:g} mm for every set, however"
    " many cases it has. Sets that a strategy chose are trained {seeds}; a random draw is trained"
    " once, so that the spread of the draws, and with it every interval, holds the noise of"
    " training, too. A network that is trained for long reaches higher Dice; let nnU-Net or your"
    " own network check what you rely on (--export nnunet)."
)
CLASSES = (
    "The learner is logistic regression on the embeddings of cases, regularized alike for every"
    " set; embeddings see the images of all cases and no class. What is told is the balanced"
    " accuracy: naming one class every time reaches {chance:.2f}. {shares}"
)
INTERVALS = (
    "Intervals are from {n} resamples of the patients that were tested on, widened by what the"
    " choice of training cases alone makes out: overlapping folds choose nearly the same cases, so"
    " they count as the few independent choices that they are."
)


def notes_on(
    results: Sequence[FoldResult],
    labelled: CohortWithLabels,
    config: RetrospectConfig,
    at_main: Sequence[Outcome],
    *,
    to_check: Mapping[str, Sequence[str]],
    sites: Sites,
) -> tuple[str, ...]:
    """Return the notes of a run.

    Args:
        results: The outer folds.
        labelled: The cohort.
        config: What was asked for.
        at_main: Outcomes at the budget that the sentence speaks of.
        to_check: What speaks against the pairing of cases, by case.
        sites: Where the cases come from.
    """
    n_folds = len(results)
    compared = [o for o in at_main if o.strategy not in PLAIN_DRAWS]
    notes = [
        _about_classes(labelled) if isinstance(labelled, ClassCohort) else _about_learner(config),
        f"{config.n_partitions} x {config.n_folds} outer folds by patient, {config.n_draws} random"
        " draws each. Test cases take no part in choosing: the pool's PMI"
        f" ({_estimators(results)}), embeddings and scales are computed from the pool alone.",
        INTERVALS.format(n=N_RESAMPLES),
    ]
    luck = luck_of_the_best(at_main)
    if luck > 0:
        notes.append(
            f"{len(compared)} strategies were compared: if none of them knew anything, the best"
            f" would still lie about {luck:.3f} above the median random draw."
        )
    notes.append(about_benefit(compared, luck))
    notes += _about_mean(at_main)
    notes += _about_signal(results)
    lacking = [o.strategy for o in compared if o.n_folds < n_folds]
    if lacking:
        notes.append(f"{listed(lacking)} could not choose in every fold.")
    missing = _not_compared(at_main, config)
    if missing:
        notes.append(f"Not compared, for want of what they rank by: {listed(missing)}.")
    if config.left_out:
        notes.append(f"Left out on request: {listed(sorted(config.left_out))}.")
    notes += [note_on_pairing(to_check), sites.sentence]
    return (*notes, *labelled.remarks)


def _about_learner(config: RetrospectConfig) -> str:
    network = config.network
    if network is None:
        return PROXY
    seeds = "once" if network.n_seeds == 1 else f"{network.n_seeds} times with other seeds"
    return NETWORK.format(n_steps=network.n_steps, spacing=network.spacing_mm, seeds=seeds)


def _about_classes(cohort: ClassCohort) -> str:
    counts = Counter(case.name for case in cohort.cases)
    shares = joined([f"{name} {counts[name]}" for name in cohort.names])
    return CLASSES.format(chance=1 / len(counts), shares=f"Cases per class: {shares}.")


def about_benefit(compared: Sequence[Outcome], luck: float) -> str:
    """Say which strategies are told from random draws, if any is.

    Args:
        compared: Outcomes of all strategies at a budget.
        luck: How far the best would lie above by chance, Dice.
    """
    better = [o.strategy for o in compared if o.low > 0 and o.difference > luck]
    if better:
        return f"Above random draws by more than chance explains: {joined(sorted(better))}."
    return (
        "No benefit over random draws was shown: no strategy has its whole interval above zero and"
        " lies further above than the best would by luck."
    )


def _about_mean(at_main: Sequence[Outcome]) -> list[str]:
    """Say where knowing nothing ends: draws are skewed, a mean of choices lies at their mean."""
    mean = next((o.difference for o in at_main if o.strategy == RANDOM), 0.0)
    side = "above" if mean > 0 else "below"
    return [
        f"The mean random draw lies {abs(mean):.3f} {side} the median one: that is where a strategy"
        " ends that knows nothing."
    ]


def _estimators(results: Sequence[FoldResult]) -> str:
    counts = Counter(result.plan.estimator for result in results)
    if len(counts) == 1:
        return f"{next(iter(counts))} estimator"
    parts = [f"{name} estimator in {counted(n, 'fold')}" for name, n in sorted(counts.items())]
    return joined(parts)


def _about_signal(results: Sequence[FoldResult]) -> list[str]:
    without = sum(not result.plan.has_signal for result in results)
    if not without:
        return []
    return [
        f"In {without} of {len(results)} folds no pair of modalities shared more than chance."
        " `select` would have used TypiClust there; here all pairs that could be scored were ranked"
        " by."
    ]


def _not_compared(at_main: Sequence[Outcome], config: RetrospectConfig) -> list[str]:
    usual = [n for n in COMPARED if n not in ("Score", "Epistemic", "EpistemicMD", SITE_RANDOM)]
    wanted = config.strategies or usual
    there = {outcome.strategy for outcome in at_main}
    return [name for name in wanted if name not in there]
