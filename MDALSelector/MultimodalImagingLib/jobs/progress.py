"""What a job reports: stages, remaining time, warnings, results; and how it is cancelled."""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Protocol, TextIO

from MultimodalImagingLib.errors import CancelledError
from MultimodalImagingLib.jobs.job_clock import JobClock
from MultimodalImagingLib.jobs.job_plan import JobPlan


class Reporter(Protocol):
    """Receives what a job reports. `advance` is where a cancelled job stops."""

    def plan(self, plan: JobPlan) -> None:
        """Tell the stages that follow, as soon as they are known; a later plan replaces it."""

    def stage(self, name: str, total: int) -> None:
        """Begin a stage of `total` steps, or go back to one that takes turns with the last."""

    def advance(self, n: int = 1) -> None:
        """Report `n` finished steps; raises `CancelledError` if the user asked to stop."""

    def kept(self, n: int = 1) -> None:
        """Report `n` steps whose result is kept from before; else as `advance`."""

    def part(self, what: str, done: int, total: int) -> None:
        """Report how far the running step is, in parts such as windows; else as `advance`."""

    def info(self, text: str) -> None:
        """Tell something that needs no action."""

    def warning(self, text: str) -> None:
        """Tell something that the user should look at."""

    def error(self, text: str) -> None:
        """Tell why the job failed."""

    def result(self, content: Mapping[str, object]) -> None:
        """Hand over what came out; JSON-able."""


class NullReporter:
    """Reports nothing; cancels like the others."""

    def plan(self, plan: JobPlan) -> None:
        """Ignore."""

    def stage(self, name: str, total: int) -> None:
        """Ignore."""

    def advance(self, n: int = 1) -> None:  # noqa: ARG002
        """Stop if cancelled."""
        check_cancelled()

    def kept(self, n: int = 1) -> None:
        """Count like steps that were computed."""
        self.advance(n)

    def part(self, what: str, done: int, total: int) -> None:  # noqa: ARG002
        """Stop if cancelled."""
        check_cancelled()

    def info(self, text: str) -> None:
        """Ignore."""

    def warning(self, text: str) -> None:
        """Ignore."""

    def error(self, text: str) -> None:
        """Ignore."""

    def result(self, content: Mapping[str, object]) -> None:
        """Ignore."""


class JsonLinesReporter:
    """One JSON object per line, for the program that started this one."""

    def __init__(
        self,
        stream: TextIO | None = None,
        *,
        job: JobClock | None = None,
        min_interval_s: float = 0.1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Write to a stream.

        Args:
            stream: Where to; `None` for standard output.
            job: Follows the job; `None` for one that knows no earlier job.
            min_interval_s: Progress is not written more often than this, s; the first and the last
                step of a stage always are.
            clock: Time in s; for tests.
        """
        self._stream = sys.stdout if stream is None else stream
        self._min_interval_s = min_interval_s
        self._clock = clock
        self._job = JobClock(clock=clock) if job is None else job
        self._written_at = 0.0

    def plan(self, plan: JobPlan) -> None:
        """Follow a plan, and say how long it will take."""
        self._job.plan(plan)
        if self._job.stage:
            self._write_progress()

    def stage(self, name: str, total: int) -> None:
        """Begin a stage."""
        self._job.begin(name, total)
        self._write_progress()

    def advance(self, n: int = 1) -> None:
        """Count and report steps; stop if cancelled."""
        self._job.advance(n)
        self._write_when_due()

    def kept(self, n: int = 1) -> None:
        """Count and report steps whose result is kept; stop if cancelled."""
        self._job.advance(n, kept=True)
        self._write_when_due()

    def part(self, what: str, done: int, total: int) -> None:
        """Report how far the running step is; stop if cancelled."""
        self._job.within(done / max(total, 1))
        if self._is_due():
            self._write_progress(part=[what, done, total])
        check_cancelled()

    def info(self, text: str) -> None:
        """Write an information event."""
        self._write({"event": "info", "message": text})

    def warning(self, text: str) -> None:
        """Write a warning event."""
        self._write({"event": "warning", "message": text})

    def error(self, text: str) -> None:
        """Write an error event."""
        self._write({"event": "error", "message": text})

    def result(self, content: Mapping[str, object]) -> None:
        """Write a result event, whose other keys are those of `content`."""
        self._write({"event": "result", **content})

    def _is_due(self) -> bool:
        return self._clock() - self._written_at >= self._min_interval_s

    def _write_when_due(self) -> None:
        done, total = self._job.counts
        if self._is_due() or done >= total:
            self._write_progress()
        check_cancelled()

    def _write_progress(self, **more: object) -> None:
        self._written_at = self._clock()
        (done, total), left_s = self._job.counts, self._job.left_s
        content = {
            "stage": self._job.stage,
            "done": done,
            "total": total,
            "eta_s": None if left_s is None else round(left_s, 1),
            "step": self._job.place,
            "n_steps": self._job.n_stages,
            "share": None if self._job.n_stages is None else round(self._job.share, 4),
        }
        self._write({"event": "progress", **content, **more})

    def _write(self, event: Mapping[str, object]) -> None:
        try:
            self._stream.write(json.dumps(event, allow_nan=False) + "\n")
            self._stream.flush()
        except BrokenPipeError as error:
            msg = "The program that started this job has ended; the job stops too."
            raise CancelledError(msg) from error


_cancel_requested = threading.Event()


def check_cancelled() -> None:
    """Stop here if the user asked to; for long steps between two calls of `advance`.

    Raises:
        CancelledError: If a signal to stop has arrived inside `cancel_on_signals`.
    """
    if _cancel_requested.is_set():
        msg = "The job was cancelled; what was finished before is kept."
        raise CancelledError(msg)


@contextmanager
def cancel_on_signals() -> Iterator[None]:
    """Turn SIGINT and SIGTERM into a `CancelledError` at the next `advance`.

    A second signal stops at once, wherever the job is. Outside the main thread, which alone
    receives signals, this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _cancel_requested.clear()
    numbers = (signal.SIGINT, signal.SIGTERM)
    previous = {number: signal.signal(number, _request_cancel) for number in numbers}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        _cancel_requested.clear()


def _request_cancel(_number: int, _frame: FrameType | None) -> None:
    if _cancel_requested.is_set():
        check_cancelled()
    _cancel_requested.set()
