"""Local features of a cohort at the same relative places of every body.

The places divide the box around each body alike, so that place s of one case corresponds to place
s of another; those outside the body do not count. Every body gives about as many places, whatever
its size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from MDALSelectorLib.estimation.cross_fitting import IntArray
from MDALSelectorLib.estimation.local_features import N_FEATURES, Triple, local_features
from MDALSelectorLib.estimation.pair_estimate import ModalityPair
from MultimodalImagingLib.images.arrays import Float32Array, MaskArray, bounding_box
from MultimodalImagingLib.jobs.progress import NullReporter, Reporter
from MultimodalImagingLib.preparation.prepared_case import PreparedCase
from MultimodalImagingLib.record.kept_results import (
    CaseMemo,
    CaseQuestion,
    ReportedMemo,
    Tensors,
    computed,
)

# Real root of g^4 = g + 1: its powers give the three-dimensional sequence of places that leaves
# the smallest gaps (Roberts, The unreasonable effectiveness of quasirandom sequences, 2018).
_ROOT = 1.2207440846057596
Blurs = Mapping[str, Triple]


@dataclass(frozen=True, eq=False)
class LocalSamples:
    """Features at the places of all cases; NaN where a place does not count.

    Attributes:
        values: Per modality, in the order of the cohort, `(n_cases, n_places, N_FEATURES)`.
    """

    values: Mapping[str, Float32Array]

    @property
    def available(self) -> dict[str, MaskArray]:
        """Which cases have each modality at any place, `(n_cases,)`."""
        return {
            m: np.asarray(~np.isnan(v[:, :, 0]).all(axis=1), dtype=bool)
            for m, v in self.values.items()
        }

    def taken(self, rows: Sequence[int]) -> LocalSamples:
        """Return the samples of some cases, in the order of the given rows."""
        index = np.asarray(rows, dtype=np.intp)
        return LocalSamples({m: values[index] for m, values in self.values.items()})

    def counts(self, pair: ModalityPair, partner: IntArray | None = None) -> MaskArray:
        """Tell which places count for a pair: those where both see the body.

        Args:
            pair: Two modalities.
            partner: Case whose second modality stands in for that of each case; itself by default.

        Returns:
            `(n_cases, n_places)`.
        """
        first, second = pair
        rows = np.arange(len(self.values[first])) if partner is None else partner
        lacks = np.isnan(self.values[first][:, :, 0]) | np.isnan(self.values[second][rows, :, 0])
        return np.asarray(~lacks)


def sample_cohort(
    cases: Sequence[PreparedCase],
    kinds: Mapping[str, str],
    *,
    blurs: Sequence[Blurs],
    n_places: int,
    reporter: Reporter | None = None,
    memo: CaseMemo = computed,
) -> LocalSamples:
    """Describe every modality of every case at the places of its body.

    Args:
        cases: Prepared cases; each is read once and let go.
        kinds: Modality to kind, in the order of the cohort.
        blurs: Per case and modality, the blur that matches the resolutions, mm.
        n_places: Places in the box around each body; about half of them lie in the body.
        reporter: Notified of each case; its `advance` may raise `CancelledError`.
        memo: Keeps what was computed of a case.
    """
    reporter = reporter or NullReporter()
    reporter.stage("Describe positions", len(blurs))
    steps = ReportedMemo(memo, reporter)
    shape = (len(blurs), n_places)
    values = {m: np.full((*shape, N_FEATURES), np.nan, dtype=np.float32) for m in kinds}

    def sampled(row: int) -> Tensors:
        return _case_samples(cases[row], kinds, blurs=blurs[row], n_places=n_places)

    for row, blur in enumerate(blurs):
        question = CaseQuestion("positions", row, settings=[n_places, dict(blur)])
        found = steps(question, partial(sampled, row))
        for modality, of_case in found.items():
            values[modality][row] = of_case
        steps.end_step()
    return LocalSamples(values)


def _case_samples(
    case: PreparedCase, kinds: Mapping[str, str], *, blurs: Blurs, n_places: int
) -> dict[str, Float32Array]:
    """Return the features at the places of one case per modality, `(n_places, N_FEATURES)`."""
    samples = {}
    voxels = places_in(case.body, n_places)
    for modality in case.modalities:
        samples[modality] = np.full((n_places, N_FEATURES), np.nan, dtype=np.float32)
        counts = seen_body(case, modality)[voxels]
        if counts.any():
            found = case_features(case, modality, kind=kinds[modality], blurs=blurs)
            k, j, i = (axis[counts] for axis in voxels)
            samples[modality][counts] = found[:, k, j, i].T
    return samples


def case_features(case: PreparedCase, modality: str, *, kind: str, blurs: Blurs) -> Float32Array:
    """Return the local features of one modality of a case, `(N_FEATURES, K, J, I)`."""
    return local_features(
        case.images[modality],
        seen_body(case, modality),
        spacing_mm=case.grid.spacing_mm,
        kind=kind,
        resolution_mm=blurs.get(modality, (0.0, 0.0, 0.0)),
    )


def seen_body(case: PreparedCase, modality: str) -> MaskArray:
    """Return the part of a case's body that one modality sees.

    Air says nothing and would make every pair agree; and an image that was padded with zeros to
    the field of view of another one would disagree with it wherever it was padded.
    """
    return np.asarray(case.body & case.coverage[modality] & case.bodies[modality])


def places_in(body: MaskArray, n_places: int) -> tuple[npt.NDArray[np.int64], ...]:
    """Return the voxels of the places in the box around a body, indices along K, J and I."""
    steps = _ROOT ** -np.arange(1.0, 4.0)
    relative = (0.5 + np.arange(1, n_places + 1)[:, None] * steps) % 1.0
    return tuple(
        part.start + (relative[:, axis] * (part.stop - part.start)).astype(np.int64)
        for axis, part in enumerate(bounding_box(body))
    )
