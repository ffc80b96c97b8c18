"""Modalities that fit the others of their case better mirrored, turned, or at another place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from MDALSelectorLib.pairing.alignment import AlignmentMeasures
from MDALSelectorLib.pairing.config import PairingConfig
from MDALSelectorLib.pairing.foreign_images import Pair
from MDALSelectorLib.pairing.poses import POSES
from MultimodalImagingLib.images.arrays import Float64Array, MaskArray

# A pose says something about a pair if at most a fifth of the cohort lies on the wrong side.
_FEW = 0.2
# That fifth of a normal distribution begins 0.84 standard deviations off; usual cases end at 3.
_TAIL = 3.0 / 0.84
# Of the usual agreement: what a part of the body reaches at least, and gains by its shift. Planted
# shifts of 40 to 60 mm reach 0.8 and gain 0.37, images of other patients gain 0.2 at most.
_LEAST_SHARE = 0.7
_LEAST_GAIN = 0.3


@dataclass(frozen=True)
class PoseFinding:
    """A modality that fits better in another pose, or far from where it lies.

    Attributes:
        modality: The modality.
        partners: Those that it fits better; if it is one alone, either may be the mirrored one.
        pose: What was done to the modality, see `Pose.text`; `None` if it only lies far off.
    """

    modality: str
    partners: tuple[str, ...]
    pose: str | None


def pose_findings(measures: AlignmentMeasures, config: PairingConfig) -> list[list[PoseFinding]]:
    """Return for every case the modalities that clearly fit better in another pose.

    In an aligned case every pose fits worse than none. Poses for which this does not hold in the
    cohort (a pair without common edges, a round body) say nothing and do not count.
    """
    tables = {}
    for pair, gains in measures.pose_gain.items():
        tables[pair] = _with_excess(gains, config)
        is_telling = _is_telling(measures.far_agreement[pair], gains[:, -1])
        table, is_known = tables[pair], np.isfinite(tables[pair][:, 1, -1])
        table[:, 0, -1] = np.where(is_known, measures.far_lead[pair], np.nan)
        table[is_known & ~is_telling, 1, -1] = -np.inf
    modalities = dict.fromkeys(name for pair in tables for name in pair)
    found: list[list[PoseFinding]] = []
    for index in range(len(measures.case_ids)):
        own: list[PoseFinding] = []
        for modality in modalities:
            finding = _finding(modality, _gains_of(modality, index, tables))
            taken = {(f.modality, *f.partners) for f in own}
            if finding and (*finding.partners, modality) not in taken:
                own.append(finding)
        found.append(own)
    return found


def _is_telling(far: Float64Array, gain: Float64Array) -> MaskArray:
    """Tell whether a far shift brings a pair about to the agreement that is usual without one.

    Another patient's image also fits a little better somewhere else, but nowhere as it should.
    """
    near = (far - gain)[np.isfinite(far)]
    usual = float(np.quantile(near, 0.25)) if len(near) else 0.0
    return np.asarray((far >= _LEAST_SHARE * usual) & (gain >= _LEAST_GAIN * usual))


def _with_excess(gains: Float64Array, config: PairingConfig) -> Float64Array:
    """Return gains and by how much they exceed their limit, `(n_cases, 2, 13)`.

    Poses that say nothing about a pair are NaN.
    """
    known = gains[np.isfinite(gains).all(axis=1)]
    if len(known) < config.min_cases:
        return np.stack([gains, gains - config.absolute_pose_gain], axis=1)
    low, median, high = np.quantile(known, (_FEW, 0.5, 1 - _FEW), axis=0)
    # What is turned gains about as much as usual cases lose; another patient's image gains less.
    usual = np.maximum(median + _TAIL * (high - median), -0.5 * median)
    usual_limit = np.where(high < 0, usual, 0.0)
    telling = np.where((high < 0) | (low > 0), gains, np.nan)
    return np.stack([telling, telling - np.maximum(usual_limit, config.min_gain)], axis=1)


def _gains_of(
    modality: str, index: int, tables: Mapping[Pair, Float64Array]
) -> dict[str, Float64Array]:
    """Return gains and excesses of a modality's poses per partner, `(2, 13)` each."""
    gains = {}
    for (first, second), table in tables.items():
        if modality in (first, second) and np.isfinite(table[index]).any():
            row = table[index] if modality == second else table[index][:, _INVERSE]
            gains[first if modality == second else second] = row
    return gains


def _finding(modality: str, gains: Mapping[str, Float64Array]) -> PoseFinding | None:
    """Return the pose that fits better with every partner that it says something about."""
    if not gains:
        return None
    table = np.array(list(gains.values()))
    counts = np.isfinite(table[:, 0]).sum(axis=0)
    worst = np.where(np.isfinite(table[:, 0]), table[:, 0], np.inf).min(axis=0)
    excess = np.nansum(table[:, 1], axis=0) / np.maximum(counts, 1)
    excess = np.where((counts > 0) & (worst > 0), excess, -np.inf)
    # A limb looks much the same far along: a far shift has to stand out against every partner.
    is_known = np.isfinite(table[:, 0, -1])
    is_far = bool(is_known.any()) and bool((table[is_known, 1, -1] > 0).all())
    # Where it does, a pose has to fit better by as much as it has to without one.
    lead = float(table[is_known, 0, -1].mean()) if is_far else 0.0
    best = int(excess[:-1].argmax())
    if not excess[best] > max(lead, 0.0):
        if not is_far:
            return None
        best = len(POSES)
    partners = tuple(p for p, row in gains.items() if np.isfinite(row[0, best]))
    return PoseFinding(modality, partners, POSES[best].text if best < len(POSES) else None)


def _inverse() -> list[int]:
    """Turning one image of a pair is turning the other one back; a shift is one of both."""
    keys = [(pose.axes, pose.signs) for pose in POSES]
    inverse = [keys.index((axes, tuple(signs[a] for a in axes))) for axes, signs in keys]
    return [*inverse, len(POSES)]


_INVERSE = _inverse()
