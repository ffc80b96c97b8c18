"""Maps of local PMI in a run: files of the cases shown, and where their modalities differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from MDALSelectorLib.estimation.local_maps import local_pmi_maps
from MDALSelectorLib.estimation.position_critics import PositionCritics
from MDALSelectorLib.estimation.resolution import case_blurs
from MDALSelectorLib.report.map_files import mean_difference
from MDALSelectorLib.report.thumbnails import Disagreement
from MDALSelectorLib.selection.case_selection import CaseSelection
from MDALSelectorLib.selection.cohort_scores import CohortScores
from MDALSelectorLib.selection.diagnostics import Pair
from MDALSelectorLib.selection.run_folder import map_places
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
        selection: What came out.
        scores: What the maps are made with.
        prepared: The prepared cohort.
        names: File name of the picture per case that is shown; these cases get files, too.
    """
    if not selection.diagnostics.is_per_position or scores.critics is None:
        return None
    medians = selection.diagnostics.used_medians_nats
    places = {case: map_places(name, selection.pairs) for case, name in names.items()}
    return PMIMaps(run, prepared, scores.critics, medians, places).disagreement


@dataclass(frozen=True, eq=False)
class PMIMaps:
    """Makes the maps of one case at a time, when its picture is drawn.

    Attributes:
        run: Folder of the run.
        prepared: The prepared cohort.
        critics: What the maps are made with.
        medians_nats: Median PMI of the pairs that count, nats.
        places: Place of the file of every pair in the run, per case that gets files.
    """

    run: Path
    prepared: PreparedCohort
    critics: PositionCritics
    medians_nats: Mapping[Pair, float]
    places: Mapping[str, Mapping[Pair, str]] = field(default_factory=dict)

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
        self._write(case, maps)
        return mean_difference(maps, self.medians_nats)

    def _write(self, case: PreparedCase, maps: Mapping[Pair, Float32Array]) -> None:
        for pair, place in self.places.get(case.case_id, {}).items():
            if pair in maps:
                (self.run / place).parent.mkdir(parents=True, exist_ok=True)
                values = np.where(np.isfinite(maps[pair]), maps[pair], np.float32(0))
                write_volume(self.run / place, Volume(values, case.grid))
