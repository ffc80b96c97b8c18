"""How finely the images of a cohort show things, from their headers."""

from __future__ import annotations

from collections.abc import Mapping

from MDALSelectorLib.estimation.local_features import Triple, matching_blur_mm
from MultimodalImagingLib.images.volume_io import read_grid
from MultimodalImagingLib.preparation.preprocessing import PreparedCohort
from MultimodalImagingLib.preparation.working_grid import canonical_grid


def matching_blurs(prepared: PreparedCohort) -> list[Mapping[str, Triple]]:
    """Return, per case, the blur that brings its sharper modalities to the coarsest.

    Args:
        prepared: The prepared cohort; only headers of its images are read.

    Returns:
        Per case and modality a standard deviation along I, J, K, mm.

    Raises:
        CohortError: If an image cannot be read any more.
    """
    return [case_blurs(prepared, row) for row in range(len(prepared))]


def case_blurs(prepared: PreparedCohort, row: int) -> Mapping[str, Triple]:
    """Return the blurs of one case.

    Voxel sizes are taken along the working axes that lie closest to the axes of each image.
    """
    case, header = prepared.cases[row], prepared.headers[row]
    native = {
        modality: canonical_grid(read_grid(case.images[modality])).spacing_mm
        for modality in header.modalities
    }
    return matching_blur_mm(native, header.grid.spacing_mm)
