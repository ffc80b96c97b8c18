"""What an estimation starts from: cases, and what each estimator looks at, checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from MDALSelectorLib.estimation.chance import Groups
from MDALSelectorLib.estimation.config import EstimationConfig
from MDALSelectorLib.estimation.local_samples import LocalSamples
from MDALSelectorLib.estimation.pair_estimate import ModalityPair, has_modality, joint_cases
from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.images.arrays import Float64Array, MaskArray
from MultimodalImagingLib.jobs.texts import counted

if TYPE_CHECKING:
    from MDALSelectorLib.estimation.case_embeddings import ViewSource
    from MDALSelectorLib.estimation.local_patches import LocalPatches


@dataclass(frozen=True, eq=False)
class EstimationData:
    """The cases and what is known of each; row i of every array is case i.

    Attributes:
        case_ids: Identifier per case, ascending, as a cohort sorts them.
        patient_ids: Patient per case.
        features: Per modality `(n_cases, n_features)`, a row of NaN where it is missing; for the
            Gaussian estimator.
        samples: Features of positions, for the local estimator.
        views: Makes the views of the cases, for the contrastive estimator.
        patches: Makes patches at the positions, for the contrastive form of the local estimator.
        groups: Group of every case by the name of a grouping (site, voxel size, ...), within which
            it is also measured what chance reaches.
    """

    case_ids: Sequence[str]
    patient_ids: Sequence[str]
    features: Mapping[str, Float64Array] | None = None
    samples: LocalSamples | None = None
    views: Callable[[], ViewSource] | None = None
    patches: Callable[[], LocalPatches] | None = None
    groups: Groups = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse cases out of order, and data of other cases or modalities.

        Raises:
            CohortError: If features are not finite; the message names the cases.
            ValueError: If cases are not in order, or lengths and modalities differ.
        """
        in_order = sorted(set(self.case_ids)) == list(self.case_ids)
        if not in_order or len(self.patient_ids) != len(self.case_ids):
            msg = "Expected different case identifiers in order and one patient for each of them."
            raise ValueError(msg)
        if any(len(labels) != len(self.case_ids) for labels in self.groups.values()):
            msg = f"Expected a group for each of {len(self.case_ids)} cases in every grouping."
            raise ValueError(msg)
        _check_features(self.features or {}, self.case_ids)
        if self.features is None or self.samples is None:
            return
        lengths = {len(values) for values in self.samples.values.values()}
        if list(self.features) != list(self.samples.values) or lengths != {len(self.case_ids)}:
            msg = "Expected features and positions of the same modalities of the same cases."
            raise ValueError(msg)

    @property
    def available(self) -> Mapping[str, MaskArray]:
        """Which cases have each modality, `(n_cases,)`."""
        if self.features is not None:
            return has_modality(self.features)
        if self.samples is not None:
            return self.samples.available
        if self.views is not None:
            return self.views().available
        if self.patches is not None:
            return self.patches().available
        msg = "Expected features, positions, views or patches."
        raise ValueError(msg)

    def why_too_few(self, config: EstimationConfig) -> dict[ModalityPair, str | None]:
        """Return, for every pair in the order of the cohort, why it has too few cases."""
        available = self.available
        return {
            pair: self._why(pair, joint_cases(available, pair).tolist(), config)
            for pair in combinations(available, 2)
        }

    def _why(self, pair: ModalityPair, cases: list[int], config: EstimationConfig) -> str | None:
        both = f"{pair[0]} and {pair[1]}"
        if len(cases) < config.min_cases:
            counts = counted(len(cases), "case", "has", "have")
            return f"{counts} both {both}; at least {config.min_cases} are needed."
        n_patients = len({self.patient_ids[case] for case in cases})
        if n_patients < 2 * config.cross_fit.n_folds:
            return (
                f"{counted(n_patients, 'patient', 'has', 'have')} both {both}; at least"
                f" {2 * config.cross_fit.n_folds} are needed, two in each fold."
            )
        return None


def _check_features(features: Mapping[str, Float64Array], case_ids: Sequence[str]) -> None:
    for modality, values in features.items():
        if values.ndim != 2 or len(values) != len(case_ids):
            msg = (
                f"Expected features of {modality} of shape ({len(case_ids)}, n_features), got"
                f" {values.shape}."
            )
            raise ValueError(msg)
        is_missing = np.isnan(values).all(axis=1)
        is_bad = ~np.isfinite(values).all(axis=1) & ~is_missing
        if is_bad.any():
            names = ", ".join(case_ids[i] for i in np.flatnonzero(is_bad)[:5])
            msg = (
                f"Expected finite features of {modality}, got NaN or infinity in {is_bad.sum()}"
                f" cases ({names}). Check the images of these cases, or leave the modality out of"
                " them."
            )
            raise CohortError(msg)
