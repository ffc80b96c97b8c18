"""Cases whose modalities do not seem to belong together: misaligned, swapped, or a wrong series.

The limits come from the cohort itself, so that a pair of modalities that never lies well on each
other (PET on a breathing chest) needs more before it is flagged than one that always does.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from MDALSelectorLib.case_flags import CHECK_PAIRING, Flag
from MDALSelectorLib.pairing.alignment import AlignmentMeasures, Pair
from MDALSelectorLib.pairing.config import PairingConfig
from MultimodalImagingLib.images.arrays import Float64Array
from MultimodalImagingLib.jobs.texts import joined

# Offsets from several modalities that differ less from their mean are reported as one.
SAME_OFFSET_MM = 3.0
# Along the positive and the negative LPS axis.
DIRECTIONS = (("left", "right"), ("posterior", "anterior"), ("superior", "inferior"))


def pairing_flags(
    measures: AlignmentMeasures,
    *,
    pmi_nats: Float64Array | None = None,
    config: PairingConfig | None = None,
) -> dict[str, tuple[Flag, ...]]:
    """Flag the cases whose modalities do not seem to belong together.

    A modality that agrees with no other one better than with other patients' images does not belong
    to the case. Of the rest, pairs are flagged that agree clearly better after a shift; the limit
    is the one that the exponential tail of the cohort's gains exceeds with `false_flag_rate`.

    Args:
        measures: Alignment of all cases.
        pmi_nats: PMI per case and pair in nats, `(n_cases, n_pairs)`, cases and pairs as in
            `measures`; NaN where there is none.
        config: Limits.

    Returns:
        Flags of kind `"check pairing"` for each flagged case, in the order of the cases.
    """
    config = config or PairingConfig()
    shifted = _shifted(measures, config)
    mismatched = _unexplained_by_shift(_mismatched_modalities(measures, config), measures, shifted)
    surprising = _surprising(measures, pmi_nats, config)
    flags: dict[str, tuple[Flag, ...]] = {}
    for index, case_id in enumerate(measures.case_ids):
        modalities = mismatched[index]
        pairs = [pair for pair in shifted[index] if not set(pair) & set(modalities)]
        reasons = mismatch_reasons(measures, index, modalities)
        reasons += shift_reasons(measures, index, pairs)
        reasons += [] if reasons else surprising[index]
        if reasons:
            flags[case_id] = tuple(Flag(CHECK_PAIRING, reason) for reason in reasons)
    return flags


def gain_limits(measures: AlignmentMeasures, config: PairingConfig) -> dict[Pair, float]:
    """Return the gain above which each pair counts as misaligned.

    Gains of aligned cases fall off about exponentially above their median. With the scale from the
    median and the third quartile, which a few misaligned cases do not move, the limit is exceeded
    by `false_flag_rate / n_pairs` of the aligned cases.
    """
    limits = {}
    for pair, values in measures.gain.items():
        known = values[np.isfinite(values)]
        if len(known) < config.min_cases:
            limits[pair] = config.absolute_gain
            continue
        median, upper = np.quantile(known, (0.5, 0.75))
        scale = (upper - median) / math.log(2)
        tail = math.log(0.5 * len(measures.gain) / config.false_flag_rate)
        limits[pair] = max(float(median + scale * tail), config.min_gain)
    return limits


def _shifted(measures: AlignmentMeasures, config: PairingConfig) -> list[list[Pair]]:
    """Pairs of each case that agree clearly better after a shift of at least one voxel."""
    limits = gain_limits(measures, config)
    distance = {p: np.linalg.norm(offset, axis=1) for p, offset in measures.offset_mm.items()}
    return [
        [
            pair
            for pair, limit in limits.items()
            if measures.gain[pair][index] > limit and distance[pair][index] >= measures.spacing_mm
        ]
        for index in range(len(measures.case_ids))
    ]


def _mismatched_modalities(measures: AlignmentMeasures, config: PairingConfig) -> list[list[str]]:
    """Modalities of each case that agree with no other one as images of one patient do."""
    found: list[list[str]] = [[] for _ in measures.case_ids]
    for modality in dict.fromkeys(name for pair in measures.pairs for name in pair):
        pairs = [pair for pair in measures.pairs if modality in pair]
        by_z = _best([measures.unrelated_z[pair] for pair in pairs])
        by_agreement = _best([measures.agreement[pair] for pair in pairs])
        is_mismatched = np.where(
            np.isfinite(by_z),
            by_z < _mismatch_limit(by_z, config),
            by_agreement < config.absolute_agreement,
        )
        for index in np.flatnonzero(is_mismatched):
            found[index].append(modality)
    return found


def _unexplained_by_shift(
    mismatched: list[list[str]], measures: AlignmentMeasures, shifted: list[list[Pair]]
) -> list[list[str]]:
    """Leave out those that a shift brings to the agreement usual in the cohort."""
    usual = {
        pair: float(np.quantile(values[np.isfinite(values)], 0.25))
        for pair, values in measures.agreement.items()
        if np.isfinite(values).any()
    }
    left = []
    for index, modalities in enumerate(mismatched):
        explained = [
            pair
            for pair in shifted[index]
            if measures.agreement[pair][index] + measures.gain[pair][index] >= usual[pair]
        ]
        left.append([m for m in modalities if not any(m in pair for pair in explained)])
    return left


def _mismatch_limit(scores: Float64Array, config: PairingConfig) -> float:
    """Return a third of the usual distance, at most `max_unrelated_z`.

    Images of other patients lie around 0 with unit spread, own ones around the median with a spread
    that grows with it; a third of the way up, few of either kind are on the wrong side.
    """
    known = scores[np.isfinite(scores)]
    usual = float(np.median(known)) if len(known) else 0.0
    return min(config.max_unrelated_z, usual / 3) if usual >= config.min_usual_z else -math.inf


def _best(columns: Sequence[Float64Array]) -> Float64Array:
    """Largest value per case, NaN where there is none."""
    table = np.array(columns)
    best = np.where(np.isfinite(table), table, -np.inf).max(axis=0)
    return np.where(np.isfinite(best), best, np.nan)


def _surprising(
    measures: AlignmentMeasures, pmi_nats: Float64Array | None, config: PairingConfig
) -> list[list[str]]:
    """Sentences about pairs whose PMI lies far below that of all other cases."""
    found: list[list[str]] = [[] for _ in measures.case_ids]
    columns = () if pmi_nats is None else zip(measures.pairs, pmi_nats.T, strict=True)
    for (first, second), values in columns:
        known = values[np.isfinite(values)]
        if len(known) < config.min_cases:
            continue
        lower, median, upper = np.quantile(known, (0.25, 0.5, 0.75))
        limit = lower - config.pmi_iqr * (upper - lower)
        for index in np.flatnonzero(np.isfinite(values) & (values < limit)):
            found[index].append(
                f"{first} and {second} share {median - values[index]:.1f} nats less than the"
                " cohort's median, far less than any usual case. Look at both before labeling."
            )
    return found


def mismatch_reasons(
    measures: AlignmentMeasures, index: int, modalities: Sequence[str]
) -> list[str]:
    """Return one sentence per modality that does not belong to the case."""
    available = [p for p in measures.pairs if np.isfinite(measures.agreement[p][index])]
    if len(modalities) > 1 and len(available) == 1:
        return [
            f"{joined(modalities)} do not seem to belong together: their edges agree hardly better"
            " than those of two patients would. Wrong patient, wrong series, or far out of place."
        ]
    reasons = []
    for modality in modalities:
        partners = [next(m for m in p if m != modality) for p in available if modality in p]
        reasons.append(
            f"{modality} does not seem to belong to this case: its edges agree with those of"
            f" {joined(partners)} hardly better than another patient's would. Wrong patient, wrong"
            " series, or far out of place."
        )
    return reasons


def shift_reasons(measures: AlignmentMeasures, index: int, pairs: Sequence[Pair]) -> list[str]:
    """Return one sentence for a modality that is off several others, and one per other pair."""
    if not pairs:
        return []
    counts = Counter(modality for pair in pairs for modality in pair)
    culprit, n_pairs = max(counts.items(), key=lambda item: item[1])
    own = [pair for pair in pairs if n_pairs > 1 and culprit in pair]
    groups = [(culprit, own)] if own else []
    groups += [(pair[1], [pair]) for pair in pairs if pair not in own]
    return [_off_text(measures, index, moved, group) for moved, group in groups]


def _off_text(measures: AlignmentMeasures, index: int, moved: str, pairs: Sequence[Pair]) -> str:
    """Say how far a modality lies off others; in one figure where the estimates agree."""
    offsets = {}
    for first, second in pairs:
        sign = 1.0 if moved == second else -1.0
        still = first if moved == second else second
        offsets[still] = sign * measures.offset_mm[first, second][index]
    mean = np.mean(list(offsets.values()), axis=0)
    spread = max(float(np.linalg.norm(offset - mean)) for offset in offsets.values())
    if spread <= SAME_OFFSET_MM:
        parts = [f"{_distance_text(mean)} off {joined(list(offsets))}"]
    else:
        parts = [f"{_distance_text(offset)} off {still}" for still, offset in offsets.items()]
    return f"{moved} lies {joined(parts)}. Check the alignment before labeling."


def _distance_text(offset_mm: Float64Array) -> str:
    axis = int(np.argmax(np.abs(offset_mm)))
    side = DIRECTIONS[axis][0 if offset_mm[axis] > 0 else 1]
    return f"about {np.linalg.norm(offset_mm):.0f} mm (mostly {side})"
