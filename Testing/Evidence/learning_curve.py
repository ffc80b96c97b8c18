"""How often the 90 % interval of the extrapolated curve holds the truth, on rounds that were drawn.

python Testing/Evidence/learning_curve.py

Every trial draws rounds from a known curve: offsets of the evaluation cases, noise per case and
round, and noise of each training. The table says how often the interval of the gain of the next
labels, and that of the labels for one point, hold the true number, and how often the advice is that
it may be time to stop.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2] / "MDALSelector"))

from MDALSelectorLib.labeling.learning_curve import fit_curves

CURVES = {
    "steep": (0.80, 1.0, 0.5),
    "mild": (0.75, 0.5, 0.7),
    "slow": (0.90, 0.6, 0.2),
    "flat": (0.70, 0.0, 1.0),
}
ROUNDS = ((8, 16, 24), (5, 10, 15, 20), (8, 16, 24, 32, 40, 48))
CASE_SD, CASE_ROUND_SD, TRAINING_SD = 0.12, 0.05, 0.01
N_TRIALS = 100


def trial(
    n_labels: tuple[int, ...],
    n_cases: int,
    curve: tuple[float, float, float],
    generator: np.random.Generator,
) -> tuple[bool, bool, bool]:
    """Return whether the two intervals hold the truth, and whether the advice is to stop."""
    top, drop, exponent = curve
    n = np.array(n_labels, dtype=np.float64)
    seen = (top - drop * n**-exponent)[:, None] + generator.normal(0, CASE_SD, n_cases)
    seen = seen + generator.normal(0, CASE_ROUND_SD, seen.shape)
    seen = np.clip(seen + generator.normal(0, TRAINING_SD, (len(n), 1)), 0, 1)
    curves = fit_curves(n_labels, seen, seed=int(generator.integers(1 << 30)), n_bootstrap=500)
    n_next = n[-1] - n[-2]
    now, then = (top - drop * x**-exponent for x in (n[-1], n[-1] + n_next))
    gain, needed = curves.gain(n_next), curves.labels_for(0.01)
    room = top - now - 0.01
    truth = (drop / room) ** (1 / exponent) - n[-1] if room > 0 and drop > 0 else np.inf
    return (
        gain.low <= then - now <= gain.high,
        needed.low <= truth <= needed.high,
        gain.low <= 0,
    )


def main() -> None:
    """Print the table."""
    print("| curve | rounds | evaluation cases | gain | labels for a point | may stop |")
    print("|---|---|---|---|---|---|")
    generator = np.random.default_rng(1)
    for name, curve in CURVES.items():
        for n_labels in ROUNDS:
            for n_cases in (8, 20):
                found = [trial(n_labels, n_cases, curve, generator) for _ in range(N_TRIALS)]
                shares = " | ".join(f"{share:.2f}" for share in np.mean(found, axis=0))
                print(f"| {name} | {len(n_labels)} | {n_cases} | {shares} |")


if __name__ == "__main__":
    main()
