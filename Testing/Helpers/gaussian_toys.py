"""Two modalities with known PMI: correlated Gaussian variates behind a fixed injective map.

Eight pairs of variates `u_k`, `v_k` with correlations `CORRELATIONS`; the PMI of a pair has a
closed form. PMI does not change under an injective map of either modality, so the lift to 256
features below changes how hard it is to estimate and not the answer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

CORRELATIONS = np.array([0.95, 0.9, 0.8, 0.7, 0.5, 0.3, 0.0, 0.0])
N_LIFTED = 256
MAP_SEEDS = {"a": 1, "b": 2, "c": 3, "d": 4}


@dataclass(frozen=True)
class Toy:
    """Variates, features and true PMI of a cohort.

    Attributes:
        first: `u`, `(n_cases, 8)`.
        second: `v`, same shape.
        pmi: True PMI of every case, nats, `(n_cases,)`.
    """

    first: FloatArray
    second: FloatArray
    pmi: FloatArray

    @property
    def lifted(self) -> dict[str, FloatArray]:
        """Features of the two modalities, `{"a": (n_cases, 256), "b": (n_cases, 256)}`."""
        return {"a": lift(self.first, "a"), "b": lift(self.second, "b")}


def make_toy(n_cases: int, *, seed: int) -> Toy:
    """Draw a cohort."""
    generator = np.random.default_rng([seed, n_cases])
    rho = CORRELATIONS
    u = generator.standard_normal((n_cases, len(rho)))
    v = rho * u + np.sqrt(1 - rho**2) * generator.standard_normal((n_cases, len(rho)))
    return Toy(u, v, canonical_pmi(u, v))


def canonical_pmi(u: FloatArray, v: FloatArray) -> FloatArray:
    """Return the PMI of each pair of variates, nats, `(n_cases,)`."""
    rho = CORRELATIONS
    quadratic = (rho**2 * (u**2 + v**2) - 2 * rho * u * v) / (2 * (1 - rho**2))
    return np.asarray((-0.5 * np.log(1 - rho**2) - quadratic).sum(axis=1))


def lift(variates: FloatArray, modality: str) -> FloatArray:
    """Map 8 variates to 256 features: `tanh(z W + c)`, W and c fixed per modality.

    `W` is standard normal over the root of 8, so that pre-activations have unit variance; `c` is
    normal with standard deviation 0.5. 256 random directions of 8 variates determine them: the map
    is injective.
    """
    generator = np.random.default_rng(MAP_SEEDS[modality])
    weights = generator.standard_normal((variates.shape[1], N_LIFTED)) / np.sqrt(variates.shape[1])
    offsets = 0.5 * generator.standard_normal(N_LIFTED)
    return np.asarray(np.tanh(variates @ weights + offsets))


def patients(n_cases: int) -> list[str]:
    """Return one patient per case."""
    return [f"patient_{i:05d}" for i in range(n_cases)]
