"""Closed-form PMI of local features: a Gaussian copula, learned from positions of many cases."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from MultimodalImagingLib.images.arrays import Float32Array, Float64Array

# Knots of the map from values to normal scores; values beyond the outermost count like them.
KNOT_SHARES = np.concatenate(
    [[0.0005, 0.001, 0.002], np.linspace(0.005, 0.995, 199), [0.998, 0.999, 0.9995]]
)


@dataclass(frozen=True, eq=False)
class NormalMap:
    """Maps every feature to a standard normal one, by quantiles of the values it was fitted to.

    Attributes:
        knots: Values, ascending, `(n_features, n_knots)`.
        scores: Normal scores of the knots, same shape; equal knots share theirs.
    """

    knots: Float64Array
    scores: Float64Array

    def __call__(self, values: Float32Array) -> Float64Array:
        """Return the scores of values `(..., n_features)`, same shape; NaN stays NaN."""
        found = np.empty(values.shape, dtype=np.float64)
        for feature, (knots, scores) in enumerate(zip(self.knots, self.scores, strict=True)):
            found[..., feature] = np.interp(values[..., feature], knots, scores)
        return found


def fit_normal_map(values: Float32Array) -> NormalMap:
    """Fit the map to pooled values.

    A value that many positions share (a clipped one) gets the mean score of its ranks; a feature
    that never varies is 0 everywhere.

    Args:
        values: Finite, `(n, n_features)`, at least one row.
    """
    knots = np.quantile(values.astype(np.float64), KNOT_SHARES, axis=0).T
    return NormalMap(knots, np.stack([_tied_scores(row) for row in knots]))


@dataclass(frozen=True, eq=False)
class LocalCritic:
    """PMI of two feature vectors under a joint Gaussian density.

    Attributes:
        mean: Mean of both modalities' scores, `(2 n_features,)`.
        quadratic: Joint precision minus those of the marginals, `(2 n_features, 2 n_features)`.
        constant: PMI at the mean, nats: the mutual information of the density.
    """

    mean: Float64Array
    quadratic: Float64Array
    constant: float

    def matched(self, first: Float64Array, second: Float64Array) -> Float64Array:
        """Return the PMI of every row of one with the same row of the other, nats, `(n,)`."""
        centered = np.concatenate([first, second], axis=-1) - self.mean
        return np.asarray(self.constant - 0.5 * ((centered @ self.quadratic) * centered).sum(-1))

    def matrix(self, first: Float64Array, second: Float64Array) -> Float64Array:
        """Return the PMI of every row of one with every row of the other, nats, `(n, m)`."""
        k = first.shape[-1]
        u, v = first - self.mean[:k], second - self.mean[k:]
        own_u = 0.5 * ((u @ self.quadratic[:k, :k]) * u).sum(-1)
        own_v = 0.5 * ((v @ self.quadratic[k:, k:]) * v).sum(-1)
        shared = u @ self.quadratic[:k, k:] @ v.T
        return np.asarray(self.constant - own_u[:, None] - own_v[None, :] - shared)


def fit_local_critic(first: Float64Array, second: Float64Array, *, ridge: float) -> LocalCritic:
    """Fit the density to matched rows.

    PMI(x, y) = 1/2 log(|Sx| |Sy| / |S|) - 1/2 (z' S^-1 z - x' Sx^-1 x - y' Sy^-1 y), with the
    ridge in S, of which Sx and Sy are blocks: a true density, whose marginals are its own.

    Args:
        first: Normal scores of the first modality, `(n, n_features)`.
        second: Of the second at the same positions.
        ridge: Added to the variances, unitless.
    """
    rows = np.concatenate([first, second], axis=1)
    mean = rows.mean(axis=0)
    centered = rows - mean
    covariance = centered.T @ centered / len(rows) + ridge * np.eye(rows.shape[1])
    k = first.shape[1]
    quadratic = np.linalg.inv(covariance)
    quadratic[:k, :k] -= np.linalg.inv(covariance[:k, :k])
    quadratic[k:, k:] -= np.linalg.inv(covariance[k:, k:])
    blocks = (covariance[:k, :k], covariance[k:, k:], covariance)
    x, y, joint = (float(np.linalg.slogdet(block)[1]) for block in blocks)
    return LocalCritic(mean, quadratic, 0.5 * (x + y - joint))


def _tied_scores(knots: Float64Array) -> Float64Array:
    """Return the normal score of each knot, the mean of them where knots are equal."""
    _, group = np.unique(knots, return_inverse=True)
    means = np.bincount(group, weights=ndtri(KNOT_SHARES)) / np.bincount(group)
    return np.asarray(means[group])
