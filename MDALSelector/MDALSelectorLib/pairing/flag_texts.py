"""What the pairing checks saw, in sentences: no verdict, the user looks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from MDALSelectorLib.pairing.alignment import AlignmentMeasures, Table
from MDALSelectorLib.pairing.foreign_images import Pair
from MDALSelectorLib.pairing.pose_findings import PoseFinding
from MultimodalImagingLib.images.arrays import Float64Array
from MultimodalImagingLib.jobs.texts import joined

# Offsets from several modalities that differ less from their mean are reported as one.
SAME_OFFSET_MM = 3.0
# The same for far offsets, which are found on coarse images.
SAME_FAR_OFFSET_MM = 12.0
# Along the positive and the negative LPS axis.
DIRECTIONS = (("left", "right"), ("posterior", "anterior"), ("superior", "inferior"))


def copy_text(pair: Pair) -> str:
    """Return the sentence about two modalities that are one image."""
    return (
        f"{joined(list(pair))} hold the same voxels. If one of them was not acquired and the other"
        " stands in for it, take its file away; it tells nothing of its own."
    )


def pose_text(measures: AlignmentMeasures, index: int, finding: PoseFinding) -> str:
    """Return the sentence about a modality that fits better in another pose or far away.

    Args:
        measures: Alignment of all cases.
        index: Row of the case.
        finding: What was found.
    """
    if finding.pose is None:
        moved = finding.modality
        pairs = [p for p in measures.pairs if moved in p and {*p} - {moved} <= {*finding.partners}]
        offsets = _offsets(measures.far_offset_mm, index, moved, pairs)
        return _off_text(moved, offsets, same_mm=SAME_FAR_OFFSET_MM)
    return (
        f"{finding.modality} fits {joined(list(finding.partners))} better when it is"
        f" {finding.pose}. Compare the sides and the orientation in the files before labeling."
    )


def mismatch_reasons(
    measures: AlignmentMeasures,
    index: int,
    modalities: Sequence[str],
    foreign: Mapping[str, str] | None = None,
) -> list[str]:
    """Return one sentence per modality that agrees with no other one of the case.

    Args:
        measures: Alignment of all cases.
        index: Row of the case.
        modalities: The modalities.
        foreign: Case whose images a modality fits, where there is one.
    """
    foreign = foreign or {}
    available = [p for p in measures.pairs if np.isfinite(measures.agreement[p][index])]
    if len(modalities) > 1 and len(available) == 1:
        fits = "".join(_fits(m, foreign) for m in modalities)
        return [
            f"The edges of {joined(modalities)} agree hardly better than those of two patients"
            f" would.{fits} Look at both before labeling."
        ]
    reasons = []
    for modality in modalities:
        partners = [next(m for m in p if m != modality) for p in available if modality in p]
        reasons.append(
            f"The edges of {modality} agree with those of {joined(partners)} hardly better than"
            f" another patient's would.{_fits(modality, foreign)} Look at them before labeling."
        )
    return reasons


def _fits(modality: str, foreign: Mapping[str, str]) -> str:
    other = foreign.get(modality)
    return "" if other is None else f" This {modality} fits the images of {other}."


def shift_reasons(measures: AlignmentMeasures, index: int, pairs: Sequence[Pair]) -> list[str]:
    """Return one sentence for a modality that is off several others, and one per other pair."""
    if not pairs:
        return []
    counts = Counter(modality for pair in pairs for modality in pair)
    culprit, n_pairs = max(counts.items(), key=lambda item: item[1])
    own = [pair for pair in pairs if n_pairs > 1 and culprit in pair]
    groups = [(culprit, own)] if own else []
    groups += [(pair[1], [pair]) for pair in pairs if pair not in own]
    return [
        _off_text(moved, _offsets(measures.offset_mm, index, moved, group), same_mm=SAME_OFFSET_MM)
        for moved, group in groups
    ]


def _offsets(
    table: Table, index: int, moved: str, pairs: Sequence[Pair]
) -> dict[str, Float64Array]:
    """Return how far a modality lies off each of its partners, LPS mm."""
    offsets = {}
    for first, second in pairs:
        sign = 1.0 if moved == second else -1.0
        still = first if moved == second else second
        offsets[still] = sign * table[first, second][index]
    return offsets


def _off_text(moved: str, offsets: Mapping[str, Float64Array], *, same_mm: float) -> str:
    """Say how far a modality lies off others; in one figure where the estimates agree."""
    mean = np.mean(list(offsets.values()), axis=0)
    spread = max(float(np.linalg.norm(offset - mean)) for offset in offsets.values())
    if spread <= same_mm:
        parts = [f"{_distance_text(mean)} off {joined(list(offsets))}"]
    else:
        parts = [f"{_distance_text(offset)} off {still}" for still, offset in offsets.items()]
    return f"{moved} lies {joined(parts)}. Check the alignment before labeling."


def _distance_text(offset_mm: Float64Array) -> str:
    axis = int(np.argmax(np.abs(offset_mm)))
    side = DIRECTIONS[axis][0 if offset_mm[axis] > 0 else 1]
    return f"about {np.linalg.norm(offset_mm):.0f} mm (mostly {side})"
