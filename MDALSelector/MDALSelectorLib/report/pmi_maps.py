"""Maps of local PMI in a run: files for suggested cases, and where modalities differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from MDALSelectorLib.estimation.local_estimator import LocalCritics
from MDALSelectorLib.estimation.local_maps import local_pmi_maps
from MDALSelectorLib.estimation.resolution import case_blurs
from MDALSelectorLib.report.thumbnails import Disagreement
from MDALSelectorLib.selection.case_selection import CaseSelection
from MDALSelectorLib.selection.cohort_scores import CohortScores
from MDALSelectorLib.selection.diagnostics import Pair
from MDALSelectorLib.selection.run_folder import MAPS_NAME, map_names
from MultimodalImagingLib.images.arrays import Float32Array
from MultimodalImagingLib.images.geometry import Volume
from MultimodalImagingLib.images.volume_io import write_volume
from MultimodalImagingLib.preparation.prepared_case import PreparedCase
from MultimodalImagingLib.preparation.preprocessing import PreparedCohort


def disagreement_of(
    run: Path,
    selection: CaseSelection,
    scores: CohortScores,
    prepared: PreparedCohort,
    names: Mapping[str, str],
) -> Disagreement | None:
    """Return what maps the cases that are shown, if the estimator that ranks looks at positions.

    Args:
        run: Folder of the run.
        selection: What came out; its suggested cases get files.
        scores: What the maps are made with.
        prepared: The prepared cohort.
        names: File name of the picture per case that is shown.
    """
    if not selection.diagnostics.is_per_position or scores.critics is None:
        return None
    counted = [pair.pair for pair in selection.diagnostics.pairs if pair.is_used]
    medians = {p: v for p, v in selection.diagnostics.medians_nats.items() if p in counted}
    suggested = {case.case_id for case in selection.suggested}
    folders = {case: Path(name).stem for case, name in names.items() if case in suggested}
    return PMIMaps(run, prepared, scores.critics, medians, folders).disagreement


@dataclass(frozen=True, eq=False)
class PMIMaps:
    """Makes the maps of one case at a time, when its picture is drawn.

    Attributes:
        run: Folder of the run.
        prepared: The prepared cohort.
        critics: What the maps are made with.
        medians_nats: Median PMI of the pairs that count, nats.
        folders: Name of the folder of maps per case that gets files.
    """

    run: Path
    prepared: PreparedCohort
    critics: LocalCritics
    medians_nats: Mapping[Pair, float]
    folders: Mapping[str, str] = field(default_factory=dict)

    def disagreement(self, case: PreparedCase) -> Float32Array | None:
        """Write the maps of a case that gets files; return where its modalities differ.

        Returns:
            How far the PMI lies below the cohort's median, mean over the pairs that count, nats,
            `(K, J, I)`, NaN outside the body; `None` if the case has none of them.

        Raises:
            CrossModalError: If a file cannot be written.
        """
        row = self.prepared.case_ids.index(case.case_id)
        maps = local_pmi_maps(
            case,
            row=row,
            critics=self.critics,
            kinds=self.prepared.spec.kinds,
            blurs=case_blurs(self.prepared, row),
        )
        maps = {pair: values for pair, values in maps.items() if pair in self.medians_nats}
        if case.case_id in self.folders:
            self._write(case, maps)
        return mean_difference(maps, self.medians_nats)

    def _write(self, case: PreparedCase, maps: Mapping[Pair, Float32Array]) -> None:
        folder = self.run / MAPS_NAME / self.folders[case.case_id]
        folder.mkdir(parents=True, exist_ok=True)
        for pair, name in map_names(maps).items():
            values = np.where(np.isfinite(maps[pair]), maps[pair], np.float32(0))
            write_volume(folder / name, Volume(values, case.grid))


def mean_difference(
    maps: Mapping[Pair, Float32Array], medians_nats: Mapping[Pair, float]
) -> Float32Array | None:
    """Return the median minus the PMI, mean over the pairs known at each position, nats."""
    if not maps:
        return None
    below = np.stack([medians_nats[pair] - values for pair, values in maps.items()])
    known = np.isfinite(below)
    number = known.sum(axis=0)
    total = np.sum(below, axis=0, where=known)
    mean = np.where(number > 0, total / np.maximum(number, 1), np.nan)
    return np.asarray(mean, dtype=np.float32)
