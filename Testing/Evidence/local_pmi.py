"""Local PMI: how well it repeats, what it agrees with, and what else it could be following.

python Testing/Evidence/local_pmi.py ../shared/data/sts51 --work /tmp/local

1. A real cohort: repeatability, bounds against chance, flags, computing time, and rank
   correlations with everything simple that could drive the order.
2. Modalities exchanged between cases: no signal may be left.
3. Synthetic cohorts of fresh seeds: rank correlation with the answer key, faults found.
4. A synthetic cohort of which half is blurred, noisier, brighter, or cut smaller: how far that
   alone moves a case.

5. The contrastive form of the local estimator (networks of positions) on the real cohort and on
   synthetic ones: bound, r12, answer key and time against the closed form.

Every cohort's numbers are kept in the working folder; a second call continues. Nothing is tuned.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk  # noqa: N813
from scipy import ndimage

sys.path.insert(0, str(Path(__file__).parents[2] / "MDALSelector"))

from MDALSelectorLib.estimation.choice import floor_of_chance
from MDALSelectorLib.estimation.config import (
    POSITION_ESTIMATORS,
    CrossFitConfig,
    EstimationConfig,
    LocalConfig,
)
from MDALSelectorLib.estimation.cross_fitting import plan_cross_fit, spearman
from MDALSelectorLib.estimation.estimate import Estimation, estimate
from MDALSelectorLib.estimation.estimation_data import EstimationData
from MDALSelectorLib.estimation.features import cohort_features
from MDALSelectorLib.estimation.local_estimator import local_estimates
from MDALSelectorLib.estimation.local_patches import patch_cohort
from MDALSelectorLib.estimation.local_samples import LocalSamples, sample_cohort
from MDALSelectorLib.estimation.pair_estimate import modality_difference
from MDALSelectorLib.estimation.resolution import matching_blurs
from MDALSelectorLib.pairing.alignment import measure_alignment
from MDALSelectorLib.pairing.config import PairingConfig
from MDALSelectorLib.pairing.flags import pairing_flags
from MDALSelectorLib.selection.config import PACKAGES
from MDALSelectorLib.synthetic_cohort import write_cohort
from MultimodalImagingLib.cohorts.cohort import find_cohort
from MultimodalImagingLib.images.volume_io import read_layers
from MultimodalImagingLib.jobs.progress import NullReporter
from MultimodalImagingLib.preparation.prepared_case import PreparedCase
from MultimodalImagingLib.preparation.preprocessing import (
    PreparedCohort,
    default_spec,
    prepare_cohort,
)
from MultimodalImagingLib.version import current_versions

CONFIG = EstimationConfig(estimator="auto")
Numbers = dict[str, Any]


def prepared_cohort(folder: Path, cache: Path) -> PreparedCohort:
    cohort = find_cohort(folder)
    return prepare_cohort(cohort, default_spec(cohort), cache=cache, reporter=NullReporter())


def sampled(cohort: PreparedCohort, cases: Sequence[PreparedCase] | None = None) -> LocalSamples:
    return sample_cohort(
        cohort if cases is None else cases,
        cohort.spec.kinds,
        blurs=matching_blurs(cohort),
        n_places=CONFIG.local.n_places,
    )


def patients(cohort: PreparedCohort) -> list[str]:
    return [case.patient_id for case in cohort.cases]


def closed_forms(cohort: PreparedCohort, samples: LocalSamples) -> Estimation:
    features = {
        m: v.astype(np.float64) for m, v in cohort_features(cohort, cohort.modalities).items()
    }
    return estimate(EstimationData(cohort.case_ids, patients(cohort), features, samples), CONFIG)


def flagged(cohort: PreparedCohort, estimation: Estimation) -> dict[str, str]:
    alignment = measure_alignment(cohort, patients(cohort), cohort.modalities)
    pmi = estimation.difference.pmi_nats
    flags = pairing_flags(alignment, pmi_nats=pmi, config=PairingConfig())
    return {case: " ".join(flag.reason for flag in found) for case, found in flags.items()}


def numbers_of(estimation: Estimation) -> Numbers:
    found = {
        name: {
            "r12": of.difference.r12_disjoint,
            "worth": of.worth,
            "pairs": {
                "-".join(e.pair): {
                    "bound": e.bound_nats,
                    "chance": floor_of_chance(e)[0],
                    "r12": float(np.mean([spearman(*half) for half in e.half_pmi])),
                }
                for e in of.estimates
            },
        }
        for name, of in estimation.found.items()
    }
    return {"ranks": estimation.estimator, "signal": estimation.has_signal, "estimators": found}


def separate_places(cohort: PreparedCohort, samples: LocalSamples) -> float:
    """Return r12 of critics of disjoint cases that also look at disjoint places."""
    plan = plan_cross_fit(patients(cohort), config=CrossFitConfig(n_repeats=1), seed=0)
    pairs = list(combinations(cohort.modalities, 2))
    config = LocalConfig(n_shuffles=0, n_reliability_splits=1)
    halves = []
    for start in (0, 1):
        part = LocalSamples(
            {m: v[:, start::2] for m, v in samples.values.items()},
        )
        found = local_estimates(part, pairs, plan=plan, config=config)
        halves.append(found.estimates)
    mixed = [
        replace(a, half_pmi=np.stack([a.half_pmi[:, 0], b.half_pmi[:, 1]], axis=1))
        for a, b in zip(*halves, strict=True)
    ]
    return modality_difference(mixed, n_cases=len(cohort), unused={}).r12_disjoint


def simple_facts(cohort: PreparedCohort) -> dict[str, list[float]]:
    """Return what could drive an order without any learning, per case."""
    facts: dict[str, list[float]] = {}
    for case, prepared in zip(cohort.cases, cohort, strict=True):
        voxel_ml = float(np.prod(prepared.grid.spacing_mm)) / 1000
        row = {
            "body volume": prepared.body.sum() * voxel_ml,
            "body share of the box": float(prepared.body.mean()),
            "field of view": prepared.body.size * voxel_ml,
        }
        for modality in cohort.modalities:
            row |= image_facts(prepared, modality)
        if case.label is not None:
            (label,), grid = read_layers(case.label)
            row["tumor volume"] = float(np.count_nonzero(label) * np.prod(grid.spacing_mm))
        for name, value in row.items():
            facts.setdefault(name, []).append(value)
    return {name: values for name, values in facts.items() if len(values) == len(cohort)}


def image_facts(case: PreparedCase, modality: str) -> dict[str, float]:
    """Return noise and sharpness of an image inside the body (NaN where it is missing)."""
    names = (f"noise of {modality}", f"sharpness of {modality}", f"spread of {modality}")
    if modality not in case.images:
        return dict.fromkeys(names, float("nan"))
    image, body = case.images[modality], case.body & case.coverage[modality]
    residual = image - ndimage.uniform_filter(image, 3)
    edges = np.sqrt(sum(step**2 for step in np.gradient(image)))[body]
    spread = float(image[body].std())
    noise = float(np.median(np.abs(residual[body])))
    return dict(zip(names, (noise, float(edges.mean()) / spread, spread), strict=True))


def correlations(values: np.ndarray, facts: Mapping[str, Sequence[float]]) -> dict[str, float]:
    found = {}
    for name, of in facts.items():
        known = np.isfinite(of) & np.isfinite(values)
        found[name] = spearman(values[known], np.asarray(of)[known])
    return found


def real_cohort(folder: Path, work: Path) -> Numbers:
    cohort = prepared_cohort(folder, work / "real")
    start = time.process_time()
    samples = sampled(cohort)
    estimation = closed_forms(cohort, samples)
    seconds = time.process_time() - start
    values = estimation.difference.values
    local = estimation.found["local"].difference.values
    flags = flagged(cohort, estimation)
    return numbers_of(estimation) | {
        "cases": len(cohort),
        "seconds": seconds,
        "flags": flags,
        "order": [cohort.case_ids[i] for i in np.argsort(-values)[:12]],
        "r12 at separate places": separate_places(cohort, samples),
        "correlations": correlations(local, simple_facts(cohort)),
        "agreement with the Gaussian": estimation.rank_correlation,
    }


def exchanged(folder: Path, work: Path) -> Numbers:
    """Give every case the second and later modalities of other cases, cut to its grid."""
    cohort = prepared_cohort(folder, work / "real")
    cases = list(cohort)
    generator = np.random.default_rng(0)
    donors = {m: generator.permutation(len(cases)) for m in cohort.modalities[1:]}
    mixed = []
    for row, own in enumerate(cases):
        made = own
        for modality, order in donors.items():
            donor = cases[order[row] if order[row] != row else row - 1]
            if modality in own.images and modality in donor.images:
                made = given(made, donor, modality)
        mixed.append(made)
    samples = sampled(cohort, mixed)
    found = estimate(EstimationData(cohort.case_ids, patients(cohort), None, samples), CONFIG)
    return numbers_of(found)


def given(case: PreparedCase, donor: PreparedCase, modality: str) -> PreparedCase:
    """Stretch a donor's image and body onto the grid of a case."""
    image, body = donor.images[modality], donor.bodies[modality]
    zoom = [new / old for new, old in zip(case.body.shape, image.shape, strict=True)]
    settings = {"grid_mode": True, "mode": "nearest"}
    stretched = ndimage.zoom(body.astype(np.uint8), zoom, order=0, **settings) > 0
    return replace(
        with_images(case, {modality: ndimage.zoom(image, zoom, order=1, **settings)}),
        bodies={**case.bodies, modality: stretched},
    )


def with_images(case: PreparedCase, images: Mapping[str, np.ndarray]) -> PreparedCase:
    new = {m: np.asarray(images.get(m, v), dtype=np.float32) for m, v in case.images.items()}
    return replace(case, images=new)


def synthetic(n_cases: int, seed: int, work: Path) -> Numbers:
    folder = work / f"synthetic-{n_cases}-{seed}"
    if not (folder / "factors.csv").is_file():
        write_cohort(folder, n_cases=n_cases, seed=seed)
    cohort = prepared_cohort(folder / "cohort", folder / "cache")
    estimation = closed_forms(cohort, sampled(cohort))
    with (folder / "factors.csv").open() as file:
        rows = list(csv.DictReader(file))
    key = np.array([float(row["private_share"]) for row in rows])
    faults = [row["case"] for row in rows if row["known fault"] not in ("", "lacks T1")]
    usual = np.array([row["known fault"] == "" for row in rows])
    flags = flagged(cohort, estimation)
    agreement = {
        name: {
            "all": spearman(of.difference.values, key),
            "usual": spearman(of.difference.values[usual], key[usual]),
        }
        for name, of in estimation.found.items()
        if of.difference.has_signal
    }
    lesions = [float(row["lesion_mm"]) for row in rows]
    facts = simple_facts(cohort) | {"lesion radius": lesions}
    return numbers_of(estimation) | {
        "agreement": agreement,
        "faults found": sum(fault in flags for fault in faults),
        "faults": len(faults),
        "other flags": len(set(flags) - set(faults)),
        "correlations": correlations(estimation.difference.values, facts),
    }


def position_networks(cohort: PreparedCohort, key: np.ndarray | None, usual: np.ndarray) -> Numbers:
    """Score a cohort by both forms of the local estimator; the key is the truth, if it is known."""
    blurs = matching_blurs(cohort)
    patches = partial(
        patch_cohort,
        cohort,
        cohort.spec.kinds,
        blurs=blurs,
        n_places=CONFIG.local_contrastive.n_places,
        memory_mb=CONFIG.local_contrastive.memory_mb,
    )
    found, values = {}, {}
    for name in POSITION_ESTIMATORS:
        start = time.process_time()
        data = EstimationData(
            cohort.case_ids, patients(cohort), None, sampled(cohort), patches=patches
        )
        result = estimate(data, replace(CONFIG, estimator=name, device="cpu"))
        values[name] = result.difference.values
        found[name] = numbers_of(result)["estimators"][name] | {
            "seconds": time.process_time() - start
        }
        if key is not None and result.has_signal:
            found[name]["all"] = spearman(values[name], key)
            found[name]["usual"] = spearman(values[name][usual], key[usual])
    return {"estimators": found, "agreement": spearman(*values.values())}


def synthetic_networks(n_cases: int, seed: int, work: Path) -> Numbers:
    folder = work / f"synthetic-{n_cases}-{seed}"
    if not (folder / "factors.csv").is_file():
        write_cohort(folder, n_cases=n_cases, seed=seed)
    cohort = prepared_cohort(folder / "cohort", folder / "cache")
    with (folder / "factors.csv").open() as file:
        rows = list(csv.DictReader(file))
    key = np.array([float(row["private_share"]) for row in rows])
    return position_networks(cohort, key, np.array([row["known fault"] == "" for row in rows]))


def real_networks(folder: Path, work: Path) -> Numbers:
    cohort = prepared_cohort(folder, work / "real")
    return position_networks(cohort, None, np.ones(len(cohort), dtype=bool))


def disturbances(work: Path, seed: int) -> Numbers:
    """Disturb every other case and say how far its modality difference moves."""
    folder = work / f"synthetic-36-{seed}"
    cohort = prepared_cohort(folder / "cohort", folder / "cache")
    changes: dict[str, Callable[[PreparedCase], PreparedCase]] = {
        "nothing": lambda case: case,
        "T2 blurred by 3 mm": lambda case: blurred(case, ("T2",)),
        "all blurred by 3 mm": lambda case: blurred(case, case.modalities),
        "noise of 0.2 on all": noisy,
        "intensities of all bent": bent,
        "upper half cut off": halved,
        "voxels of twice the size": coarse,
        "voxels of twice the height": thick,
        "another site: T2 blurred, noise, bent": other_site,
    }
    base, found = None, {}
    for name, change in changes.items():
        cases = [change(case) if row % 2 else case for row, case in enumerate(cohort)]
        result = estimate(
            EstimationData(cohort.case_ids, patients(cohort), None, sampled(cohort, cases)), CONFIG
        )
        values = result.found["local"].difference.values
        base = values if base is None else base
        moved = values - base
        found[name] = {
            "shift": float(np.median(moved[1::2]) - np.median(moved[::2])),
            "rho": spearman(values, base),
            "with group": spearman(values, np.arange(len(values)) % 2),
        }
    return found


def mixed_voxels(work: Path, seed: int) -> Numbers:
    """Store every other case with voxels of twice the size, and say what the order follows."""
    whole, mixed = work / f"synthetic-36-{seed}", work / f"mixed-36-{seed}"
    if not mixed.is_dir():
        shutil.copytree(whole / "cohort", mixed)
        for path in (f for case in sorted(mixed.iterdir())[1::2] for f in case.glob("*.nii.gz")):
            image = sitk.ReadImage(str(path), sitk.sitkFloat32)
            sitk.WriteImage(sitk.BinShrink(image, [2, 2, 2]), str(path))
    with (whole / "factors.csv").open() as file:
        rows = list(csv.DictReader(file))
    key = np.array([float(row["private_share"]) for row in rows])
    usual = np.array([row["known fault"] == "" for row in rows])
    cohort = prepared_cohort(mixed, work / f"mixed-36-{seed}-cache")
    data = EstimationData(cohort.case_ids, patients(cohort), None, sampled(cohort))
    values = estimate(data, CONFIG).found["local"].difference.values
    return {
        "with voxel size": spearman(values, np.arange(len(values)) % 2),
        "usual": spearman(values[usual], key[usual]),
    }


def blurred(case: PreparedCase, modalities: Sequence[str]) -> PreparedCase:
    sigma = [3.0 / step for step in reversed(case.grid.spacing_mm)]
    return with_images(
        case,
        {m: ndimage.gaussian_filter(case.images[m], sigma) for m in modalities if m in case.images},
    )


def noisy(case: PreparedCase) -> PreparedCase:
    generator = np.random.default_rng(len(case.case_id) + int(case.body.sum()))
    return with_images(
        case, {m: v + 0.2 * generator.normal(size=v.shape) for m, v in case.images.items()}
    )


def bent(case: PreparedCase) -> PreparedCase:
    return with_images(case, {m: 1.7 * np.arctan(v) + 0.3 for m, v in case.images.items()})


def thick(case: PreparedCase) -> PreparedCase:
    """Return a case as if its slices had been twice as thick."""
    return with_images(case, {m: doubled(v, (2, 1, 1)) for m, v in case.images.items()})


def coarse(case: PreparedCase) -> PreparedCase:
    """Return a case as if its voxels had been twice as large."""
    return with_images(case, {m: doubled(v, (2, 2, 2)) for m, v in case.images.items()})


def doubled(values: np.ndarray, factors: tuple[int, int, int]) -> np.ndarray:
    """Average so many voxels, then interpolate linearly to where they were."""
    padding = [(0, -n % factor) for n, factor in zip(values.shape, factors, strict=True)]
    whole = np.pad(values, padding, mode="edge")
    for axis, factor in enumerate(factors):
        parts = np.stack(np.split(whole, whole.shape[axis] // factor, axis=axis))
        whole = np.moveaxis(parts.mean(axis=axis + 1), 0, axis)
    places = [
        (np.arange(n) + 0.5) / factor - 0.5 for n, factor in zip(values.shape, factors, strict=True)
    ]
    grid = np.meshgrid(*places, indexing="ij")
    return np.asarray(ndimage.map_coordinates(whole, grid, order=1, mode="nearest"))


def other_site(case: PreparedCase) -> PreparedCase:
    """Return a case as if another scanner had made it."""
    return bent(noisy(blurred(case, ("T2",))))


def halved(case: PreparedCase) -> PreparedCase:
    body = case.body.copy()
    body[body.shape[0] // 2 :] = False
    return replace(case, body=body)


def kept(path: Path, make: Callable[[], Numbers]) -> Numbers:
    """Return the numbers of a finished part, or make and keep them."""
    if not path.is_file():
        numbers = make()
        path.write_text(json.dumps(numbers, indent=1))
    return dict(json.loads(path.read_text()))


def show_real(name: str, numbers: Numbers) -> None:
    print(f"\n## {name}: ranks {numbers['ranks']}, signal: {numbers['signal']}\n")
    print("| estimator | pair | bound, nats | chance (95 %) | r12 |\n|---|---|---|---|---|")
    for estimator, of in numbers["estimators"].items():
        for pair, row in of["pairs"].items():
            cells = f"{row['bound']:.2f} | {row['chance']:.2f} | {row['r12']:.2f}"
            print(f"| {estimator} | {pair} | {cells} |")
        print(f"| {estimator} | modality difference | | | {of['r12']:.2f} |")


def show_correlations(title: str, rows: Mapping[str, float]) -> None:
    print(f"\n{title}\n\n| rank correlation with | rho |\n|---|---|")
    for name, value in rows.items():
        print(f"| {name} | {value:+.2f} |")


def show_synthetic(results: Mapping[tuple[int, int], Numbers]) -> None:
    print(
        "\n| cases | seed | ranks | r12 | rho, all | rho, without faults | Gaussian, without"
        " faults | faults found | other flags |\n|---|---|---|---|---|---|---|---|---|"
    )
    for (n_cases, seed), row in results.items():
        local, gaussian = (row["agreement"].get(n, {}) for n in ("local", "gaussian"))
        print(
            f"| {n_cases} | {seed} | {row['ranks']} | {row['estimators']['local']['r12']:.2f} |"
            f" {local['all']:.2f} | {local['usual']:.2f} |"
            f" {gaussian.get('usual', float('nan')):.2f} |"
            f" {row['faults found']} of {row['faults']} | {row['other flags']} |"
        )
    for n_cases in dict.fromkeys(n for n, _ in results):
        of = [row["agreement"]["local"] for (n, _), row in results.items() if n == n_cases]
        means = [np.mean([row[part] for row in of]) for part in ("all", "usual")]
        print(f"| {n_cases} | mean | | | {means[0]:.3f} | {means[1]:.3f} | | | |")


def all_networks(folder: Path, work: Path, seeds: Sequence[int]) -> dict[str, Numbers]:
    found = {
        f"36 cases, seed {seed}": kept(
            work / f"networks-36-{seed}.json", partial(synthetic_networks, 36, seed, work)
        )
        for seed in seeds
    }
    found[folder.name] = kept(work / "networks-real.json", lambda: real_networks(folder, work))
    return found


def show_networks(results: Mapping[str, Numbers]) -> None:
    print(
        "\n| cohort | estimator | bound | chance | r12 | rho, all | rho, without faults | core s |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for cohort, numbers in results.items():
        for name, row in numbers["estimators"].items():
            means = [np.mean([p[n] for p in row["pairs"].values()]) for n in ("bound", "chance")]
            rhos = [row.get(part, float("nan")) for part in ("all", "usual")]
            cells = " | ".join(f"{value:.2f}" for value in (*means, row["r12"], *rhos))
            print(f"| {cohort} | {name} | {cells} | {row['seconds']:.0f} |")
        print(f"| {cohort} | rank correlation of both: {numbers['agreement']:.2f} | | | | | | |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cohort", type=Path, help="a real cohort, such as sts51")
    parser.add_argument("--work", type=Path, required=True, help="folder for cohorts and numbers")
    parser.add_argument("--sizes", type=int, nargs="+", default=[36, 100])
    parser.add_argument("--seeds", type=int, nargs="+", default=[201, 202, 203, 204, 205])
    parser.add_argument("--network-seeds", type=int, nargs="+", default=[206, 207])
    parser.add_argument("--only-networks", action="store_true", help="the fifth part alone")
    options = parser.parse_args()
    work = options.work
    work.mkdir(parents=True, exist_ok=True)
    print(f"Versions: {json.dumps(current_versions(PACKAGES))}")
    show_networks(all_networks(options.cohort, work, options.network_seeds))
    if not options.only_networks:
        show_closed_forms(options, work)


def show_closed_forms(options: argparse.Namespace, work: Path) -> None:
    real = kept(work / "real.json", lambda: real_cohort(options.cohort, work))
    show_real(options.cohort.name, real)
    print(f"positions and both closed forms: {real['seconds']:.0f} s of one core")
    for name in ("r12 at separate places", "agreement with the Gaussian"):
        print(f"{name}: {real[name]:.2f}")
    print(f"flags: {real['flags']}\nfirst: {', '.join(real['order'])}")
    show_correlations("The order of the real cohort:", real["correlations"])
    mixed = kept(work / "exchanged.json", lambda: exchanged(options.cohort, work))
    show_real("modalities exchanged between cases", mixed)
    results = {}
    for n_cases in options.sizes:
        for seed in options.seeds:
            path = work / f"synthetic-{n_cases}-{seed}.json"
            results[n_cases, seed] = kept(path, partial(synthetic, n_cases, seed, work))
            print(f"{n_cases} cases, seed {seed}: done", file=sys.stderr)
    show_synthetic(results)
    first = options.seeds[0]
    largest = results[options.sizes[-1], first]["correlations"]
    show_correlations(f"The order of {options.sizes[-1]} synthetic cases (seed {first}):", largest)
    if 36 in options.sizes:
        moved = kept(work / "disturbances.json", lambda: disturbances(work, first))
        print(
            "\n| every other case | its difference moves by | rho with before | rho of the order"
            " with being such a case |\n|---|---|---|---|"
        )
        for name, row in moved.items():
            print(f"| {name} | {row['shift']:+.2f} | {row['rho']:.2f} | {row['with group']:+.2f} |")

        mixed = kept(work / "mixed.json", lambda: mixed_voxels(work, first))
        print(f"\nfiles of 3 and 6 mm in turns: {json.dumps(mixed)}")


if __name__ == "__main__":
    main()
