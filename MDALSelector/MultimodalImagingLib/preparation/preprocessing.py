"""A cohort from its files to comparable arrays, prepared once and then read from a cache."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from pathlib import Path

from MultimodalImagingLib.cohorts.cases import Case, Cohort, Problem
from MultimodalImagingLib.errors import CohortError, CrossModalError
from MultimodalImagingLib.images.geometry import Grid
from MultimodalImagingLib.images.volume_io import read_grid
from MultimodalImagingLib.jobs.environment import core_count
from MultimodalImagingLib.jobs.progress import Reporter
from MultimodalImagingLib.preparation.case_preparation import Crop, prepare_case
from MultimodalImagingLib.preparation.intensity import ModalityKind, modality_kind
from MultimodalImagingLib.preparation.prepared_case import (
    CachedHeader,
    CacheMissError,
    PreparedCase,
    PreprocessingSpec,
    cache_file,
    case_key,
    read_header,
    read_prepared,
    write_prepared,
)
from MultimodalImagingLib.preparation.working_grid import default_spacing
from MultimodalImagingLib.record.checksums import FileChecksums

__all__ = [
    "Crop",
    "ModalityKind",
    "PreparedCase",
    "PreparedCohort",
    "PreprocessingSpec",
    "default_spacing",
    "default_spec",
    "modality_kind",
    "prepare_case",
    "prepare_cohort",
]

LOGGER = logging.getLogger(__name__)
# Every worker holds a full-size image and its smoothed copy; more workers only fill the memory.
MAX_WORKERS = 4


@dataclass(frozen=True)
class PreparedCohort(Sequence[PreparedCase]):
    """The usable cases of a cohort, sorted by case id; arrays are read when a case is asked for.

    Attributes:
        root: Folder of the cohort.
        spec: How the images were prepared.
        cases: The usable cases; the i-th belongs to index i.
        headers: Modalities and grid of each usable case.
        problems: What was wrong with files and cases, in the order of the cases.
        cache: Folder of the prepared cases.
        checksums: Checksums of the image files; `None` to read them anew.
    """

    root: Path
    spec: PreprocessingSpec
    cases: tuple[Case, ...]
    headers: tuple[CachedHeader, ...]
    problems: tuple[Problem, ...]
    cache: Path = field(repr=False)
    checksums: FileChecksums | None = field(default=None, repr=False, compare=False)

    def key(self, case: Case) -> str:
        """Return what stands for the content of a case's files and how they are prepared."""
        return case_key(case, self.spec, self.checksums or FileChecksums(self.cache, self.root))

    @property
    def case_ids(self) -> tuple[str, ...]:
        """Identifiers of the usable cases."""
        return tuple(case.case_id for case in self.cases)

    @property
    def modalities(self) -> tuple[str, ...]:
        """Modalities in the order of the cohort."""
        return self.spec.modalities

    def taken(self, rows: Sequence[int]) -> PreparedCohort:
        """Return some of the cases, in the order of the given rows."""
        cases = tuple(self.cases[row] for row in rows)
        return replace(self, cases=cases, headers=tuple(self.headers[row] for row in rows))

    def __len__(self) -> int:
        """Number of usable cases."""
        return len(self.cases)

    def __getitem__(self, index: int) -> PreparedCase:  # type: ignore[override]
        """Read the arrays of a case; a damaged cache file is made again.

        Raises:
            CrossModalError: If the cache or the images cannot be read any more.
        """
        case = self.cases[index]
        path = cache_file(self.cache, case.case_id, self.spec)
        key = self.key(case)
        try:
            return read_prepared(path, key, root=self.root)
        except CacheMissError as miss:
            LOGGER.warning("Preparing case %s again: %s.", case.case_id, miss)
        _write(path, prepare_case(case, self.spec), key, self.root)
        return read_prepared(path, key, root=self.root)


@dataclass(frozen=True)
class _Outcome:
    header: CachedHeader | None
    problems: tuple[Problem, ...]
    note: str | None = None
    is_kept: bool = False


def default_spec(cohort: Cohort) -> PreprocessingSpec:
    """Choose working spacing and kinds for a cohort from its headers and modality names.

    Raises:
        CohortError: If no header can be read.
    """
    grids: dict[str, list[Grid]] = {modality: [] for modality in cohort.modalities}
    for case in cohort.cases:
        for modality, file in case.images.items():
            try:
                grids[modality].append(cohort.grids.get(file) or read_grid(file))
            except CohortError:
                LOGGER.info("No header in %s.", file.path)
    if not any(grids.values()):
        msg = f"No image of cohort {cohort.root.name} can be read. Check the folder and its files."
        raise CohortError(msg)
    spacing = default_spacing(grids)
    kinds = {modality: modality_kind(modality) for modality in cohort.modalities}
    return PreprocessingSpec((spacing, spacing, spacing), kinds)


def prepare_cohort(
    cohort: Cohort, spec: PreprocessingSpec, *, cache: Path, reporter: Reporter
) -> PreparedCohort:
    """Prepare all cases of a cohort, or find them prepared; a second run reads no image.

    A case that cannot be prepared is an error in `problems` and the rest goes on. Cases with an
    error are tried again by the next run, the others are not.

    Args:
        cohort: The cohort.
        spec: Working spacing and kinds.
        cache: Folder for the prepared cases; about 2 bytes per voxel and modality.
        reporter: Notified of each case; its `advance` may raise `CancelledError`.

    Raises:
        CrossModalError: If the cache cannot be written.
    """
    reporter.stage("Prepare images", len(cohort.cases))
    checksums = FileChecksums(cache, cohort.root)
    pool = ThreadPoolExecutor(max_workers=min(core_count(), MAX_WORKERS))
    try:
        jobs = [pool.submit(_outcome, case, spec, cache, checksums) for case in cohort.cases]
        for job in as_completed(jobs):
            outcome = job.result()
            if outcome.note:
                reporter.info(outcome.note)
            (reporter.kept if outcome.is_kept else reporter.advance)()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        checksums.save()
    outcomes = [job.result() for job in jobs]
    headers = [outcome.header for outcome in outcomes]
    return PreparedCohort(
        root=cohort.root,
        spec=spec,
        cases=tuple(c for c, h in zip(cohort.cases, headers, strict=True) if h is not None),
        headers=tuple(header for header in headers if header is not None),
        problems=tuple(problem for outcome in outcomes for problem in outcome.problems),
        cache=cache,
        checksums=checksums,
    )


def _outcome(
    case: Case, spec: PreprocessingSpec, cache: Path, checksums: FileChecksums
) -> _Outcome:
    root, path = checksums.root, cache_file(cache, case.case_id, spec)
    key = case_key(case, spec, checksums)
    note = None
    try:
        header = read_header(path, key, root=root)
        if not any(problem.severity == "error" for problem in header.problems):
            return _Outcome(header, header.problems, is_kept=True)
    except CacheMissError as miss:
        if miss.is_damaged:
            note = f"Case {case.case_id}: the prepared file was damaged ({miss}) and is made again."
            LOGGER.warning(note)
    try:
        prepared = prepare_case(case, spec)
    except CohortError as error:
        message = str(error).removeprefix(f"Case {case.case_id}: ")
        return _Outcome(None, (Problem("error", message, case.case_id),), note)
    _write(path, prepared, key, root)
    header = read_header(path, key, root=root)
    return _Outcome(header, header.problems, note)


def _write(path: Path, prepared: PreparedCase, key: str, root: Path) -> None:
    try:
        write_prepared(path, prepared, key, root=root)
    except OSError as error:
        msg = (
            f"The prepared images of case {prepared.case_id} cannot be written to {path.parent}"
            f" ({error.strerror}). Free space or choose another folder for the cohort's record."
        )
        raise CrossModalError(msg) from error
