"""The working spacing of a training: that of the primary images. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from CIMLSegmentLib.task.task import Task
from MultimodalImagingLib.cohorts.cases import Case
from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.images.volume_io import read_grid
from MultimodalImagingLib.preparation.working_grid import canonical_grid


def training_spacing(cases: Iterable[Case], task: Task) -> tuple[float, float, float]:
    """Return the median spacing of the primary images along left, posterior and superior, mm.

    Results lie on the grid of the primary image, so a finer grid would be thrown away, and a
    coarser one would lose small lesions. Selection works on coarser grids than this.

    Args:
        cases: The cases to train on; unreadable images are passed over.
        task: The first of its primaries that a case has counts.

    Raises:
        CohortError: If no primary image can be read.
    """
    found = []
    for case in cases:
        file = next((case.images[m] for m in task.primaries if m in case.images), None)
        try:
            found += [canonical_grid(read_grid(file)).spacing_mm] if file is not None else []
        except CohortError:
            continue  # preparing the case tells about it
    if not found:
        msg = (
            f"Expected readable images of {' or '.join(task.primaries)}, found none. If there are"
            " such files, the problems above or of `mdal-selector inspect` say why they are not"
            " used; else correct the modality patterns, or choose another task."
        )
        raise CohortError(msg)
    left, posterior, superior = (round(float(mm), 3) for mm in np.median(found, axis=0))
    return left, posterior, superior
