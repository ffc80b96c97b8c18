"""Limits that a bound is held against: its ceiling and what chance reaches. No numpy, no torch.

Estimators and the words about them must agree on these, so both take them from here.
"""

from __future__ import annotations

import math

# Most cases that a bound is computed on at once; it is then at most log 256 = 5.5 nats.
BOUND_BLOCK = 256
# From this share of its ceiling on, a bound only says "at least this much".
NEAR_CEILING = 0.8
# Name of the exchange between any patients, beside the names of groupings of acquisition.
ANYONE = ""


def ceiling_nats(n_cases: int, n_folds: int) -> float | None:
    """Return the largest bound that an estimator of whole cases can reach, nats.

    It is the logarithm of the number of cases that are held out at a time; `None` below two.

    Args:
        n_cases: Cases that have the pair.
        n_folds: Parts that they are held out in.
    """
    n_held_out = n_cases / n_folds
    return math.log(min(n_held_out, BOUND_BLOCK)) if n_held_out >= 2 else None


def is_near_ceiling(bound_nats: float | None, ceiling: float | None) -> bool:
    """Tell whether a bound has too little room to be compared with others."""
    return bound_nats is not None and ceiling is not None and bound_nats >= NEAR_CEILING * ceiling


def limit_words(least_nats: float, floor_nats: float | None, grouping: str) -> str:
    """Say what a bound must exceed: what chance reaches, or the least that counts.

    Args:
        least_nats: The least bound that counts, nats.
        floor_nats: What chance reaches, nats; `None` if it is not known.
        grouping: `ANYONE`, or the name of the grouping within which patients were exchanged.
    """
    if floor_nats is None or not math.isfinite(floor_nats):
        return f"the {least_nats:.2f} nats from which on it counts"
    if floor_nats <= least_nats:
        reached = f"chance gives up to {max(floor_nats, 0.0):.2f}"
        return f"the {least_nats:.2f} nats from which on it counts ({reached})"
    if grouping == ANYONE:
        return f"the {floor_nats:.2f} nats that chance alone could give"
    strangers = f"images of different patients with the same {grouping}"
    return f"the {floor_nats:.2f} nats that {strangers} could give"
