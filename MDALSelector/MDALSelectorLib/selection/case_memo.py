"""What is computed of the cases of a cohort, kept in its record case by case and at once.

A cancelled or killed run loses one case at most. What was computed from other files, with another
preparation, by other code or other versions of packages, is computed anew.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import MDALSelectorLib
from MDALSelectorLib.selection.config import PACKAGES
from MultimodalImagingLib.preparation.preprocessing import PreparedCohort
from MultimodalImagingLib.record.checksums import json_checksum
from MultimodalImagingLib.record.kept_results import CaseQuestion, KeptResults, Tensors
from MultimodalImagingLib.version import current_versions, source_checksum


class CohortMemo:
    """A `CaseMemo` of a prepared cohort: a folder per thing that is computed, a file per case."""

    def __init__(self, prepared: PreparedCohort, cache: Path) -> None:
        """Keep results below the cache of a record."""
        self._folder = cache / "measures"
        self._kept: dict[str, KeptResults] = {}
        self._case_ids = prepared.case_ids
        self._keys = [prepared.key(case) for case in prepared.cases]

    def __call__(self, question: CaseQuestion, make: Callable[[], Tensors]) -> Tensors:
        """Return what was computed of a case earlier, or compute it and keep it.

        Raises:
            CrossModalError: If it cannot be kept.
        """
        what = question.what
        results = self._kept.setdefault(what, KeptResults(self._folder / what))
        name = self._case_ids[question.row]
        cases = [self._keys[index] for index in (question.row, *question.others)]
        key = json_checksum([what, question.settings, cases, computing_code()])
        kept = results.load(name, key)
        if kept is not None:
            return kept[1]
        made = make()
        results.save(name, key, made)
        return made

    def tidy(self) -> None:
        """Remove what was computed of cases that are gone."""
        for results in self._kept.values():
            results.keep_only(self._case_ids)


@cache
def computing_code() -> object:
    """Return what stands for the code that scores a cohort; JSON-able."""
    folder = Path(MDALSelectorLib.__file__).parent
    sources = [source_checksum(folder / name) for name in ("estimation", "pairing")]
    return [current_versions(PACKAGES), sources]
