"""What preprocessing asks for and what it gives: the specification and the prepared case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from MultimodalImagingLib.cohorts.cohort import Problem
from MultimodalImagingLib.images.geometry import Grid
from MultimodalImagingLib.preparation.intensity import MODALITY_KINDS

FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class PreprocessingSpec:
    """How images become arrays; stored with models and in the key of every cached case.

    Attributes:
        spacing_mm: Working spacing along the left, posterior and superior axes, mm.
        kinds: Modality to `"MR"`, `"CT"`, `"PET"` or `"OTHER"`, in the order of the cohort.
    """

    spacing_mm: tuple[float, float, float]
    kinds: Mapping[str, str]

    def __post_init__(self) -> None:
        """Refuse a spacing or a kind that does not exist."""
        if len(self.spacing_mm) != 3 or not min(self.spacing_mm) > 0:
            msg = f"Expected three positive spacings in mm, got {self.spacing_mm}."
            raise ValueError(msg)
        unknown = {m: kind for m, kind in self.kinds.items() if kind not in MODALITY_KINDS}
        if unknown or not self.kinds:
            msg = f"Expected a kind of {MODALITY_KINDS} for every modality, got {dict(self.kinds)}."
            raise ValueError(msg)

    @property
    def modalities(self) -> tuple[str, ...]:
        """Modalities in the order of the cohort."""
        return tuple(self.kinds)


@dataclass(frozen=True)
class PreparedCase:
    """All usable modalities of a case on one grid, with comparable intensities.

    Attributes:
        case_id: The case.
        grid: The common grid; its axes are as close to LPS as the reference image allows.
        images: Normalized intensities per usable modality, shape `(K, J, I)`, unitless, 0 where
            the modality has no voxels. In the order of the specification.
        coverage: Where each modality has voxels, same keys.
        bodies: Where each modality sees the body, same keys.
        body: Where at least half of the modalities that cover a voxel see the body.
        problems: What was wrong with the case's files; a modality named by an error is missing.
    """

    case_id: str
    grid: Grid
    images: Mapping[str, FloatArray]
    coverage: Mapping[str, BoolArray]
    bodies: Mapping[str, BoolArray]
    body: BoolArray
    problems: tuple[Problem, ...] = field(default=())

    @property
    def modalities(self) -> tuple[str, ...]:
        """Usable modalities in the order of the cohort."""
        return tuple(self.images)
