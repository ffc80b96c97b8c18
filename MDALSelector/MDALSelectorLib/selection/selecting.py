"""From scores to a selection: which cases, in which order, why, and with what caveats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from MDALSelectorLib.case_flags import (
    CHECK_PAIRING,
    EVALUATION,
    HOLDING_BACK,
    NOT_RANKABLE,
    PAIRING_ACCEPTED,
    SKIPPED,
    Flag,
)
from MDALSelectorLib.estimation.features import principal_components
from MDALSelectorLib.selection.budget import check_candidates
from MDALSelectorLib.selection.case_selection import MEASURES, CaseSelection, Fallback, RankedCase
from MDALSelectorLib.selection.cohort_scores import CohortScores
from MDALSelectorLib.selection.comparison import compare_strategies
from MDALSelectorLib.selection.config import SelectionRequest
from MDALSelectorLib.selection.diagnostics import Pair, Trust, judge_trust
from MDALSelectorLib.strategies import make_strategy
from MDALSelectorLib.strategies.base import Strategy, StrategyOptions, strategy_generator
from MDALSelectorLib.strategies.epistemic import Epistemic
from MDALSelectorLib.strategies.pool import (
    EPISTEMIC,
    MODALITY_DIFFERENCE,
    VOXEL_NMI,
    Pool,
    Ranking,
)
from MultimodalImagingLib.images.arrays import Float64Array, MaskArray

FALLBACK_STRATEGY = "TypiClust"
UNSCORED = (
    "no pair of its modalities was scored, so it has no modality difference; strategies that need"
    " none (TypiClust, KCenter, ALPS, Random) can choose it"
)
NO_DRAFT = (
    "it has no draft that says how sure the model is; segment it, or choose a strategy that needs"
    " no draft"
)
# What a reason begins with, by the kind of a flag.
HEADS = {
    EVALUATION: "not to be trained on",
    SKIPPED: "skipped",
    CHECK_PAIRING: "check the pairing",
    NOT_RANKABLE: "not ranked",
}
# One in half a billion: larger figures are an odd image's, and no reader can believe them.
MOST_NATS = 20.0
# Smaller figures are no difference at all.
LEAST_NATS = 0.005


def make_selection(scores: CohortScores, request: SelectionRequest) -> CaseSelection:
    """Rank the cases of a cohort, say why, and compare with what other strategies would do.

    A strategy that ranks by modality difference is replaced by TypiClust where there is too little
    cross-modal signal; one that mixes it with the model's uncertainty goes by that alone. Problems,
    configuration, versions and pictures are for the caller to add (`dataclasses.replace`).

    Raises:
        UsageError: If the strategy is unknown, lacks what it ranks by, or the budget does not fit.
        ValueError: If embeddings are not finite.
    """
    n_scored = int(np.isfinite(scores.modality_difference).sum())
    trust = judge_trust(scores.diagnostics, n_cases=n_scored or len(scores.case_ids))
    asked = make_strategy(request.strategy, request.options)
    strategy, fallback = _replaced_without_signal(asked, trust, request.options)
    flags = _all_flags(scores, strategy)
    n_cases, budget = len(scores.case_ids), request.budget.n_cases
    open_cases = [name for name in scores.case_ids if name not in scores.labelled]
    check_candidates(open_cases, flags, n_cases=n_cases, budget=budget, strategy=strategy.name)
    pool = _pool(scores, flags)
    generator = strategy_generator(request.seed, strategy.name)
    ranking = strategy.rank(pool, budget, generator=generator)
    return CaseSelection(
        cohort=scores.cohort,
        modalities=scores.modalities,
        strategy=strategy.name,
        budget=request.budget,
        seed=request.seed,
        cases=_ranked_cases(scores, strategy, ranking, flags),
        diagnostics=scores.diagnostics,
        trust=trust,
        fallback=fallback,
        comparison=compare_strategies(pool, budget, seed=request.seed, options=request.options),
    )


def with_thumbnails(selection: CaseSelection, names: Mapping[str, str]) -> CaseSelection:
    """Return the selection with the pictures of its cases.

    Args:
        selection: The selection.
        names: Name of the picture in the folder of thumbnails, per case name.
    """
    cases = (replace(case, thumbnail=names.get(case.case_id)) for case in selection.cases)
    return replace(selection, cases=tuple(cases))


def _replaced_without_signal(
    asked: Strategy, trust: Trust, options: StrategyOptions
) -> tuple[Strategy, Fallback | None]:
    if trust.level != "none" or MODALITY_DIFFERENCE not in (asked.utility, *asked.also):
        return asked, None
    is_mixed = asked.utility == EPISTEMIC
    used = make_strategy(Epistemic.name if is_mixed else FALLBACK_STRATEGY, options)
    return used, Fallback(asked.name, used.name, trust.sentence)


def _all_flags(scores: CohortScores, strategy: Strategy) -> dict[str, tuple[Flag, ...]]:
    """Add what keeps a case from being ranked to the flags that it has."""
    flags = {name: _own_flags(scores, name) for name in scores.case_ids}
    is_scored = np.isfinite(scores.modality_difference)
    reasons = {}
    if MODALITY_DIFFERENCE in (strategy.utility, *strategy.also):
        reasons = dict.fromkeys(np.flatnonzero(~is_scored), UNSCORED)
    if strategy.utility == EPISTEMIC and EPISTEMIC in scores.measures:
        lacking = np.flatnonzero(~np.isfinite(scores.measures[EPISTEMIC]) & _needs_draft(scores))
        reasons |= dict.fromkeys(lacking, NO_DRAFT)
    if strategy.utility == VOXEL_NMI and VOXEL_NMI in scores.measures:
        lacking = np.flatnonzero(~np.isfinite(scores.measures[VOXEL_NMI]))
        reasons |= dict.fromkeys(lacking, "it has no pair of modalities to compare voxel by voxel")
    for row, reason in reasons.items():
        flags[scores.case_ids[row]] += (Flag(NOT_RANKABLE, reason),)
    return flags


def _needs_draft(scores: CohortScores) -> MaskArray:
    """Tell of every case whether a draft is missed where there is none, `(n_cases,)`.

    Labeled and skipped cases, and those that are set aside for testing, shall have none.
    """
    aside = {
        name
        for name, own in scores.flags.items()
        if any(flag.kind in (EVALUATION, SKIPPED) for flag in own)
    }
    return np.array([name not in scores.labelled | aside for name in scores.case_ids], dtype=bool)


def _own_flags(scores: CohortScores, name: str) -> tuple[Flag, ...]:
    own = scores.flags.get(name, ())
    if name not in scores.accepted:
        return tuple(own)
    return tuple(
        replace(flag, kind=PAIRING_ACCEPTED) if flag.kind == CHECK_PAIRING else flag for flag in own
    )


def _pool(scores: CohortScores, flags: Mapping[str, tuple[Flag, ...]]) -> Pool:
    held_back = {
        name for name, own in flags.items() if any(flag.kind in HOLDING_BACK for flag in own)
    }
    return Pool(
        case_ids=scores.case_ids,
        patient_ids=scores.patient_ids,
        embeddings=scores.embeddings,
        eligible=np.array([name not in held_back for name in scores.case_ids], dtype=bool),
        labelled=np.array([name in scores.labelled for name in scores.case_ids], dtype=bool),
        utilities=scores.measures,
        pair_z=scores.z,
    )


def _ranked_cases(
    scores: CohortScores,
    strategy: Strategy,
    ranking: Ranking,
    flags: Mapping[str, tuple[Flag, ...]],
) -> tuple[RankedCase, ...]:
    components = principal_components(scores.embeddings)
    chosen = {pick.index: pick.reason for pick in ranking.picks}
    wants_small = strategy.sign < 0 and strategy.utility == MODALITY_DIFFERENCE
    cases = []
    for rank, row in enumerate(ranking.order, start=1):
        name = scores.case_ids[row]
        pmi, z = (_per_pair(scores, table[row]) for table in (scores.pmi_nats, scores.z))
        measures = {
            m.name: float(scores.measures[m.name][row])
            for m in MEASURES
            if m.name in scores.measures
        }
        medians, is_labelled = scores.diagnostics.used_medians_nats, name in scores.labelled
        stands_out = pair_statement(pmi, z, medians, highest=wants_small)
        parts = [chosen.get(row, ""), stands_out]
        parts = parts[::-1] if strategy.utility == MODALITY_DIFFERENCE else parts
        cases.append(
            RankedCase(
                rank=rank,
                case_id=name,
                patient_id=scores.patient_ids[row],
                suggested=row in chosen,
                labelled=is_labelled,
                measures={key: value for key, value in measures.items() if np.isfinite(value)},
                pmi=pmi,
                z=z,
                components=tuple(components[row].tolist()),
                flags=flags[name],
                reason=case_reason(parts, flags[name], labelled=is_labelled),
            )
        )
    return tuple(cases)


def _per_pair(scores: CohortScores, values: Float64Array) -> dict[Pair, float]:
    pairs = [pair.pair for pair in scores.diagnostics.pairs]
    return {p: float(v) for p, v in zip(pairs, values, strict=True) if np.isfinite(v)}


def pair_statement(
    pmi: Mapping[Pair, float],
    z: Mapping[Pair, float],
    medians_nats: Mapping[Pair, float],
    *,
    highest: bool = False,
) -> str:
    """Say which pair of modalities stands out, and by how much.

    Args:
        pmi: PMI per pair of this case, nats.
        z: The same against the cohort's median and spread; decides which pair stands out.
        medians_nats: Median over the cohort per pair that counts, nats.
        highest: Whether the pair that shares the most is meant, not the one that shares the least.

    Returns:
        A part of a sentence; empty if no pair stands out on that side.
    """
    scored = sorted(pair for pair in pmi if pair in medians_nats and pair in z)
    if not scored:
        return ""
    pair = max(scored, key=z.__getitem__) if highest else min(scored, key=z.__getitem__)
    gap = pmi[pair] - medians_nats[pair]
    if (gap > 0) != highest or abs(gap) < LEAST_NATS:
        return ""
    word = "more" if highest else "less"
    return f"{pair[0]} and {pair[1]} share {nats(abs(gap))} {word} than the cohort's median"


def case_reason(parts: Sequence[str], flags: Sequence[Flag], *, labelled: bool) -> str:
    """Join the parts to one text that starts with what keeps the case from being labeled.

    Args:
        parts: What the strategy and the pairs say; empty ones are left out, and what a flag says.
        flags: Flags of the case.
        labelled: Whether the case has its label already.
    """
    heads = [_sentence("already labeled")] if labelled else []
    for kind, head in HEADS.items():
        heads += [_sentence(f"{head}: {flag.reason}") for flag in flags if flag.kind == kind]
    said = " ".join(heads)
    joined = "; ".join(part for part in parts if part and part not in said)
    return " ".join([*heads, *([_sentence(joined)] if joined else [])])


def nats(value: float) -> str:
    """Write an amount of information with one decimal, with two if it is small.

    Beyond 20 nats a figure says no more than that nothing fits.
    """
    if abs(value) > MOST_NATS:
        return f"more than {MOST_NATS:.0f} nats"
    return f"{value:.2f} nats" if abs(value) < 0.095 else f"{value:.1f} nats"


def _sentence(text: str) -> str:
    stripped = text.strip().rstrip(".")
    first = stripped.split(" ", 1)[0]
    is_word = first.islower()  # a modality or a case keeps the spelling that it has
    return f"{stripped[:1].upper() if is_word else stripped[:1]}{stripped[1:]}."
