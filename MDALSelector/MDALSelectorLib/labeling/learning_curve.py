"""What more labels would bring: a saturating curve through the rounds, with its interval.

Dice over labels follows a power law, a - b n^-c, in many data sets [1]. It is fitted to the mean
Dice of the rounds on the evaluation set. How far the extrapolation can be trusted comes from
fitting it again and again: to evaluation cases that are drawn anew with replacement, with the noise
that training alone has added to each round.

References:
    [1] Hestness et al., Deep learning scaling is predictable, empirically, arXiv 1712.00409, 2017.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from MultimodalImagingLib.images.arrays import Float64Array

FEWEST_ROUNDS = 3
FEWEST_CASES = 5
LEVEL = 0.9
N_BOOTSTRAP = 2000
# Assumed, not measured: training the same network on the same labels again moves its mean Dice by a
# point (one standard deviation). With four rounds or more, what the curve leaves over counts if it
# is larger.
TRAINING_NOISE = 0.01
_EXPONENTS = np.linspace(0.1, 2.0, 20)
_SEED = 0


@dataclass(frozen=True)
class Interval:
    """A number and the range that holds it with 90 % confidence; infinite ends are allowed."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Curves:
    """The fitted curve, and those of the bootstrap; row 0 of every array is the fit itself.

    Attributes:
        n_labels: Labels of the rounds, increasing, shape `(n_rounds,)`.
        top: What a curve approaches, `a`; above 1 it is no Dice, and the curve ends where it is 1.
        drop: How much is missing at one label, `b`; negative for a falling curve.
        exponent: How fast it saturates, `c`.
        noise: Standard deviation of the noise that the bootstrap added to every round: at least
            what is assumed of training alone.
    """

    n_labels: Float64Array
    top: Float64Array
    drop: Float64Array
    exponent: Float64Array
    noise: float

    def at(self, n_labels: float) -> Float64Array:
        """Return the Dice of every curve at a number of labels, at most 1."""
        return np.minimum(self.top - self.drop * n_labels**-self.exponent, 1.0)

    def dice(self, n_labels: float) -> Interval:
        """Return the Dice that is expected with a number of labels, within 0 to 1."""
        return _interval(np.clip(self.at(n_labels), 0.0, 1.0))

    def gain(self, n_more: float) -> Interval:
        """Return by how much Dice grows with some more labels than the last round had."""
        last = float(self.n_labels[-1])
        return _interval(self.at(last + n_more) - self.at(last))

    def labels_for(self, gain: float) -> Interval:
        """Return how many more labels a gain in Dice takes; infinite where it is never reached."""
        last = float(self.n_labels[-1])
        wanted = self.at(last) + gain
        room = self.top - wanted
        is_reached = (room > 0) & (self.drop > 0) & (wanted <= 1.0)
        safe = np.where(is_reached, room, 1.0)
        base = np.where(is_reached, np.maximum(self.drop, 1e-12) / safe, 1.0)
        needed = np.where(is_reached, base ** (1.0 / self.exponent) - last, np.inf)
        return _interval(needed)


def fit_curves(
    n_labels: Sequence[int],
    dice: Float64Array,
    *,
    seed: int = _SEED,
    n_bootstrap: int = N_BOOTSTRAP,
) -> Curves:
    """Fit the power law to rounds, and again to what chance might have made of them.

    Args:
        n_labels: Labels of every round, increasing, at least three rounds.
        dice: Dice per round and evaluation case, shape `(n_rounds, n_cases)`.
        seed: Seed of the bootstrap.
        n_bootstrap: How often it is fitted again.

    Raises:
        ValueError: If there are fewer than three rounds or five evaluation cases, a round has no
            label, or labels do not increase.
    """
    n = np.asarray(n_labels, dtype=np.float64)
    is_rising = bool((np.diff(n, prepend=0) > 0).all())
    if len(n) < FEWEST_ROUNDS or dice.shape[1] < FEWEST_CASES or not is_rising:
        msg = (
            f"Expected {FEWEST_ROUNDS} rounds or more with increasing labels from 1 on, and"
            f" {FEWEST_CASES} evaluation cases or more, got {list(n_labels)} and {dice.shape[1]}"
            " cases."
        )
        raise ValueError(msg)
    means = dice.mean(axis=1)
    fitted, left = _fit(n, means[None])
    n_free = len(n) - 3
    noise = max(TRAINING_NOISE, float(np.sqrt(left[0] / n_free)) if n_free > 0 else 0.0)
    generator = np.random.default_rng(seed)
    drawn = generator.integers(dice.shape[1], size=(n_bootstrap, dice.shape[1]))
    again = dice[:, drawn].mean(axis=2).T
    spread = np.sqrt(dice.shape[1] / (dice.shape[1] - 1))  # a sample varies less than its source
    again = means + (again - means) * spread + generator.normal(scale=noise, size=again.shape)
    others, _ = _fit(n, again)
    top, drop, exponent = (np.concatenate(pair) for pair in zip(fitted, others, strict=True))
    return Curves(n, top, drop, exponent, noise)


def _fit(
    n: Float64Array, means: Float64Array
) -> tuple[tuple[Float64Array, Float64Array, Float64Array], Float64Array]:
    """Return the parameters per row of `means`, least squares, and the squares that are left."""
    best = np.full(len(means), np.inf)
    top, drop, exponent = (np.zeros(len(means)) for _ in range(3))
    for c in _EXPONENTS:
        columns = np.stack([np.ones_like(n), -(n**-c)], axis=1)
        found = means @ np.linalg.pinv(columns).T
        left = ((found @ columns.T - means) ** 2).sum(axis=1)
        is_better = left < best - 1e-12
        best = np.where(is_better, left, best)
        top, drop = np.where(is_better, found[:, 0], top), np.where(is_better, found[:, 1], drop)
        exponent = np.where(is_better, c, exponent)
    return (top, drop, exponent), best


def _interval(values: Float64Array) -> Interval:
    """Return the fit's own value, and the range of the middle 90 % of the others."""
    ordered = np.sort(values[1:])
    tail = (1.0 - LEVEL) / 2
    low = ordered[int(np.floor(tail * (len(ordered) - 1)))]
    high = ordered[int(np.ceil((1 - tail) * (len(ordered) - 1)))]
    return Interval(float(values[0]), float(low), float(high))
