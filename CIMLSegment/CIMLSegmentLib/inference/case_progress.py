"""Progress over many cases: each is one step, and its windows are parts of that step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

from CIMLSegmentLib.config import InferenceConfig
from MultimodalImagingLib.cohorts.cases import Case
from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.images.volume_io import read_grid
from MultimodalImagingLib.jobs.job_plan import JobPlan, PlannedStage
from MultimodalImagingLib.jobs.progress import Reporter

STAGE = "Segment cases"
_MOST_HEADERS = 20
_MIRRORS, _GRADCAM = 8, 2  # times as much work


def segmentation_plan(cases: Sequence[Case], config: InferenceConfig) -> JobPlan:
    """Return what a segmentation does; its work is counted in liters of images.

    Args:
        cases: The cases that are to be segmented.
        config: Device and maps.
    """
    step = max(len(cases) // _MOST_HEADERS, 1)
    sizes_l = [_size_l(case) for case in cases[::step]]
    size = sum(sizes_l) / max(len(sizes_l), 1)
    size *= _MIRRORS if config.mirror else 1
    size *= 1 + config.n_samples + (_GRADCAM if config.gradcam else 0)
    return JobPlan("segment", (PlannedStage(STAGE, len(cases), 1.0, size),), config.device)


def _size_l(case: Case) -> float:
    """Return the size of the images of a case, l; 0 if the first cannot be read."""
    try:
        grid = read_grid(next(iter(case.images.values())))
    except (CohortError, StopIteration):
        return 0.0
    return len(case.images) * prod(grid.size) * prod(grid.spacing_mm) / 1e6


class CaseProgress:
    """Passes on what a case reports, its windows as parts of the running step."""

    def __init__(self, inner: Reporter) -> None:
        self._inner = inner
        self._done = self._total = 0

    def plan(self, plan: JobPlan) -> None:
        """Ignore: a case is no job of its own."""

    def stage(self, name: str, total: int) -> None:  # noqa: ARG002
        """Begin to count windows."""
        self._done, self._total = 0, total
        self.advance(0)

    def advance(self, n: int = 1) -> None:
        """Count windows."""
        self._done += n
        self._inner.part("window", self._done, self._total)

    def kept(self, n: int = 1) -> None:
        """Count windows."""
        self.advance(n)

    def part(self, what: str, done: int, total: int) -> None:
        """Pass on."""
        self._inner.part(what, done, total)

    def info(self, text: str) -> None:
        """Pass on."""
        self._inner.info(text)

    def warning(self, text: str) -> None:
        """Pass on."""
        self._inner.warning(text)

    def error(self, text: str) -> None:
        """Pass on."""
        self._inner.error(text)

    def result(self, content: Mapping[str, object]) -> None:
        """Pass on."""
        self._inner.result(content)
