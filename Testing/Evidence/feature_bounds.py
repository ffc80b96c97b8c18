"""Held-out bound of the closed-form estimator for several kinds of frozen features.

python Testing/Evidence/feature_bounds.py ../shared/data/sts51 --work /tmp/features

`MDALSelectorLib.estimation.features` uses the row marked with a star. Bounds are means over folds,
repeats and two seeds, in nats; the setting of a fold is chosen on the other folds, so they are held
out twice.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2] / "MDALSelector"))

from MDALSelectorLib.estimation.config import CrossFitConfig, GaussianConfig
from MDALSelectorLib.estimation.cross_fitting import plan_cross_fit
from MDALSelectorLib.estimation.features import (
    GRADIENT_FLOOR_PER_MM,
    MARGIN_MM,
    SD_FLOOR,
    cohort_features,
)
from MDALSelectorLib.estimation.gaussian_estimator import gaussian_estimates
from MDALSelectorLib.estimation.pair_estimate import modality_difference
from MultimodalImagingLib.cohorts.cohort import find_cohort
from MultimodalImagingLib.jobs.progress import NullReporter
from MultimodalImagingLib.preparation.prepared_case import PreparedCase
from MultimodalImagingLib.preparation.preprocessing import default_spec, prepare_cohort

Statistic = Callable[[np.ndarray, np.ndarray], float]
STATISTICS: dict[str, Statistic] = {
    "mean": lambda v, _: float(v.mean()),
    "sd": lambda v, _: float(v.std()),
    "gradient": lambda _, g: float(g.mean()),
    "log sd": lambda v, _: float(np.log(v.std() + SD_FLOOR)),
    "log gradient": lambda _, g: float(np.log(g.mean() + GRADIENT_FLOOR_PER_MM)),
    "p10": lambda v, _: float(np.percentile(v, 10)),
    "p50": lambda v, _: float(np.percentile(v, 50)),
    "p90": lambda v, _: float(np.percentile(v, 90)),
}
LOGARITHMIC = ("mean", "log sd", "log gradient", "p10", "p90")
PLAIN = ("mean", "sd", "gradient", "p10", "p90")
KINDS: dict[str, tuple[str, int, tuple[str, ...]]] = {
    "mean, 5 blocks": ("body", 5, ("mean",)),
    "percentiles, 4 blocks": ("body", 4, ("p10", "p50", "p90")),
    "plain, 4 blocks": ("body", 4, PLAIN),
    "plain, 5 blocks": ("body", 5, PLAIN),
    "log sd and gradient, 4 blocks": ("body", 4, ("log sd", "log gradient")),
    "logarithmic, 3 blocks": ("body", 3, LOGARITHMIC),
    "logarithmic, 4 blocks": ("body", 4, LOGARITHMIC),
    "logarithmic, 5 blocks, whole crop": ("crop", 5, LOGARITHMIC),
}


def box(case: PreparedCase, region: str) -> tuple[slice, ...]:
    if region == "crop" or not case.body.any():
        return tuple(slice(0, n) for n in case.body.shape)
    used = np.argwhere(case.body)
    margin = np.round(MARGIN_MM / np.array(case.grid.spacing_mm[::-1])).astype(int)
    low, high = np.maximum(used.min(axis=0) - margin, 0), used.max(axis=0) + margin + 1
    return tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))


def described(
    case: PreparedCase, modality: str, kind: tuple[str, int, tuple[str, ...]]
) -> np.ndarray:
    region, n_blocks, names = kind
    image = case.images[modality]
    steps = np.gradient(image, *case.grid.spacing_mm[::-1])
    gradient = np.sqrt(sum(step**2 for step in steps))
    inside = box(case, region)
    parts = [(image[inside], gradient[inside])]
    for axis in range(3):
        parts = [
            (a, b)
            for v, g in parts
            for a, b in zip(
                np.array_split(v, n_blocks, axis), np.array_split(g, n_blocks, axis), strict=True
            )
        ]
    return np.array([STATISTICS[name](v, g) for v, g in parts for name in names])


def bounds(features: dict[str, np.ndarray], patients: Sequence[str]) -> np.ndarray:
    pairs = list(combinations(features, 2))
    found = []
    for seed in (0, 1):
        plan = plan_cross_fit(patients, config=CrossFitConfig(), seed=seed)
        estimates = gaussian_estimates(features, pairs, plan=plan, config=GaussianConfig())
        r12 = [
            modality_difference([e], n_cases=len(patients), unused={}).r12_disjoint
            for e in estimates
        ]
        found.append([[e.bound_nats, r] for e, r in zip(estimates, r12, strict=True)])
    return np.mean(found, axis=0)


def row(name: str, values: np.ndarray) -> str:
    cells = [f"{bound:.2f} ({r12:.2f})" for bound, r12 in values]
    return f"| {name} | {' | '.join(cells)} | {values[:, 0].sum():.2f} |"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cohort", type=Path)
    parser.add_argument("--work", type=Path, required=True, help="folder for prepared images")
    options = parser.parse_args(arguments)
    found = find_cohort(options.cohort)
    cohort = prepare_cohort(found, default_spec(found), cache=options.work, reporter=NullReporter())
    patients = [case.patient_id for case in cohort.cases]
    names = [f"{a}-{b}" for a, b in combinations(cohort.modalities, 2)]
    print(f"| features | {' | '.join(names)} | sum |\n|---|{'---|' * (len(names) + 1)}")
    own = cohort_features(cohort, cohort.modalities)
    print(
        row(
            "* logarithmic, 5 blocks",
            bounds({m: f.astype(float) for m, f in own.items()}, patients),
        )
    )
    cases = list(cohort)
    for name, kind in KINDS.items():
        features = {m: np.array([described(c, m, kind) for c in cases]) for m in cohort.modalities}
        print(row(name, bounds(features, patients)), flush=True)
    print("\nBound in nats (rank correlation of scores from disjoint halves of the cases).")
    return 0


if __name__ == "__main__":
    sys.exit(main())
