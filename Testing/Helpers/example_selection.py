"""A believable selection run of 51 made-up cases for tests of what shows, writes and reads it."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np

from MDALSelectorLib.case_flags import CHECK_PAIRING, INCOMPLETE, Flag
from MDALSelectorLib.report.thumbnails import thumbnail_names, write_thumbnails
from MDALSelectorLib.selection.budget import parse_budget
from MDALSelectorLib.selection.case_selection import LEAST_AGREEMENT, CaseSelection
from MDALSelectorLib.selection.cohort_scores import CohortScores
from MDALSelectorLib.selection.config import SelectionRequest
from MDALSelectorLib.selection.diagnostics import Diagnostics, PairDiagnostics
from MDALSelectorLib.selection.run_folder import write_embeddings, write_selection
from MDALSelectorLib.selection.selecting import make_selection, with_thumbnails
from MDALSelectorLib.strategies.pool import MODALITY_DIFFERENCE, SCORE, VOXEL_NMI
from MultimodalImagingLib.images.geometry import Grid
from MultimodalImagingLib.preparation.prepared_case import PreparedCase

MODALITIES = ("CT", "PET", "T1")
KINDS = {"CT": "CT", "PET": "PET", "T1": "MR"}
PAIRS = tuple(combinations(MODALITIES, 2))
# Canonical correlations per pair of modalities.
CORRELATIONS = {("CT", "PET"): (0.5, 0.3), ("CT", "T1"): (0.9, 0.6), ("PET", "T1"): (0.7, 0.4)}
GRID = Grid((40, 36, 12), (3.0, 3.0, 3.3), (0.0, 0.0, 0.0), (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0))


def example_scores(
    *, n_cases: int = 51, seed: int = 0, bound_nats: float = 0.62, r12: float | None = 0.47
) -> CohortScores:
    """Scores of a cohort with four phenotypes, two mispaired and three incomplete cases."""
    generator = np.random.default_rng(seed)
    names = tuple(f"case-{index:03d}" for index in range(1, n_cases + 1))
    pmi = np.column_stack([_pair_pmi(generator, n_cases, CORRELATIONS[pair]) for pair in PAIRS])
    pmi[18, 1:], pmi[30] = [-4.2, -1.1], [-2.9, -0.4, -3.3]
    pmi[[4, 22], 1:] = np.nan
    pmi[40, :2] = np.nan
    medians = np.nanmedian(pmi, axis=0)
    z = (pmi - medians) / (1.4826 * np.nanmedian(np.abs(pmi - medians), axis=0))
    flags = {names[row]: (Flag(INCOMPLETE, "T1 is missing."),) for row in (4, 22)}
    flags[names[40]] = (Flag(INCOMPLETE, "CT is missing."),)
    flags[names[18]] = (Flag(CHECK_PAIRING, "CT and T1 lie about 7 mm apart."),)
    flags[names[30]] = (
        Flag(CHECK_PAIRING, "PET and T1 share 3.9 nats less than the median, beyond the fence."),
    )
    phenotype = generator.integers(4, size=n_cases)
    return CohortScores(
        cohort="Soft tissue example",
        modalities=MODALITIES,
        case_ids=names,
        patient_ids=tuple(f"patient-{index:03d}" for index in range(1, n_cases + 1)),
        pmi_nats=pmi,
        z=z,
        embeddings=generator.normal(size=(4, 12))[phenotype] * 2
        + generator.normal(size=(n_cases, 12)),
        measures={
            MODALITY_DIFFERENCE: -np.nanmean(z, axis=1),
            LEAST_AGREEMENT: np.nanmin(pmi, axis=1) - 1.5,
            VOXEL_NMI: generator.normal(size=n_cases),
            SCORE: generator.uniform(size=n_cases),
        },
        diagnostics=example_diagnostics(pmi, medians, bound_nats=bound_nats, r12=r12),
        flags=flags,
        labelled=frozenset({names[1], names[12]}),
    )


def example_diagnostics(
    pmi: np.ndarray, medians: np.ndarray, *, bound_nats: float, r12: float | None
) -> Diagnostics:
    return Diagnostics(
        estimator="gaussian",
        bounds_nats={"gaussian": bound_nats, "contrastive": bound_nats - 0.17},
        null_bound_nats=0.08,
        rank_correlation=0.58,
        r12_disjoint=r12,
        r12_repeats=0.81,
        n_folds=5,
        n_repeats=3,
        pairs=tuple(
            PairDiagnostics(
                pair=pair,
                n_cases=int(np.isfinite(pmi[:, column]).sum()),
                is_used=True,
                bound_nats=bound_nats * (0.5 + 0.5 * column),
                median_nats=float(medians[column]),
            )
            for column, pair in enumerate(PAIRS)
        ),
    )


def example_selection(
    *, strategy: str = "DiverseMD", budget: str = "20%", scores: CohortScores | None = None
) -> CaseSelection:
    used = scores or example_scores()
    wanted = parse_budget(budget, n_cases=len(used.case_ids))
    selection = make_selection(used, SelectionRequest(budget=wanted, strategy=strategy, seed=0))
    shown = [case.case_id for case in (*selection.suggested, *selection.to_check)]
    return replace(
        with_thumbnails(selection, thumbnail_names(shown)),
        problems=("Case case-017: T1 covers only 71% of the CT. Look at its field of view.",),
        configuration={
            "budget": budget,
            "estimation": {"estimator": "auto", "n_folds": 5, "n_repeats": 3},
            "preprocessing": {"kinds": KINDS, "spacing_mm": [3.3, 3.3, 3.3]},
            "strategy": strategy,
        },
        versions={"crossmodal": "0.1.0", "numpy": "2.0.0", "python": "3.11.2"},
    )


def write_example_run(run: Path, selection: CaseSelection | None = None) -> CaseSelection:
    """Write a whole run folder with pictures and return its selection."""
    shown = selection or example_selection()
    scores = example_scores(n_cases=len(shown.cases))
    write_selection(run, shown)
    write_embeddings(run, {"fused": scores.embeddings}, case_ids=scores.case_ids)
    names = {case.case_id: case.thumbnail for case in shown.cases if case.thumbnail}
    cases = [example_case(case_id) for case_id in names]
    write_thumbnails(run, cases, kinds=KINDS, names=names)
    return shown


def example_case(case_id: str) -> PreparedCase:
    """A limb with a lump that takes up tracer; every case another one."""
    generator = np.random.default_rng([0, int(case_id.rsplit("-", 1)[-1])])
    z, y, x = np.meshgrid(*(np.arange(n) - n / 2 for n in GRID.array_shape), indexing="ij")
    body = (x / 17) ** 2 + (y / 15) ** 2 < 1.0
    bone = (x + 6) ** 2 + (y - 2) ** 2 < 12.0
    center, radius = generator.uniform(-4, 6, size=2), generator.uniform(3, 7)
    distance = np.sqrt((x - center[0]) ** 2 + (y - center[1]) ** 2 + (1.4 * z) ** 2)
    lump = np.exp(-((distance / radius) ** 4))
    noise = generator.normal(size=(3, *GRID.array_shape)) * 0.08
    ct = np.where(body, 0.1 + 0.25 * lump + 1.6 * bone + noise[0], -1.5)
    rim = np.exp(-(((distance - 0.6 * radius) / 2.0) ** 2))
    pet = np.arcsinh(np.where(body, 0.6 + generator.uniform(2, 9) * lump * rim, 0.02))
    t1 = np.where(body, 0.5 - 1.2 * lump - 2.0 * bone + 2 * (x / 17) ** 8 + noise[2], -2.5)
    images = {"CT": ct, "PET": pet + np.abs(noise[1]) * 0.5, "T1": t1}
    missing = {"case-005": "T1", "case-023": "T1", "case-041": "CT"}.get(case_id)
    kept = {m: image.astype(np.float32) for m, image in images.items() if m != missing}
    covered = {modality: np.ones(GRID.array_shape, dtype=bool) for modality in kept}
    return PreparedCase(case_id, GRID, kept, covered, dict.fromkeys(kept, body), body)


def _pair_pmi(
    generator: np.random.Generator, n_cases: int, correlations: tuple[float, ...]
) -> np.ndarray:
    """PMI of jointly Gaussian canonical variates, nats (closed form)."""
    r = np.asarray(correlations)
    u = generator.normal(size=(n_cases, len(r)))
    v = r * u + np.sqrt(1 - r**2) * generator.normal(size=u.shape)
    quadratic = (r**2 * (u**2 + v**2) - 2 * r * u * v) / (2 * (1 - r**2))
    pmi: np.ndarray = (-0.5 * np.log(1 - r**2) - quadratic).sum(axis=1)
    return pmi
