"""What is computed of the cases of a cohort, kept in its record case by case and at once.

A cancelled or killed run loses one case at most. What was computed from other files, with another
preparation, by other code or other versions of packages, is computed anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import MDALSelectorLib
from MDALSelectorLib.selection.config import PACKAGES
from MultimodalImagingLib.preparation.preprocessing import PreparedCohort
from MultimodalImagingLib.record.checksums import json_checksum
from MultimodalImagingLib.record.kept_results import KeptResults, Tensors
from MultimodalImagingLib.version import current_versions, source_checksum


class CohortMemo:
    """A `CaseMemo` of a prepared cohort; one file per case and thing that is computed."""

    def __init__(self, prepared: PreparedCohort, cache: Path) -> None:
        """Keep results below the cache of a record."""
        self._kept = KeptResults(cache / "measures")
        self._case_ids = prepared.case_ids
        self._keys = [prepared.key(case) for case in prepared.cases]
        self._used: set[str] = set()

    def __call__(
        self,
        what: str,
        row: int,
        make: Callable[[], Tensors],
        *,
        settings: object = None,
        others: Sequence[int] = (),
    ) -> Tensors:
        """Return what was computed of a case earlier, or compute it and keep it.

        Raises:
            CrossModalError: If it cannot be kept.
        """
        name = f"{what} {self._case_ids[row]}"
        self._used.add(name)
        cases = [self._keys[index] for index in (row, *others)]
        key = json_checksum([what, settings, cases, computing_code()])
        kept = self._kept.load(name, key)
        if kept is not None:
            return kept[1]
        made = make()
        self._kept.save(name, key, made)
        return made

    def tidy(self) -> None:
        """Remove what was not asked for: of cases that are gone, and what is not computed now."""
        self._kept.keep_only(self._used)


@cache
def computing_code() -> object:
    """Return what stands for the code that scores a cohort; JSON-able."""
    folder = Path(MDALSelectorLib.__file__).parent
    sources = [source_checksum(folder / name) for name in ("estimation", "pairing")]
    return [current_versions(PACKAGES), sources]
