"""What is known of cases without a label, and of a pool from its own cases alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from MDALSelectorLib.estimation.config import EstimationConfig
from MDALSelectorLib.estimation.estimate import Estimation, estimate
from MDALSelectorLib.estimation.estimation_data import EstimationData
from MDALSelectorLib.estimation.features import cohort_features, fused_embedding, pair_scores
from MDALSelectorLib.estimation.local_samples import LocalSamples
from MDALSelectorLib.estimation.pair_estimate import mean_over_pairs, modality_difference
from MDALSelectorLib.retrospect.cohort_with_labels import CohortWithLabels
from MDALSelectorLib.retrospect.config import RetrospectConfig
from MDALSelectorLib.retrospect.sites import Sites
from MDALSelectorLib.selection.case_memo import CohortMemo
from MDALSelectorLib.selection.knowledge import score_column
from MDALSelectorLib.selection.scoring import position_samples
from MDALSelectorLib.strategies.pool import MODALITY_DIFFERENCE, SCORE, VOXEL_NMI, Pool
from MultimodalImagingLib.cohorts.cases import Cohort
from MultimodalImagingLib.images.arrays import Float64Array
from MultimodalImagingLib.jobs.progress import Reporter
from MultimodalImagingLib.record.cohort_record import CohortRecord

# A pool is smaller than its cohort; what `select` ranks must not be out of reach here.
MIN_PAIR_CASES = 20


@dataclass(frozen=True, eq=False)
class Signals:
    """What is known of every case without its label and without any other case.

    Attributes:
        case_ids: Sorted names.
        patient_ids: Patient of every case.
        features: Frozen features per modality, a row of NaN where a case lacks it.
        samples: Features of positions, or `None` if the local estimator is not asked for.
        pair_nmi: Voxel NMI per case and pair, `(n_cases, n_pairs)`.
        score: The user's own score, `(n_cases,)`, or `None`.
        sites: Site of every case, or `None` where nothing tells sites apart.
    """

    case_ids: tuple[str, ...]
    patient_ids: tuple[str, ...]
    features: Mapping[str, Float64Array]
    samples: LocalSamples | None
    pair_nmi: Float64Array
    score: Float64Array | None = None
    sites: tuple[str, ...] | None = None


def cohort_signals(
    labelled: CohortWithLabels,
    cohort: Cohort,
    config: RetrospectConfig,
    record: CohortRecord,
    reporter: Reporter,
    *,
    sites: Sites,
) -> Signals:
    """Describe every case by itself; no label is looked at.

    Args:
        labelled: The cases that take part.
        cohort: Their cohort, which has the user's own scores.
        config: Which estimator, and whose scores.
        record: What a selection measured of a case is taken from it, and kept in it.
        reporter: Notified of every case.
        sites: Where the cases come from.
    """
    cases = labelled.prepared.taken([case.row for case in labelled.cases])
    modalities, memo = cases.modalities, CohortMemo(cases, record.cache)
    features = cohort_features(cases, modalities, reporter=reporter, memo=memo)
    settings = EstimationConfig(estimator=config.estimator)
    score = None
    if config.score_column is not None:
        score = score_column(cohort, labelled.case_ids, config.score_column)
    return Signals(
        case_ids=labelled.case_ids,
        patient_ids=labelled.patient_ids,
        features={m: values.astype(np.float64) for m, values in features.items()},
        samples=position_samples(cases, settings, reporter, memo=memo),
        pair_nmi=pair_scores(cases, modalities, reporter=reporter, memo=memo),
        score=score,
        sites=sites.of(labelled.case_ids),
    )


def estimation_of(signals: Signals, config: RetrospectConfig, rows: list[int]) -> Estimation:
    """Estimate the PMI of a pool from its own cases alone."""
    samples = signals.samples
    data = EstimationData(
        case_ids=tuple(signals.case_ids[row] for row in rows),
        patient_ids=tuple(signals.patient_ids[row] for row in rows),
        features={m: values[rows] for m, values in signals.features.items()},
        samples=None if samples is None else samples.taken(rows),
    )
    settings = EstimationConfig(
        estimator=config.estimator, seed=config.seed, min_cases=MIN_PAIR_CASES
    )
    return estimate(data, settings)


def described_pool(signals: Signals, estimation: Estimation, rows: list[int]) -> Pool:
    """Describe a pool from its own cases alone."""
    columns = {
        MODALITY_DIFFERENCE: _difference(estimation),
        VOXEL_NMI: mean_over_pairs(signals.pair_nmi[rows]),
        SCORE: None if signals.score is None else signals.score[rows],
    }
    return Pool(
        case_ids=tuple(signals.case_ids[row] for row in rows),
        patient_ids=tuple(signals.patient_ids[row] for row in rows),
        embeddings=fused_embedding({m: v[rows] for m, v in signals.features.items()}),
        eligible=np.ones(len(rows), dtype=bool),
        labelled=np.zeros(len(rows), dtype=bool),
        utilities={name: values for name, values in columns.items() if values is not None},
    )


def _difference(estimation: Estimation) -> Float64Array:
    """Return the modality difference; by all pairs that could be scored if none counts."""
    if estimation.has_signal:
        return estimation.difference.values
    estimates = estimation.estimates[estimation.estimator]
    return modality_difference(estimates, n_cases=len(estimation.case_ids), unused={}).values
