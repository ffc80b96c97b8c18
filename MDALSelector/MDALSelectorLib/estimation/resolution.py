"""How finely the images of a cohort show things, from their headers."""

from __future__ import annotations

from collections.abc import Mapping

from MDALSelectorLib.estimation.local_features import Triple, matching_blur_mm
from MultimodalImagingLib.images.volume_io import read_grid
from MultimodalImagingLib.preparation.preprocessing import PreparedCohort
from MultimodalImagingLib.preparation.working_grid import canonical_grid


def matching_blurs(prepared: PreparedCohort) -> list[Mapping[str, Triple]]:
    """Return, per case, the blur that brings its sharper modalities to the coarsest.

    Voxel sizes are taken along the working axes that lie closest to the axes of each image.

    Args:
        prepared: The prepared cohort; only headers of its images are read.

    Returns:
        Per case and modality a standard deviation along I, J, K, mm.

    Raises:
        CohortError: If an image cannot be read any more.
    """
    blurs: list[Mapping[str, Triple]] = []
    for case, header in zip(prepared.cases, prepared.headers, strict=True):
        native = {
            modality: canonical_grid(read_grid(case.images[modality])).spacing_mm
            for modality in header.modalities
        }
        blurs.append(matching_blur_mm(native, header.grid.spacing_mm))
    return blurs
