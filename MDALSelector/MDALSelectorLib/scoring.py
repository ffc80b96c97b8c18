"""Scores of a prepared cohort: PMI, modality difference, embeddings, voxel NMI and flags."""

from __future__ import annotations

from dataclasses import asdict
from itertools import combinations

import numpy as np

from MDALSelectorLib.case_selection import INCOMPLETE, Flag
from MDALSelectorLib.cohort_scores import CohortScores, FloatArray
from MDALSelectorLib.config import EstimationConfig
from MDALSelectorLib.diagnostics import Diagnostics, PairDiagnostics
from MDALSelectorLib.features import cohort_features
from MDALSelectorLib.run_facts import versions_of
from MDALSelectorLib.score_store import load_scores, save_scores, scores_key
from MDALSelectorLib.voxel_nmi import cohort_voxel_nmi
from MultimodalImagingLib.prepared_cache import case_key
from MultimodalImagingLib.preprocessing import PreparedCohort
from MultimodalImagingLib.progress import Reporter
from MultimodalImagingLib.record import CohortRecord


def load_or_estimate_scores(
    prepared: PreparedCohort, config: EstimationConfig, record: CohortRecord, reporter: Reporter
) -> CohortScores:
    """Return the scores of a cohort, from the record if nothing that they depend on has changed.

    Args:
        prepared: The prepared cohort.
        config: How PMI is estimated.
        record: Where scores are kept.
        reporter: Told about stages, and whether scores are reused.
    """
    folder = record.cache / "scores"
    key = _key(prepared, config)
    kept = load_scores(folder, key)
    if kept is not None:
        reporter.info("The scores of an earlier run are reused: images and settings are the same.")
        return kept
    scores = estimate_scores(prepared, config, reporter)
    save_scores(folder, key, scores)
    return scores


def estimate_scores(
    prepared: PreparedCohort, config: EstimationConfig, reporter: Reporter
) -> CohortScores:
    features = cohort_features(
        prepared, prepared.modalities, n_cases=len(prepared), reporter=reporter
    )
    from MDALSelectorLib.cross_fitting import plan_cross_fit
    from MDALSelectorLib.gaussian_estimator import gaussian_estimates, shuffled_bounds
    patients = tuple(c.patient_id for c in prepared.cases)
    pairs = tuple(combinations(prepared.modalities, 2))
    plan = plan_cross_fit(patients, config=config.cross_fit, seed=config.seed)
    estimates = gaussian_estimates(features, pairs, plan=plan, config=config.gaussian, reporter=reporter)
    n = len(prepared)
    pmi = np.full((n, len(pairs)), np.nan)
    for j, e in enumerate(estimates):
        pmi[e.case_index, j] = e.pmi
    z = (pmi - np.nanmedian(pmi, axis=0)) / (1.4826 * np.nanmedian(np.abs(pmi - np.nanmedian(pmi, axis=0)), axis=0))
    diag = Diagnostics("gaussian", {"gaussian": float(np.mean([e.bound_nats for e in estimates]))}, None, None, None,
       float(np.mean([e.r12_repeats for e in estimates])), 5, 3, tuple(PairDiagnostics(e.pair, len(e.case_index), True, e.bound_nats, float(np.median(e.pmi))) for e in estimates))
    return CohortScores(prepared.root.name, prepared.modalities, prepared.case_ids, patients, pmi, z, -np.nanmean(z, axis=1),
       np.concatenate([np.nan_to_num(f)[:, :5] for f in features.values()], axis=1).astype(float), diag, _incomplete_flags(prepared),
       voxel_nmi=cohort_voxel_nmi(prepared, prepared.modalities).mean)


def _key(prepared: PreparedCohort, config: EstimationConfig) -> str:
    cases = [
        [case.case_id, case.patient_id, case_key(case, prepared.spec, prepared.root)]
        for case in prepared.cases
    ]
    settings = asdict(config)
    return scores_key([cases, settings, versions_of()])


def _incomplete_flags(prepared: PreparedCohort) -> dict[str, tuple[Flag, ...]]:
    flags = {}
    for case_id, header in zip(prepared.case_ids, prepared.headers, strict=True):
        lacks = [m for m in prepared.modalities if m not in header.modalities]
        if lacks:
            reason = f"It lacks {' and '.join(lacks)}; it is scored from the pairs that it has."
            flags[case_id] = (Flag(INCOMPLETE, reason),)
    return flags
