"""Does the uncertainty of a draft say how bad it is? Rank correlation on cases never seen.

python Testing/Evidence/epistemic.py RESULTS --reference COHORT [--leave-out CASE]

RESULTS is what `ciml-segmenter segment --probabilities` wrote for cases the model has not seen.
Prints, over the cases, Spearman's correlation of 1 - Dice with the uncertainty that results state,
with a mean over a band of probabilities, and with two sums, which depend on size; with a 90 %
interval (cases drawn anew with replacement). Then the same given the predicted volume, the
correlation of the uncertainty with that volume, and the range of the mean over the band.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

sys.path.insert(0, str(Path(__file__).parents[2] / "MDALSelector"))
sys.path.insert(0, str(Path(__file__).parents[2] / "CIMLSegment"))

from CIMLSegmentLib.inference.result_maps import predictive_entropy
from CIMLSegmentLib.inference.uncertain_places import draft_uncertainty
from CIMLSegmentLib.results.scores import dice
from CIMLSegmentLib.results.segmentation_result import StoredResult, read_results
from MultimodalImagingLib.cohorts.cohort import find_cohort
from MultimodalImagingLib.images.geometry import resample
from MultimodalImagingLib.images.stored_image import ImageFile
from MultimodalImagingLib.images.volume_io import read_volume

N_DRAWS = 4000
USED = "within 5 mm of the border (used)"


def measures(result: StoredResult) -> dict[str, float]:
    """Return the candidates for a number per case, from its map of probability."""
    (stored,) = (item for item in result.maps if item.key.kind == "probability")
    found = read_volume(ImageFile(stored.path))
    p = np.asarray(found.array, dtype=np.float32)
    entropy = predictive_entropy(p)
    band = (p > 0.1) & (p < 0.9)
    return {
        USED: draft_uncertainty({"r": p}, found.grid).mean_nats,
        "probability 0.1 to 0.9": float(entropy[band].mean()) if band.any() else 0.0,
        "sum": float(entropy.sum(dtype=np.float64)),
        "sum over predicted volume": float(entropy.sum() / max((p > 0.5).sum(), 1)),
        "predicted volume, negative": -float((p > 0.5).sum()),
    }


def correlation(x: np.ndarray, y: np.ndarray) -> float:
    """Return Spearman's correlation."""
    return float(spearmanr(x, y)[0])


def partial(x: np.ndarray, y: np.ndarray, given: np.ndarray) -> float:
    """Return Spearman's correlation of two columns given a third."""
    xy, xz, yz = correlation(x, y), correlation(x, given), correlation(y, given)
    return (xy - xz * yz) / float(np.sqrt((1 - xz**2) * (1 - yz**2)))


def interval(measure: Callable[..., float], *columns: np.ndarray) -> tuple[float, float]:
    """Return the 90 % interval of a correlation."""
    generator = np.random.default_rng(0)
    n = len(columns[0])
    drawn = [generator.integers(n, size=n) for _ in range(N_DRAWS)]
    found = [measure(*(c[rows] for c in columns)) for rows in drawn if len({*rows.tolist()}) > 3]
    low, high = np.nanpercentile(found, (5, 95))
    return float(low), float(high)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("results", type=Path)
    parser.add_argument("--reference", type=Path, required=True)
    parser.add_argument("--leave-out", action="append", default=[])
    options = parser.parse_args()
    labels = {case.case_id: case.label for case in find_cohort(options.reference).cases}
    rows, errors = [], []
    for result in read_results(options.results):
        label = labels.get(result.case_id)
        if label is None or result.case_id in options.leave_out or result.is_seen:
            continue
        predicted = read_volume(ImageFile(result.label_map))
        truth = resample(read_volume(label), predicted.grid, interpolation="nearest")
        rows.append(measures(result))
        errors.append(1 - dice(predicted.array > 0, truth.array > 0))
    wrong = np.array(errors)
    print(f"{len(rows)} cases, mean Dice {1 - wrong.mean():.3f}")
    for name in rows[0]:
        x = np.array([row[name] for row in rows])
        low, high = interval(correlation, x, wrong)
        print(f"| {name} | {correlation(x, wrong):.2f} | {low:.2f} to {high:.2f} |")
    used, band, volume = (
        np.array([row[name] for row in rows])
        for name in (USED, "probability 0.1 to 0.9", "predicted volume, negative")
    )
    low, high = interval(partial, used, wrong, -volume)
    print(
        f"Given the predicted volume: {partial(used, wrong, -volume):.2f} ({low:.2f} to {high:.2f})"
    )
    print(f"Of the number used with the predicted volume: {correlation(used, -volume):.2f}")
    print(f"Mean where the probability is 0.1 to 0.9: {band.min():.2f} to {band.max():.2f} nats")


if __name__ == "__main__":
    main()
