"""Estimators against the truth, by the number of cases.

python Testing/Evidence/estimator_truth.py --work /tmp/truth

1. Vectors with known PMI (eight correlated pairs of variates behind an injective map to 256
   features): the estimators of whole cases. Rank correlation with the PMI of the cases, and the
   held-out bound against the mean PMI of the cases.
2. Rendered synthetic cohorts: the estimators of positions. Rank correlation of the modality
   difference with the answer key (how much only one modality shows), without the known faults.

Every part's numbers are kept in the working folder; a second call continues. Nothing is tuned.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2] / "MDALSelector"))
sys.path.insert(0, str(Path(__file__).parents[1] / "Helpers"))

from gaussian_toys import CORRELATIONS, make_toy, patients
from vector_views import TRAINING, VectorViews

from MDALSelectorLib.estimation.config import ESTIMATORS, EstimationConfig
from MDALSelectorLib.estimation.cross_fitting import spearman
from MDALSelectorLib.estimation.estimate import Estimation, estimate
from MDALSelectorLib.estimation.estimation_data import EstimationData
from MDALSelectorLib.estimation.local_patches import patch_cohort
from MDALSelectorLib.estimation.resolution import matching_blurs
from MDALSelectorLib.selection.config import PACKAGES
from MDALSelectorLib.selection.scoring import position_samples
from MDALSelectorLib.synthetic_cohort import write_cohort
from MultimodalImagingLib.cohorts.cohort import find_cohort
from MultimodalImagingLib.jobs.progress import NullReporter
from MultimodalImagingLib.preparation.preprocessing import default_spec, prepare_cohort
from MultimodalImagingLib.version import current_versions

INFORMATION = float(-0.5 * np.log1p(-(CORRELATIONS**2)).sum())
Numbers = dict[str, Any]


def on_vectors(estimator: str, n_cases: int, seed: int) -> Numbers:
    toy, names = make_toy(n_cases, seed=seed), patients(n_cases)
    features = toy.lifted
    views = VectorViews(tuple(names), features)
    config = EstimationConfig(estimator=estimator, seed=seed, contrastive=TRAINING, device="cpu")
    data = EstimationData(names, names, features, views=lambda: views)
    start = time.process_time()
    estimation = estimate(data, config)
    seconds = time.process_time() - start
    found = estimation.found[estimator]
    (of_pair,) = found.estimates
    return {
        "rho": spearman(of_pair.pmi, toy.pmi),
        "bound": of_pair.bound_nats,
        "truth": float(toy.pmi.mean()),
        **common(estimation, seconds),
    }


def common(estimation: Estimation, seconds: float) -> Numbers:
    found = estimation.found[estimation.estimator]
    return {
        "r12": found.difference.r12_disjoint,
        "chance": found.null_bound_nats,
        "signal": found.difference.has_signal,
        "seconds": seconds,
    }


def on_images(estimator: str, n_cases: int, seed: int, work: Path) -> Numbers:
    folder = work / f"synthetic-{n_cases}-{seed}"
    if not (folder / "factors.csv").is_file():
        write_cohort(folder, n_cases=n_cases, seed=seed)
    cohort = find_cohort(folder / "cohort")
    prepared = prepare_cohort(
        cohort, default_spec(cohort), cache=folder / "cache", reporter=NullReporter()
    )
    config = EstimationConfig(estimator=estimator, seed=seed, device="cpu")
    names = [case.patient_id for case in prepared.cases]
    start = time.process_time()
    data = EstimationData(
        prepared.case_ids,
        names,
        samples=position_samples(prepared, config, NullReporter()),
        patches=partial(
            patch_cohort,
            prepared,
            prepared.spec.kinds,
            blurs=matching_blurs(prepared),
            n_places=config.local_contrastive.n_places,
            memory_mb=config.local_contrastive.memory_mb,
        ),
    )
    estimation = estimate(data, config)
    seconds = time.process_time() - start
    with (folder / "factors.csv").open() as file:
        rows = {row["case"]: row for row in csv.DictReader(file)}
    key = np.array([float(rows[name]["private_share"]) for name in prepared.case_ids])
    usual = np.array([not rows[name]["known fault"] for name in prepared.case_ids])
    values = estimation.difference.values
    known = np.isfinite(values) & usual
    return {
        "rho": spearman(values[known], key[known]),
        "bound": estimation.bounds_nats.get(estimator),
        **common(estimation, seconds),
    }


def kept(path: Path, make: Callable[[], Numbers]) -> Numbers:
    """Return the numbers of a finished part, or make and keep them."""
    if not path.is_file():
        print(f"{path.stem} ...", file=sys.stderr, flush=True)
        numbers = {"versions": current_versions(PACKAGES), **make()}
        path.write_text(json.dumps(numbers, indent=1))
    return dict(json.loads(path.read_text()))


def shown(value: float | None) -> str:
    return "" if value is None or not np.isfinite(value) else f"{value:.2f}"


def line(estimator: str, n_cases: int, found: list[Numbers]) -> str:
    def mean(name: str) -> float | None:
        values = [row[name] for row in found if row.get(name) is not None]
        return float(np.mean(values)) if values else None

    spread = f" ({min(r['rho'] for r in found):.2f} to {max(r['rho'] for r in found):.2f})"
    cells = [f"{mean('rho'):.2f}{spread if len(found) > 1 else ''}"]
    cells += [shown(mean(name)) for name in ("bound", "truth", "chance", "r12")]
    return (
        f"| {estimator} | {n_cases} | {len(found)} | {' | '.join(cells)} | {mean('seconds'):.1f} |"
    )


def parts(options: argparse.Namespace) -> Iterator[tuple[str, int, Callable[[int], Numbers]]]:
    """Give estimator, number of cases and what runs for a seed; quick ones first."""
    for estimator in ("gaussian", "contrastive"):
        for n_cases in options.vectors:
            yield estimator, n_cases, partial(on_vectors, estimator, n_cases)
    for estimator, sizes in (("local", options.images), ("local-contrastive", options.images[:1])):
        for n_cases in sizes:
            yield estimator, n_cases, partial(on_images, estimator, n_cases, work=options.work)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="folder for cohorts and numbers")
    parser.add_argument("--vectors", type=int, nargs="+", default=[40, 100, 200, 500])
    parser.add_argument("--images", type=int, nargs="+", default=[40, 100, 200])
    parser.add_argument("--seeds", type=int, nargs="+", default=[301])
    parser.add_argument("--estimators", nargs="+", default=list(ESTIMATORS))
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    print(f"Versions: {json.dumps(current_versions(PACKAGES))}")
    print(f"Mutual information of the vectors: {INFORMATION:.2f} nats.\n")
    print("| estimator | cases | cohorts | rho | bound | mean PMI | chance (95 %) | r12 | CPU, s |")
    print("|---|---|---|---|---|---|---|---|---|", flush=True)
    for estimator, n_cases, make in parts(options):
        if estimator in options.estimators and estimator in ESTIMATORS:
            found = [
                kept(options.work / f"{estimator}-{n_cases}-{seed}.json", partial(make, seed))
                for seed in options.seeds
            ]
            print(line(estimator, n_cases, found), flush=True)


if __name__ == "__main__":
    main()
