"""Scores of a prepared cohort: PMI, modality difference, embeddings, voxel NMI and flags."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from MDALSelectorLib.case_flags import INCOMPLETE, Flag
from MDALSelectorLib.estimation.config import EstimationConfig
from MDALSelectorLib.estimation.estimate import Estimation, estimate
from MDALSelectorLib.estimation.estimation_data import EstimationData
from MDALSelectorLib.estimation.features import cohort_features, cohort_voxel_nmi, fused_embedding
from MDALSelectorLib.estimation.local_samples import LocalSamples, sample_cohort
from MDALSelectorLib.estimation.pair_estimate import has_modality, joint_cases
from MDALSelectorLib.estimation.resolution import matching_blurs
from MDALSelectorLib.inspection.acquisition_groups import UNKNOWN_GROUP, Groups
from MDALSelectorLib.pairing.alignment import measure_alignment
from MDALSelectorLib.pairing.flags import pairing_flags
from MDALSelectorLib.selection.case_memo import CohortMemo, computing_code
from MDALSelectorLib.selection.case_selection import LEAST_AGREEMENT
from MDALSelectorLib.selection.cohort_scores import (
    CohortScores,
    load_scores,
    save_scores,
    scores_key,
)
from MDALSelectorLib.selection.config import SelectionConfig
from MDALSelectorLib.selection.diagnostics import Diagnostics, PairDiagnostics
from MDALSelectorLib.selection.kept_estimates import EstimatesMemo
from MDALSelectorLib.strategies.pool import MODALITY_DIFFERENCE, VOXEL_NMI
from MultimodalImagingLib.images.arrays import Float64Array, MaskArray
from MultimodalImagingLib.jobs.progress import Reporter
from MultimodalImagingLib.preparation.preprocessing import PreparedCohort
from MultimodalImagingLib.record.checksums import json_checksum
from MultimodalImagingLib.record.cohort_record import CohortRecord
from MultimodalImagingLib.record.kept_results import CaseMemo, computed

if TYPE_CHECKING:
    from MDALSelectorLib.estimation.case_embeddings import ViewSource
    from MDALSelectorLib.estimation.local_patches import LocalPatches


def load_or_estimate_scores(
    prepared: PreparedCohort,
    config: SelectionConfig,
    record: CohortRecord,
    reporter: Reporter,
    *,
    groups: Groups | None = None,
) -> CohortScores:
    """Return the scores of a cohort, from the record if nothing that they depend on has changed.

    Args:
        prepared: The prepared cohort.
        config: How PMI is estimated, and which cases are flagged.
        record: Where scores are kept.
        reporter: Notified of stages, and whether scores are reused.
        groups: Groups of acquisition, for what patients of the same group reach by chance.
    """
    folder = record.cache / "scores"
    key = _key(prepared, config, groups or {})
    kept = load_scores(folder, key)
    if kept is not None:
        reporter.info("The scores of an earlier run are reused: images and settings are the same.")
        return kept
    scores = estimate_scores(prepared, config, record.cache, reporter, groups=groups)
    save_scores(folder, key, scores)
    return scores


def estimate_scores(
    prepared: PreparedCohort,
    config: SelectionConfig,
    cache: Path,
    reporter: Reporter,
    *,
    groups: Groups | None = None,
) -> CohortScores:
    """Describe, check and score all cases of a cohort.

    Args:
        prepared: The prepared cohort.
        config: How PMI is estimated, and which cases are flagged.
        cache: Where everything that is finished on the way is kept.
        reporter: Notified of stages and steps.
        groups: Groups of acquisition, by name and case.
    """
    patients = tuple(case.patient_id for case in prepared.cases)
    modalities, memo = prepared.modalities, CohortMemo(prepared, cache)
    found = cohort_features(prepared, modalities, reporter=reporter, memo=memo)
    features = {modality: values.astype(np.float64) for modality, values in found.items()}
    nmi = cohort_voxel_nmi(prepared, modalities, reporter=reporter, memo=memo)
    alignment = measure_alignment(prepared, patients, modalities, reporter=reporter, memo=memo)
    data = EstimationData(
        case_ids=prepared.case_ids,
        patient_ids=patients,
        features=features,
        samples=position_samples(prepared, config.estimation, reporter, memo=memo),
        views=lambda: _views(prepared, config.estimation),
        patches=lambda: _patches(prepared, config.estimation, reporter),
        groups=_group_of_rows(prepared, groups or {}),
    )
    memo.tidy()
    kept = EstimatesMemo(cache, _estimates_key(prepared, config, groups or {}), modalities)
    estimation = estimate(data, config.estimation, reporter, memo=kept)
    difference = estimation.difference
    flags = pairing_flags(alignment, pmi_nats=difference.pmi_nats, config=config.pairing)
    return CohortScores(
        cohort=prepared.root.name,
        modalities=prepared.modalities,
        case_ids=prepared.case_ids,
        patient_ids=patients,
        pmi_nats=difference.pmi_nats,
        z=difference.z,
        measures={
            MODALITY_DIFFERENCE: difference.values,
            LEAST_AGREEMENT: estimation.least_agreement,
            VOXEL_NMI: nmi,
        },
        embeddings=fused_embedding(features),
        diagnostics=diagnostics_of(estimation, config.estimation, has_modality(features)),
        flags=_with_incomplete(prepared, flags, difference.values),
        critics=estimation.critics,
    )


def diagnostics_of(
    estimation: Estimation, config: EstimationConfig, available: Mapping[str, MaskArray]
) -> Diagnostics:
    """Return what speaks for and against the scores, in plain numbers.

    Args:
        estimation: What was estimated.
        config: How.
        available: Which cases have each modality.
    """
    found = {e.pair: e for e in estimation.estimates[estimation.estimator]}
    difference = estimation.difference
    return Diagnostics(
        estimator=estimation.estimator,
        bounds_nats=estimation.bounds_nats,
        null_bound_nats=estimation.null_bound_nats,
        rank_correlation=_finite(estimation.rank_correlation),
        r12_disjoint=_finite(difference.r12_disjoint),
        r12_repeats=_finite(difference.r12_repeats),
        n_folds=config.cross_fit.n_folds,
        n_repeats=config.cross_fit.n_repeats,
        pairs=tuple(
            PairDiagnostics(
                pair=pair,
                n_cases=len(joint_cases(available, pair)),
                is_used=pair in difference.used,
                bound_nats=_finite(found[pair].bound_nats) if pair in found else None,
                median_nats=_finite(float(np.median(found[pair].pmi))) if pair in found else None,
                note=estimation.unused.get(pair, ""),
            )
            for pair in estimation.pairs
        ),
        r12_by_estimator=estimation.r12_disjoint,
        null_grouping=estimation.null_grouping,
    )


def position_samples(
    prepared: PreparedCohort,
    config: EstimationConfig,
    reporter: Reporter,
    *,
    memo: CaseMemo = computed,
) -> LocalSamples | None:
    """Return features of positions for the local estimator; `None` if it is not asked for.

    Args:
        prepared: The prepared cohort.
        config: Which estimator, and how many positions.
        reporter: Notified of every case.
        memo: Keeps what was computed of a case.
    """
    if config.estimator not in ("auto", "local"):
        return None
    return sample_cohort(
        prepared,
        prepared.spec.kinds,
        blurs=matching_blurs(prepared),
        n_places=config.local.n_places,
        reporter=reporter,
        memo=memo,
    )


def _views(prepared: PreparedCohort, config: EstimationConfig) -> ViewSource:
    """Return the crops for the contrastive estimator."""
    from MDALSelectorLib.estimation.volume_views import (
        VolumeViews,  # torch: only where it is needed
    )

    available = {
        m: np.array([m in header.modalities for header in prepared.headers])
        for m in prepared.modalities
    }
    return VolumeViews(prepared, available=available, config=config.crops)


def _patches(
    prepared: PreparedCohort, config: EstimationConfig, reporter: Reporter
) -> LocalPatches:
    """Return patches at positions for the contrastive form of the local estimator."""
    from MDALSelectorLib.estimation.local_patches import (
        patch_cohort,  # torch: only where it is needed
    )

    return patch_cohort(
        prepared,
        prepared.spec.kinds,
        blurs=matching_blurs(prepared),
        n_places=config.local_contrastive.n_places,
        memory_mb=config.local_contrastive.memory_mb,
        reporter=reporter,
    )


def _finite(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)


def _group_of_rows(prepared: PreparedCohort, groups: Groups) -> dict[str, list[str]]:
    return {
        name: [of_case.get(case_id, UNKNOWN_GROUP) for case_id in prepared.case_ids]
        for name, of_case in groups.items()
    }


def _key(prepared: PreparedCohort, config: SelectionConfig, groups: Groups) -> str:
    return scores_key([_estimates_key(prepared, config, groups), asdict(config.pairing)])


def _estimates_key(prepared: PreparedCohort, config: SelectionConfig, groups: Groups) -> str:
    """Hash what estimates of PMI depend on: cases, settings, code."""
    cases = [[case.case_id, case.patient_id, prepared.key(case)] for case in prepared.cases]
    within = _group_of_rows(prepared, groups)
    return json_checksum([cases, asdict(config.estimation), within, computing_code()])


def _with_incomplete(
    prepared: PreparedCohort, flags: Mapping[str, tuple[Flag, ...]], values: Float64Array
) -> dict[str, tuple[Flag, ...]]:
    """Add to the flags of cases what modalities they lack, and what follows from that."""
    found: dict[str, tuple[Flag, ...]] = {}
    for row, (case_id, header) in enumerate(zip(prepared.case_ids, prepared.headers, strict=True)):
        own = flags.get(case_id, ())
        lacks = [m for m in prepared.modalities if m not in header.modalities]
        if lacks:
            scored = "it is scored from the pairs that it has"
            if not np.isfinite(values[row]):
                scored = "it has no pair that counts, and so no modality difference"
            own = (Flag(INCOMPLETE, f"It lacks {' and '.join(lacks)}; {scored}."), *own)
        if own:
            found[case_id] = own
    return found
