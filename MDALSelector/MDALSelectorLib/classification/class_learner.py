"""A small classifier of whole cases: multinomial logistic regression on their embeddings.

Its strength of regularization is chosen by the log loss on patients held out, so that its
probabilities mean what they say, and shrink to the shares of the classes where nothing is learned.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from MultimodalImagingLib.images.arrays import Float64Array

IntArray = npt.NDArray[np.intp]

# Of fewer patients with a class none can be held out and another one be learned from.
LEAST_PATIENTS = 2

# Inverse strengths of regularization that are tried, the strongest first.
STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0)
# Folds among which the strength is chosen; a training takes a hundredth of a second.
N_INNER_FOLDS = 3
LEAST_PROBABILITY = 1e-6


def standardized(embeddings: Float64Array, *, over: Float64Array) -> Float64Array:
    """Give every feature mean 0 and variance 1 over some cases; no label is looked at.

    Few labels need no fewer features: regularization, which knows no directions, does the same.

    Args:
        embeddings: Shape `(n_cases, n_features)`.
        over: Embeddings of the cases that may be learned from, `(n, n_features)`.

    Returns:
        Shape of `embeddings`, unitless; a feature that is constant over those cases is centered.
    """
    spread = over.std(axis=0)
    centered = (embeddings - over.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    return np.asarray(centered, dtype=np.float64)


def patient_folds(
    classes: IntArray, patients: Sequence[str], *, n_folds: int, seed: int
) -> Iterator[tuple[IntArray, IntArray]]:
    """Yield rows to train on and rows held out: no patient on both sides, classes spread evenly.

    Args:
        classes: Number of the class of every labeled case, `(n,)`.
        patients: Their patients.
        n_folds: Number of folds; fewer if a class has fewer patients.
        seed: Source of the split.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    n_folds = min(n_folds, *patients_per_class(classes, patients).values())
    splitter = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
    blank = np.zeros((len(classes), 1))
    for train, test in splitter.split(blank, classes, np.asarray(patients, dtype=str)):
        if len(test):
            yield train, test


def patients_per_class(classes: IntArray, patients: Sequence[str]) -> dict[int, int]:
    """Return the number of patients that have a case of each class."""
    names = np.asarray(patients, dtype=str)
    return {int(c): len({*names[classes == c].tolist()}) for c in np.unique(classes)}


def class_probabilities(
    train: Float64Array,
    classes: IntArray,
    test: Float64Array,
    *,
    n_classes: int,
    strength: float,
) -> Float64Array:
    """Train on labeled cases and return the probability of every class for others.

    Args:
        train: Standardized embeddings of the labeled cases, `(n, n_features)`.
        classes: Number of their class, `(n,)`.
        test: Standardized embeddings of the others, `(m, n_features)`.
        n_classes: Number of classes; one that does not occur gets the probability 0.
        strength: Inverse strength of regularization.

    Returns:
        Shape `(m, n_classes)`; rows sum to 1.
    """
    found = np.zeros((len(test), n_classes))
    present = np.unique(classes)
    if len(present) == 1:
        found[:, present[0]] = 1.0
        return found
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=strength, max_iter=500)
    with warnings.catch_warnings():  # 500 steps of few variables are close enough
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(train, classes)
    found[:, present] = model.predict_proba(test)
    return found


def chosen_strength(
    values: Float64Array, classes: IntArray, patients: Sequence[str], *, seed: int
) -> float:
    """Return the strength with the lowest log loss on patients held out; ties take the strongest.

    Args:
        values: Standardized embeddings of the labeled cases, `(n, n_features)`.
        classes: Number of their class, `(n,)`; every class occurs in two patients or more.
        patients: Their patients.
        seed: Source of the split.
    """
    n_classes = int(classes.max()) + 1
    losses = np.zeros(len(STRENGTHS))
    for train, test in patient_folds(classes, patients, n_folds=N_INNER_FOLDS, seed=seed):
        for number, strength in enumerate(STRENGTHS):
            found = class_probabilities(
                values[train], classes[train], values[test], n_classes=n_classes, strength=strength
            )
            own = found[np.arange(len(test)), classes[test]]
            losses[number] -= np.log(np.maximum(own, LEAST_PROBABILITY)).sum()
    return STRENGTHS[int(np.argmin(losses))]


def predictive_entropy(probabilities: Float64Array) -> Float64Array:
    """Return the entropy of every row, nats, `(n,)`; 0 is sure, `log(n_classes)` knows nothing."""
    safe = np.where(probabilities > 0, probabilities, 1.0)
    return np.asarray(-(safe * np.log(safe)).sum(axis=1) + 0.0)
