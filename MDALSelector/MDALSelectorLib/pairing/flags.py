"""Cases whose modalities should be looked at: moved, mirrored, copied, or strange to each other.

The limits come from the cohort itself, so that a pair of modalities that never lies well on each
other (PET on a breathing chest) needs more before it is flagged than one that always does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from MDALSelectorLib.case_flags import CHECK_PAIRING, Flag
from MDALSelectorLib.pairing.alignment import AlignmentMeasures
from MDALSelectorLib.pairing.config import PairingConfig
from MDALSelectorLib.pairing.flag_texts import (
    copy_text,
    mismatch_reasons,
    pose_text,
    shift_reasons,
)
from MDALSelectorLib.pairing.foreign_images import Pair
from MDALSelectorLib.pairing.pose_findings import pose_findings
from MultimodalImagingLib.images.arrays import Float64Array

# Larger figures are an odd image's, and no reader can believe them.
MOST_NATS = 20.0


def pairing_flags(
    measures: AlignmentMeasures,
    *,
    pmi_nats: Float64Array | None = None,
    config: PairingConfig | None = None,
) -> dict[str, tuple[Flag, ...]]:
    """Flag the cases whose modalities do not seem to belong together.

    Flagged are copies of one image, modalities that fit better mirrored, turned or far from where
    they lie, and those that agree with no other one better than with other patients' images. Of the
    rest, pairs are flagged that agree clearly better after a shift; the limit is the one that the
    exponential tail of the cohort's gains exceeds with `false_flag_rate`.

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
    foreign = foreign_partners(measures, config)
    mismatched = _unexplained_by_shift(_mismatched_modalities(measures, config), measures, shifted)
    posed, copies = pose_findings(measures, config), _copies(measures, config)
    surprising = _surprising(measures, pmi_nats, config)
    flags: dict[str, tuple[Flag, ...]] = {}
    for index, case_id in enumerate(measures.case_ids):
        explained = {name for pair in copies[index] for name in pair}
        explained |= {finding.modality for finding in posed[index]}
        names = dict.fromkeys((*mismatched[index], *foreign[index]))
        modalities = [m for m in names if m not in explained]
        pairs = [p for p in shifted[index] if not set(p) & {*modalities, *explained}]
        reasons = [copy_text(pair) for pair in copies[index]]
        reasons += [pose_text(measures, index, finding) for finding in posed[index]]
        reasons += mismatch_reasons(measures, index, modalities, foreign[index])
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


def foreign_partners(measures: AlignmentMeasures, config: PairingConfig) -> list[dict[str, str]]:
    """Return the modalities of each case that fit another patient's images and not its own.

    Returns:
        Per case, modality to the name of the other case.
    """
    found: list[dict[str, str]] = [{} for _ in measures.case_ids]
    for modality in dict.fromkeys(name for pair in measures.foreign_z for name in pair):
        pairs = [pair for pair in measures.foreign_z if modality in pair]
        own = _best([measures.unrelated_z[pair] for pair in pairs])
        # The first image of a pair looks for a second one in column 0, the second in column 1.
        sides = [int(pair[1] == modality) for pair in pairs]
        z = [measures.foreign_z[p][:, side] for p, side in zip(pairs, sides, strict=True)]
        best = np.argmax(z, axis=0)
        is_foreign = (own < config.max_unrelated_z) & (np.max(z, axis=0) > config.min_foreign_z)
        for index in np.flatnonzero(is_foreign):
            pair, side = pairs[best[index]], sides[best[index]]
            other = int(measures.foreign_case[pair][index, side])
            found[index][modality] = measures.case_ids[other]
    return found


def _copies(measures: AlignmentMeasures, config: PairingConfig) -> list[list[Pair]]:
    """Pairs of each case that are one image, whatever their files look like."""
    return [
        [p for p, same in measures.sameness.items() if same[index] >= config.copy_correlation]
        for index in range(len(measures.case_ids))
    ]


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
            gap = median - values[index]
            amount = f"{gap:.1f} nats" if gap <= MOST_NATS else f"more than {MOST_NATS:.0f} nats"
            found[index].append(
                f"{first} and {second} share {amount} less than the cohort's median, far less than"
                " any usual case. Look at both before labeling."
            )
    return found
