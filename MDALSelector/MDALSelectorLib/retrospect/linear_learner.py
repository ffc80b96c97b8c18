"""A learner that trains on any subset of cases in milliseconds: ridge regression on fixed features.

Every case gives one Gram matrix `G = Phi' W Phi` and one vector `b = Phi' W y`; training on a set S
of cases is `(sum G + ridge |S| I)^-1 sum b`. It is a proxy of a segmentation network: quick enough
to try hundreds of sets, and weaker than a network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from MultimodalImagingLib.images.arrays import Float32Array, MaskArray

N_RANDOM_FEATURES = 500
RIDGE = 1e-3
# Frequencies per root of the number of local features: waves as long as half the typical distance
# between two voxels.
FREQUENCY_SCALE = 2.0
# Standardized features beyond this many standard deviations count as this many.
LARGEST_Z = 5.0
N_THRESHOLDS = 64
# Rows that are expanded at a time, so that memory does not grow with the image.
CHUNK_ROWS = 16384


@dataclass(frozen=True, eq=False)
class Expansion:
    """From local features to the features of the regression; knows no label.

    Attributes:
        mean: Mean of every local feature over the pool, `(n_local,)`.
        spread: Standard deviation, same shape, positive.
        frequencies: Of the random Fourier features, `(n_local, N_RANDOM_FEATURES)`.
        phases: In radians, `(N_RANDOM_FEATURES,)`.
    """

    mean: Float32Array
    spread: Float32Array
    frequencies: Float32Array
    phases: Float32Array

    @property
    def n_features(self) -> int:
        """Length of an expanded row."""
        return 1 + 2 * len(self.mean) + len(self.phases)

    def __call__(self, local: Float32Array) -> Float32Array:
        """Expand rows of local features: a one, values, squares, random Fourier features [1].

        Args:
            local: Shape `(n, n_local)`; NaN (a missing modality) counts as the mean of the pool.

        References:
            [1] Rahimi, Recht, Random features for large-scale kernel machines, NeurIPS 2007.
        """
        z = np.nan_to_num((local - self.mean) / self.spread, nan=0.0)
        z = np.clip(z, -LARGEST_Z, LARGEST_Z).astype(np.float32)
        waves = np.cos(z @ self.frequencies + self.phases)
        waves *= np.float32(np.sqrt(2.0 / len(self.phases)))
        return np.concatenate([np.ones((len(z), 1), np.float32), z, z * z, waves], axis=1)


@dataclass(frozen=True, eq=False)
class Samples:
    """Labeled voxels of one case, weighted back to the shares that they have in its body.

    Attributes:
        local: Local features, `(n, n_local)`.
        is_target: Which voxels belong to the target, `(n,)`.
        weights: Sum to 1 over the case, `(n,)`.
    """

    local: Float32Array
    is_target: MaskArray
    weights: Float32Array


@dataclass(frozen=True, eq=False)
class CaseMoments:
    """What a case contributes to every training.

    Attributes:
        phi: Expanded samples, `(n, n_features)`.
        samples: The samples.
        gram: `Phi' W Phi`, `(n_features, n_features)`.
        target: `Phi' W y`, `(n_features,)`.
    """

    phi: Float32Array
    samples: Samples
    gram: Float32Array
    target: Float32Array


@dataclass(frozen=True, eq=False)
class LinearModel:
    """A trained learner.

    Attributes:
        weights: Shape `(n_features,)`.
        threshold: Voxels with a score above it belong to the target.
    """

    weights: Float32Array
    threshold: float


def fit_expansion(pool: Sequence[Samples], *, seed: int) -> Expansion:
    """Standardize over the samples of a pool and draw the random features.

    Args:
        pool: Samples of the cases that may be trained on; their labels are not looked at, but the
            weights make every case and every part of the body count as it should.
        seed: Source of the random features.
    """
    local = np.concatenate([samples.local for samples in pool]).astype(np.float64)
    weights = np.concatenate([samples.weights for samples in pool])[:, None]
    is_known = np.isfinite(local)
    total = np.maximum((weights * is_known).sum(axis=0), 1e-12)
    mean = np.where(is_known, weights * local, 0.0).sum(axis=0) / total
    variance = np.where(is_known, weights * (local - mean) ** 2, 0.0).sum(axis=0) / total
    spread = np.sqrt(np.maximum(variance, 1e-12))
    n_local = local.shape[1]
    generator = np.random.default_rng([seed, 3])
    frequencies = generator.normal(size=(n_local, N_RANDOM_FEATURES))
    frequencies *= FREQUENCY_SCALE / np.sqrt(n_local)
    phases = generator.uniform(0.0, 2.0 * np.pi, size=N_RANDOM_FEATURES)
    return Expansion(*(a.astype(np.float32) for a in (mean, spread, frequencies, phases)))


def case_moments(expansion: Expansion, samples: Samples) -> CaseMoments:
    """Return the Gram matrix and the vector of a case."""
    phi = expansion(samples.local)
    weighted = phi * samples.weights[:, None]
    gram = np.asarray(weighted.T @ phi, dtype=np.float32)
    target = np.asarray(weighted.T @ samples.is_target, dtype=np.float32)
    return CaseMoments(phi, samples, gram, target)


def train(cases: Sequence[CaseMoments]) -> LinearModel:
    """Train on a set of cases: sum, solve, and the threshold with the best Dice on these cases.

    Args:
        cases: At least one.
    """
    from scipy.linalg import solve

    gram = np.zeros(cases[0].gram.shape)
    target = np.zeros(cases[0].target.shape)
    for case in cases:
        gram += case.gram
        target += case.target
    gram[np.diag_indices_from(gram)] += RIDGE * len(cases)
    weights = solve(gram, target, assume_a="pos", overwrite_a=True).astype(np.float32)
    return LinearModel(weights, _best_threshold(cases, weights))


def _best_threshold(cases: Sequence[CaseMoments], weights: Float32Array) -> float:
    scores = [case.phi @ weights for case in cases]
    low, high = np.quantile(np.concatenate(scores), (0.01, 0.999))
    thresholds = np.linspace(low, high, N_THRESHOLDS, dtype=np.float32)
    dice = [_weighted_dice(s, c.samples, thresholds) for s, c in zip(scores, cases, strict=True)]
    return float(thresholds[int(np.mean(dice, axis=0).argmax())])


def _weighted_dice(
    scores: Float32Array, samples: Samples, thresholds: Float32Array
) -> Float32Array:
    """Return the Dice of a case at every threshold, from its weighted samples."""
    order = np.argsort(scores)
    first_above = np.searchsorted(scores[order], thresholds, side="right")
    weights = samples.weights[order].astype(np.float64)
    hits = weights * samples.is_target[order]
    n_above = _tail(weights)[first_above]
    n_hit = _tail(hits)[first_above]
    return np.asarray(2.0 * n_hit / (n_above + hits.sum()), dtype=np.float32)


def _tail(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the sums from each position to the end, and 0 for the position behind the end."""
    return np.append(np.cumsum(values[::-1])[::-1], 0.0)


def dice_of_models(
    expansion: Expansion,
    local: Float32Array,
    is_target: MaskArray,
    models: Sequence[LinearModel],
    *,
    n_target: int,
) -> npt.NDArray[np.float64]:
    """Return the Dice of every model on all voxels of the body of a case.

    Args:
        expansion: The expansion that the models were trained with.
        local: Local features of all voxels of the body, `(n_voxels, n_local)`.
        is_target: Which of them belong to the target.
        models: The models.
        n_target: Voxels of the target, also outside the body, where nothing is predicted.

    Returns:
        Shape `(n_models,)`.
    """
    weights = np.stack([model.weights for model in models], axis=1)
    thresholds = np.array([model.threshold for model in models], dtype=np.float32)
    n_above = np.zeros(len(models))
    n_hit = np.zeros(len(models))
    for first in range(0, len(local), CHUNK_ROWS):
        part = slice(first, first + CHUNK_ROWS)
        is_above = expansion(local[part]) @ weights > thresholds
        n_above += is_above.sum(axis=0)
        n_hit += is_above[is_target[part]].sum(axis=0)
    return np.asarray(2.0 * n_hit / np.maximum(n_above + n_target, 1))
