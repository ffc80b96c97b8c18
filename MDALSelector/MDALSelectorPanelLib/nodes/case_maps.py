"""Which maps of local PMI a run has of a case, and why it has none. Must not import Qt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from slicer.i18n import tr as _

if TYPE_CHECKING:
    from MDALSelectorLib.selection.case_selection import CaseSelection
    from MDALSelectorLib.selection.diagnostics import Pair
    from MultimodalImagingLib.images.arrays import Float32Array
    from MultimodalImagingLib.images.geometry import Grid


@dataclass(frozen=True)
class CaseMaps:
    """The maps of one case.

    Attributes:
        caseID: The case; empty if none is open.
        problem: Why there is no map and what to do, in words; empty if there is one.
        files: File per pair of modalities that counts.
        mediansNats: Median PMI of the cohort per pair, nats.
    """

    caseID: str
    problem: str = ""
    files: Mapping[Pair, Path] = field(default_factory=dict)
    mediansNats: Mapping[Pair, float] = field(default_factory=dict)

    def choices(self) -> list[tuple[Pair, ...]]:
        """Return what can be shown: all pairs together if there are several, then each."""
        pairs = tuple(self.files)
        return [*([pairs] if len(pairs) > 1 else []), *((pair,) for pair in pairs)]

    def read(self, pairs: tuple[Pair, ...]) -> tuple[Float32Array, Grid]:
        """Return how far the PMI lies below the cohort's median, nats, NaN outside of the body.

        Returns:
            Values, `(K, J, I)`, and their grid.

        Raises:
            CrossModalError: If a file cannot be read.
        """
        from MDALSelectorLib.report.map_files import read_disagreement

        return read_disagreement({pair: self.files[pair] for pair in pairs}, self.mediansNats)


def caseMaps(run: str, caseID: str) -> CaseMaps:
    """Look for the maps of the open case.

    Args:
        run: Folder of the run of the ranking; empty if there is none.
        caseID: The case that is open; empty if there is none.
    """
    if not caseID:
        return CaseMaps("", _("Load a case first."))
    if not run:
        text = _("There is no ranking yet: press Start. It writes maps of the cases it suggests.")
        return CaseMaps(caseID, text)
    from MDALSelectorLib.report.map_files import map_files
    from MDALSelectorLib.selection.run_folder import read_selection
    from MultimodalImagingLib.errors import CrossModalError

    try:
        selection = read_selection(Path(run))
    except CrossModalError as error:
        return CaseMaps(caseID, str(error))
    files = map_files(Path(run), selection, caseID)
    if not files:
        return CaseMaps(caseID, _whyNone(selection, caseID))
    return CaseMaps(caseID, "", files, selection.diagnostics.used_medians_nats)


def pairsTitle(pairs: tuple[Pair, ...]) -> str:
    """Return the name of what is shown."""
    if len(pairs) > 1:
        return _("Mean of {n} pairs").format(n=len(pairs))
    return _("{first} and {second}").format(first=pairs[0][0], second=pairs[0][1])


def _whyNone(selection: CaseSelection, caseID: str) -> str:
    case = next((case for case in selection.cases if case.case_id == caseID), None)
    if case is None:
        return _("This case is not part of the ranking. Press Inspect, then Start, to rank it.")
    if not selection.diagnostics.is_per_position:
        text = _(
            "No map: this ranking compares whole cases ({estimator} estimator), not positions."
            " Choose the estimator Local in Advanced and press Start."
        )
        return text.format(estimator=selection.diagnostics.estimator)
    if case.thumbnail is None:
        return _(
            "No map: the run wrote maps only for the cases that it suggests or asks to check. A"
            " larger budget suggests more."
        )
    if not any(pair in selection.diagnostics.used_medians_nats for pair in case.pmi):
        return _("No map: this case has no two modalities whose difference counts in the ranking.")
    return _("The maps of this case are not in the run folder any more. Press Start again.")
