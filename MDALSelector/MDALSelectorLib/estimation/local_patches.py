"""Patches of a cohort at the same relative places of every body, for networks of positions.

The places are the first of those that the closed form looks at, and count where it counts them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from MDALSelectorLib.estimation.cross_fitting import IntArray
from MDALSelectorLib.estimation.local_features import two_scales
from MDALSelectorLib.estimation.local_samples import Blurs, places_in, seen_body
from MDALSelectorLib.estimation.pair_estimate import ModalityPair
from MDALSelectorLib.estimation.patch_encoder import PATCH_EDGE, REACH, STEPS
from MultimodalImagingLib.images.arrays import Float32Array, MaskArray
from MultimodalImagingLib.jobs.progress import NullReporter, Reporter
from MultimodalImagingLib.preparation.prepared_case import PreparedCase

HalfArray = npt.NDArray[np.float16]
PATCH_SHAPE = (len(STEPS), PATCH_EDGE, PATCH_EDGE, PATCH_EDGE)
# Fewer places than this describe no case, however large the cohort.
MIN_BOX_PLACES = 200


@dataclass(frozen=True, eq=False)
class LocalPatches:
    """Patches at the places of all cases.

    Attributes:
        seen: Which places count per modality, in the order of the cohort, `(n_cases, n_places)`.
        values: Per modality and case, the patches of the places that count, `(n, 2, 7, 7, 7)`.
    """

    seen: Mapping[str, MaskArray]
    values: Mapping[str, Sequence[HalfArray]]

    @property
    def available(self) -> dict[str, MaskArray]:
        """Which cases have each modality at any place, `(n_cases,)`."""
        return {m: np.asarray(seen.any(axis=1)) for m, seen in self.seen.items()}

    def counts(self, pair: ModalityPair, partner: IntArray | None = None) -> MaskArray:
        """Tell which places count for a pair, as `LocalSamples.counts` does."""
        first, second = (self.seen[modality] for modality in pair)
        return np.asarray(first & (second if partner is None else second[partner]))

    def at(self, modality: str, case: int, places: IntArray) -> Float32Array:
        """Return the patches at some places of a case that count, `(n, 2, 7, 7, 7)`."""
        rows = np.cumsum(self.seen[modality][case]) - 1
        return np.asarray(self.values[modality][case][rows[places]], dtype=np.float32)


def patch_cohort(
    cases: Iterable[PreparedCase],
    kinds: Mapping[str, str],
    *,
    blurs: Sequence[Blurs],
    n_places: int,
    memory_mb: int,
    reporter: Reporter | None = None,
) -> LocalPatches:
    """Cut patches out of every modality of every case at the places of its body.

    Args:
        cases: Prepared cases; each is read once and let go.
        kinds: Modality to kind, in the order of the cohort.
        blurs: Per case and modality, the blur that matches the resolutions, mm.
        n_places: Places in the box around each body; about half of them lie in the body.
        memory_mb: Memory for the patches, MiB; of large cohorts fewer places are taken.
        reporter: Notified of each case; its `advance` may raise `CancelledError`.
    """
    reporter = reporter or NullReporter()
    reporter.stage("Cut patches", len(blurs))
    n = _affordable(n_places, len(blurs) * len(kinds), memory_mb)
    seen = {m: np.zeros((len(blurs), n), dtype=bool) for m in kinds}
    nothing = np.empty((0, *PATCH_SHAPE), dtype=np.float16)
    values: dict[str, list[HalfArray]] = {m: [nothing] * len(blurs) for m in kinds}
    for row, (case, blur) in enumerate(zip(cases, blurs, strict=True)):
        voxels = places_in(case.body, n)
        for modality in case.modalities:
            counts = seen_body(case, modality)[voxels]
            if counts.any():
                channels = case_channels(case, modality, kind=kinds[modality], blurs=blur)
                where = np.stack([axis[counts] for axis in voxels], axis=1)
                seen[modality][row] = counts
                values[modality][row] = patches_at(channels, where)
        reporter.advance()
    return LocalPatches(seen, values)


def case_channels(case: PreparedCase, modality: str, *, kind: str, blurs: Blurs) -> Float32Array:
    """Return one modality of a case at both scales, `(2, K, J, I)`."""
    return two_scales(
        case.images[modality],
        seen_body(case, modality),
        spacing_mm=case.grid.spacing_mm,
        kind=kind,
        resolution_mm=blurs.get(modality, (0.0, 0.0, 0.0)),
    )


def patches_at(channels: Float32Array, voxels: IntArray) -> HalfArray:
    """Cut patches around voxels, zero beyond the volume.

    Args:
        channels: One volume per scale, `(2, K, J, I)`.
        voxels: Indices along K, J and I, `(n, 3)`.

    Returns:
        `(n, 2, 7, 7, 7)`, voxels `STEPS` apart.
    """
    padded = np.pad(channels, [(0, 0)] + [(REACH, REACH)] * 3)
    found = np.empty((len(voxels), *PATCH_SHAPE), dtype=np.float16)
    offsets = np.arange(PATCH_EDGE) - PATCH_EDGE // 2
    for scale, step in enumerate(STEPS):
        k, j, i = (axis[:, None] + REACH + step * offsets for axis in voxels.T)
        found[:, scale] = padded[scale][
            k[:, :, None, None], j[:, None, :, None], i[:, None, None, :]
        ]
    return found


def _affordable(n_places: int, n_volumes: int, memory_mb: int) -> int:
    """Return the number of places whose patches fit into the memory if half of them count."""
    patch_bytes = 2 * int(np.prod(PATCH_SHAPE))
    room = memory_mb * 2**20 * 2 // (patch_bytes * max(n_volumes, 1))
    return min(n_places, max(MIN_BOX_PLACES, room))
