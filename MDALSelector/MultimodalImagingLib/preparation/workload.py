"""How much there is to compute in a cohort, for estimates of time; from its headers."""

from __future__ import annotations

from math import prod

import numpy as np

from MultimodalImagingLib.cohorts.cases import Cohort
from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.preparation.preprocessing import default_spec

MEGA = 1e6


def stored_megavoxels(cohort: Cohort) -> float:
    """Return the mean size of a case as it is stored, all images together, in 10^6 voxels."""
    grids = cohort.grids
    found = [
        sum(prod(grids[file].size) for file in case.images.values() if file in grids)
        for case in cohort.cases
    ]
    return float(np.mean(found)) / MEGA if found else 0.0


def working_megavoxels(cohort: Cohort, spacing_mm: float | None = None) -> float:
    """Return the mean size of one prepared image, in 10^6 voxels.

    Args:
        cohort: The cohort.
        spacing_mm: Working spacing, mm; `None` for that which would be chosen.
    """
    try:
        voxel_ml = (spacing_mm or default_spec(cohort).spacing_mm[0]) ** 3 / 1e3
    except CohortError:  # the preparation says so better
        return 0.0
    firsts = [next(iter(case.images.values())) for case in cohort.cases if case.images]
    grids = [cohort.grids[file] for file in firsts if file in cohort.grids]
    volumes_ml = [prod(grid.size) * prod(grid.spacing_mm) / 1e3 for grid in grids]
    return float(np.mean(volumes_ml)) / voxel_ml / MEGA if volumes_ml else 0.0
