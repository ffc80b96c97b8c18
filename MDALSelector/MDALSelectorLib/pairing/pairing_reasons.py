"""Sentences that say what does not fit between the modalities of a case, and how much."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from MDALSelectorLib.pairing.alignment import AlignmentMeasures, Pair
from MultimodalImagingLib.jobs.texts import joined

FloatArray = npt.NDArray[np.float64]

# Offsets from several modalities that differ less from their mean are reported as one.
SAME_OFFSET_MM = 3.0
# Along the positive and the negative LPS axis.
DIRECTIONS = (("left", "right"), ("posterior", "anterior"), ("superior", "inferior"))


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


def _distance_text(offset_mm: FloatArray) -> str:
    axis = int(np.argmax(np.abs(offset_mm)))
    side = DIRECTIONS[axis][0 if offset_mm[axis] > 0 else 1]
    return f"about {np.linalg.norm(offset_mm):.0f} mm (mostly {side})"
