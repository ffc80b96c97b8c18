"""Closed-form PMI: principal components, shrunk canonical correlations, Gaussian formula."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from MDALSelectorLib.estimation.config import GaussianConfig
from MDALSelectorLib.estimation.cross_fitting import IntArray, bound_blocks
from MDALSelectorLib.estimation.pair_estimate import NORMAL_MAD
from MultimodalImagingLib.images.arrays import Float64Array

# A column that varies less than this, relative to the columns' usual spread, is constant.
CONSTANT_COLUMN = 1e-9
# Features of an odd image count as this many robust standard deviations from the median at most,
# where they are fitted and where they are scored: a normal feature never gets there.
MAX_DEVIATIONS = 5.0
# Unmatched pairs less likely than this power of the number of cases count as if they were not
# less likely, so that one odd case cannot break the bound. A floor keeps it a valid bound.
_FLOOR = -2.0


@dataclass(frozen=True, eq=False)
class Whitening:
    """Standardized principal components that are uncorrelated with unit variance.

    Attributes:
        mean: Mean per feature, `(n_features,)`.
        axes: Maps centered features to components, largest variance first, `(n_features, k)`.
        spreads: Standard deviations of the components before they were scaled to 1, `(k,)`.
        low: Smallest value that counts per feature, `(n_features,)`.
        high: The largest.
    """

    mean: Float64Array
    axes: Float64Array
    spreads: Float64Array
    low: Float64Array
    high: Float64Array

    def __call__(self, features: Float64Array) -> Float64Array:
        """Return the components, `(n_cases, k)`."""
        return np.asarray((np.clip(features, self.low, self.high) - self.mean) @ self.axes)


@dataclass(frozen=True, eq=False)
class CanonicalCritic:
    """Gaussian PMI between the canonical variates of two modalities.

    Attributes:
        first: Variates of the first modality, unit variance, `(n_cases, k)`.
        second: Variates of the second, same shape; row i is the same case.
        correlations: Canonical correlations, in [0, 1), `(k,)`.
    """

    first: Float64Array
    second: Float64Array
    correlations: Float64Array

    def matched(self) -> Float64Array:
        """Return the PMI of every case with itself, nats, `(n_cases,)`."""
        u, v, r = self.first, self.second, self.correlations
        quadratic = (r**2 * (u**2 + v**2) - 2 * r * u * v) / (2 * (1 - r**2))
        return np.asarray((-0.5 * np.log1p(-(r**2)) - quadratic).sum(axis=1))

    def matrix(self, cases: IntArray) -> Float64Array:
        """Return the PMI of every first with every second modality of some cases, nats."""
        u, v, r = self.first[cases], self.second[cases], self.correlations
        own = r**2 / (1 - r**2) / 2
        constant = -0.5 * np.log1p(-(r**2)).sum()
        of_row, of_column = (u**2) @ own, (v**2) @ own
        return np.asarray(
            constant - of_row[:, None] - of_column[None, :] + (u * (r / (1 - r**2))) @ v.T
        )

    def bound(self, cases: IntArray, patients: IntArray) -> float:
        """Return the symmetric InfoNCE bound on some cases, nats; NaN for fewer than two.

        Args:
            cases: Positions of the cases.
            patients: Their patients, same shape; other cases of a patient are no negatives.
        """
        found = [
            _info_nce(self.matrix(cases[block]), patients[block])
            for block in bound_blocks(len(cases))
        ]
        return float(np.mean(found)) if found else float("nan")


def whiten(features: Float64Array, *, n_components: int) -> Whitening:
    """Fit standardization and principal components; constant features do not count.

    Values more than five robust standard deviations from their median count as five.

    Args:
        features: Finite values, `(n_cases, n_features)`.
        n_components: Most components; fewer are returned if the features span fewer.

    Raises:
        ValueError: If all cases are alike.
    """
    low, high = _usual_range(features)
    features = np.clip(features, low, high)
    mean, spread = features.mean(axis=0), features.std(axis=0)
    scale = np.abs(mean) + np.median(spread)
    varies = spread > CONSTANT_COLUMN * np.maximum(scale, np.finfo(np.float64).tiny)
    weights = np.where(varies, 1 / np.where(varies, spread, 1), 0)
    standardized = (features - mean) * weights
    variances, directions = _principal_axes(standardized)
    kept = variances[:n_components] > 1e-10 * max(variances[0], 1e-300)
    if not kept.any():
        msg = "Expected features that differ between cases, got the same for all."
        raise ValueError(msg)
    k = int(kept.sum())
    spreads = np.sqrt(variances[:k])
    axes = weights[:, None] * directions[:, :k] / spreads
    return Whitening(mean, axes, spreads, low, high)


def _usual_range(features: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Return the limits of what counts per feature; none where half of the values are one."""
    median = np.median(features, axis=0)
    spread = np.median(np.abs(features - median), axis=0) / NORMAL_MAD
    reach = np.where(spread > 0, MAX_DEVIATIONS * spread, np.inf)
    return median - reach, median + reach


def canonical_critics(
    fit: tuple[Float64Array, Float64Array],
    scored: tuple[Float64Array, Float64Array],
    config: GaussianConfig,
    *,
    n_components: int,
) -> Iterator[tuple[tuple[int, float], CanonicalCritic]]:
    """Yield `((k, shrinkage), critic of the scored cases)` for all settings of the grid.

    Args:
        fit: Whitened components of both modalities in the training cases, `(n_fit, k_max)`.
        scored: The same of the cases to score.
        config: The grid.
        n_components: Settings with more components are left out.
    """
    covariance = fit[0].T @ fit[1] / len(fit[0])
    for k in settings_of(config.n_components, n_components):
        left, singular, right = np.linalg.svd(covariance[:k, :k])
        first, second = scored[0][:, :k] @ left, scored[1][:, :k] @ right.T
        for shrinkage in config.shrinkages:
            correlations = np.clip(singular * (1 - shrinkage), 0, config.max_correlation)
            yield (k, shrinkage), CanonicalCritic(first, second, correlations)


def settings_of(n_components: tuple[int, ...], limit: int) -> tuple[int, ...]:
    """Return the component numbers that a cohort is large enough for; at least one."""
    allowed = tuple(k for k in sorted(set(n_components)) if k <= limit)
    return allowed or (max(1, min(*n_components, limit)),)


def _principal_axes(standardized: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Return variances, descending, and unit directions `(n_features, rank)`."""
    n_cases, n_features = standardized.shape
    if n_features <= n_cases:
        values, vectors = np.linalg.eigh(standardized.T @ standardized / n_cases)
        return np.maximum(values[::-1], 0), vectors[:, ::-1]
    values, vectors = np.linalg.eigh(standardized @ standardized.T / n_cases)
    values, vectors = np.maximum(values[::-1], 0), vectors[:, ::-1]
    lengths = np.sqrt(np.maximum(values, np.finfo(values.dtype).tiny) * n_cases)
    return values, standardized.T @ vectors / lengths


def _info_nce(critic: Float64Array, patients: IntArray) -> float:
    critic = np.maximum(critic, _FLOOR * np.log(len(critic)))
    is_own = patients[:, None] == patients[None, :]
    np.fill_diagonal(is_own, val=False)
    matched = critic.diagonal()
    candidates = np.where(is_own, -np.inf, critic)
    log_odds = matched - 0.5 * (_log_sum_exp(candidates) + _log_sum_exp(candidates.T))
    return float((log_odds + np.log(len(critic) - is_own.sum(axis=1))).mean())


def _log_sum_exp(values: Float64Array) -> Float64Array:
    largest = values.max(axis=1)
    return np.asarray(largest + np.log(np.exp(values - largest[:, None]).sum(axis=1)))
