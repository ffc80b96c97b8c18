"""How well the modalities of each case lie on each other, without labels and without learning.

Per case and pair of modalities: how well their edges agree, how much better they would agree after
a small shift, and how much better they agree than with the images of other patients.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations

import numpy as np

from MDALSelectorLib.pairing.case_edges import CaseEdges
from MDALSelectorLib.pairing.foreign_images import Comparisons, Pair
from MDALSelectorLib.pairing.poses import POSES
from MultimodalImagingLib.images.arrays import Float64Array
from MultimodalImagingLib.jobs.progress import NullReporter, Reporter
from MultimodalImagingLib.preparation.prepared_case import PreparedCase
from MultimodalImagingLib.preparation.preprocessing import PreparedCohort
from MultimodalImagingLib.record.kept_results import (
    CaseMemo,
    CaseQuestion,
    ReportedMemo,
    Tensors,
    computed,
)

Table = Mapping[Pair, Float64Array]

# Cases before and after a case, in the order of their names, whose images serve as unrelated ones.
N_NEIGHBORS = 16


@dataclass(frozen=True)
class AlignmentMeasures:
    """Alignment of all cases; NaN where a case lacks a modality.

    Attributes:
        case_ids: The cases.
        spacing_mm: Coarsest spacing at which they were compared, mm.
        agreement: Correlation of the edges of a pair, -1 to 1, shape `(n_cases,)`.
        gain: How much higher it is at the best shift of up to 24 mm, shape `(n_cases,)`.
        offset_mm: How far the second modality lies from the first by that shift, LPS mm, shape
            `(n_cases, 3)`.
        unrelated_z: Distance of the agreement from the agreement with the images of other patients,
            in standard deviations of the latter, shape `(n_cases,)`; about 0 for images that do not
            belong together. NaN for cohorts of fewer than four patients.
        pose_gain: How much better the pair fits with the second modality in each of `POSES` than in
            none, and last, at a shift of more than 24 mm than at a smaller one, shape
            `(n_cases, 13)`.
        far_agreement: Correlation of the edges at that shift, where the images overlap, shape
            `(n_cases,)`.
        far_lead: How much higher that is than the agreement without a shift that gains of poses
            are relative to, shape `(n_cases,)`.
        far_offset_mm: How far the second modality lies from the first by that shift, LPS mm, shape
            `(n_cases, 3)`.
        sameness: Correlation of the voxels of a pair, shape `(n_cases,)`; 1 for a copy.
        foreign_case: Row of the other patient's case whose second modality fits the first one of
            this case best, and of the one whose first fits the second, shape `(n_cases, 2)`.
        foreign_z: The distance of `unrelated_z` for these, same shape; 0 where there is none.
    """

    case_ids: tuple[str, ...]
    spacing_mm: float
    agreement: Table
    gain: Table
    offset_mm: Table
    unrelated_z: Table
    pose_gain: Table = field(default_factory=dict)
    far_agreement: Table = field(default_factory=dict)
    far_lead: Table = field(default_factory=dict)
    far_offset_mm: Table = field(default_factory=dict)
    sameness: Table = field(default_factory=dict)
    foreign_case: Table = field(default_factory=dict)
    foreign_z: Table = field(default_factory=dict)

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """Pairs of modalities, each in the order of the cohort."""
        return tuple(self.agreement)


def measure_alignment(
    cases: Sequence[PreparedCase],
    patient_ids: Sequence[str],
    modalities: Sequence[str],
    *,
    reporter: Reporter | None = None,
    memo: CaseMemo = computed,
) -> AlignmentMeasures:
    """Measure the alignment of all cases, reading each once.

    Args:
        cases: Prepared cases, sorted by case.
        patient_ids: Patient of each case; cases of one patient are not unrelated to each other.
        modalities: Modalities in the order of the cohort.
        reporter: Notified of each case; its `advance` may raise `CancelledError`.
        memo: Keeps what was computed of a case.
    """
    reporter = reporter or NullReporter()
    reporter.stage("Check pairing", len(patient_ids))
    steps = ReportedMemo(memo, reporter)
    pairs = list(combinations(modalities, 2))
    edges, comparisons = CaseEdges(cases, pairs, N_NEIGHBORS), Comparisons(pairs)
    found: list[Tensors] = []
    for row in range(len(patient_ids)):
        found.append(steps(CaseQuestion("alignment", row), partial(edges.measured, row)))
        comparisons.note_own(row, found[-1]["own"])
        others = tuple(
            other
            for other in range(max(row - N_NEIGHBORS, 0), row)
            if patient_ids[other] != patient_ids[row]
        )
        question = CaseQuestion("neighbors", row, others=others)
        agreements = steps(question, partial(edges.compared, row, others))
        comparisons.note_others(row, others, agreements["agreement"])
        steps.end_step()
    return _measures(_names(cases), pairs, found, comparisons)


def _measures(
    case_ids: tuple[str, ...],
    pairs: Sequence[Pair],
    found: Sequence[Tensors],
    comparisons: Comparisons,
) -> AlignmentMeasures:
    shape = (len(found), len(pairs))
    values = np.array([of["measures"] for of in found]).reshape(*shape, 6)
    poses = np.array([of["poses"] for of in found]).reshape(*shape, len(POSES) + 6)
    columns = {pair: values[:, number] for number, pair in enumerate(pairs)}
    foreign = comparisons.foreign_matches(len(found))
    return AlignmentMeasures(
        case_ids=case_ids,
        spacing_mm=max((float(of["spacing"].max()) for of in found), default=0.0),
        agreement={pair: of[:, 0] for pair, of in columns.items()},
        gain={pair: of[:, 1] for pair, of in columns.items()},
        offset_mm={pair: of[:, 2:5] for pair, of in columns.items()},
        unrelated_z=comparisons.z_scores(len(found)),
        pose_gain={pair: poses[:, number, :-5] for number, pair in enumerate(pairs)},
        far_agreement={pair: poses[:, number, -5] for number, pair in enumerate(pairs)},
        far_lead={pair: poses[:, number, -4] for number, pair in enumerate(pairs)},
        far_offset_mm={pair: poses[:, number, -3:] for number, pair in enumerate(pairs)},
        sameness={pair: of[:, 5] for pair, of in columns.items()},
        foreign_case={pair: of[:, :2] for pair, of in foreign.items()},
        foreign_z={pair: of[:, 2:] for pair, of in foreign.items()},
    )


def _names(cases: Sequence[PreparedCase]) -> tuple[str, ...]:
    """Return the names of cases without reading those of a cohort."""
    if isinstance(cases, PreparedCohort):
        return cases.case_ids
    return tuple(case.case_id for case in cases)
