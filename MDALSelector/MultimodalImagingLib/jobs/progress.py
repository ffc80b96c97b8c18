"""What a job reports: stages, remaining time, warnings, results; and how it is cancelled."""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Protocol, TextIO

from MultimodalImagingLib.errors import CancelledError


class Reporter(Protocol):
    """Receives what a job reports. `advance` is where a cancelled job stops."""

    def stage(self, name: str, total: int) -> None:
        """Begin a stage of `total` steps; the previous one ends."""

    def advance(self, n: int = 1) -> None:
        """Report `n` finished steps; raises `CancelledError` if the user asked to stop."""

    def info(self, text: str) -> None:
        """Tell something that needs no action."""

    def warning(self, text: str) -> None:
        """Tell something that the user should look at."""

    def error(self, text: str) -> None:
        """Tell why the job failed."""

    def result(self, content: Mapping[str, object]) -> None:
        """Hand over what came out; JSON-able."""


class StageClock:
    """Counts the steps of a stage and estimates the remaining time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._start = clock()
        self.name = ""
        self.total = 0
        self.done = 0

    def begin(self, name: str, total: int) -> None:
        """Start counting anew.

        Raises:
            ValueError: If `total` is negative.
        """
        if total < 0:
            msg = f"Expected a number of steps of at least 0, got {total}."
            raise ValueError(msg)
        self.name, self.total, self.done = name, total, 0
        self._start = self._clock()

    @property
    def counts(self) -> dict[str, object]:
        """The stage and its steps, as events name them."""
        return {"stage": self.name, "done": self.done, "total": self.total}

    @property
    def elapsed_s(self) -> float:
        """Time since the stage began, s."""
        return self._clock() - self._start

    @property
    def eta_s(self) -> float | None:
        """Remaining time at the speed so far, s; `None` before the first step."""
        if self.done == 0:
            return None
        return self.elapsed_s / self.done * max(self.total - self.done, 0)


class NullReporter:
    """Reports nothing; cancels like the others."""

    def stage(self, name: str, total: int) -> None:
        """Ignore."""

    def advance(self, n: int = 1) -> None:  # noqa: ARG002
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
        min_interval_s: float = 0.1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Write to a stream.

        Args:
            stream: Where to; `None` for standard output.
            min_interval_s: Progress is not written more often than this, s; the first and the last
                step of a stage always are.
            clock: Time in s; for tests.
        """
        self._stream = sys.stdout if stream is None else stream
        self._min_interval_s = min_interval_s
        self._clock = clock
        self._stage = StageClock(clock)
        self._written_at = 0.0

    def stage(self, name: str, total: int) -> None:
        """Begin a stage."""
        self._stage.begin(name, total)
        self._write_progress()

    def advance(self, n: int = 1) -> None:
        """Count and report steps; stop if cancelled."""
        self._stage.done += n
        is_due = self._clock() - self._written_at >= self._min_interval_s
        if is_due or self._stage.done >= self._stage.total:
            self._write_progress()
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

    def _write_progress(self) -> None:
        self._written_at = self._clock()
        eta_s = self._stage.eta_s
        rest = {"eta_s": None if eta_s is None else round(eta_s, 1)}
        self._write({"event": "progress", **self._stage.counts, **rest})

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


class LoggingReporter:
    """Passes everything on to another reporter and writes it to a log file; use it in a `with`.

    Steps are not logged, only the time of every stage. Texts are written as they come: whoever
    reports names cases and files, never patients.
    """

    def __init__(
        self, inner: Reporter, path: Path, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._inner = inner
        self._clock = clock
        self._start = clock()
        self._stage = StageClock(clock)
        self._file: TextIO = path.open("w", encoding="utf-8")

    def __enter__(self) -> LoggingReporter:
        """Return this reporter."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _traceback: object
    ) -> None:
        """Write why the job ended early, if it did, and close the file."""
        if kind is not None:
            self._write("failed", {"error": kind.__name__, "message": str(error)})
        self.close()

    def close(self) -> None:
        """Write the time of the last stage and close the file."""
        if not self._file.closed:
            self._end_stage()
            self._file.close()

    def stage(self, name: str, total: int) -> None:
        """Log the time of the previous stage and begin a new one."""
        self._end_stage()
        self._stage.begin(name, total)
        self._inner.stage(name, total)

    def advance(self, n: int = 1) -> None:
        """Pass on."""
        self._stage.done += n
        self._inner.advance(n)

    def info(self, text: str) -> None:
        """Log and pass on."""
        self._write("info", {"message": text})
        self._inner.info(text)

    def warning(self, text: str) -> None:
        """Log and pass on."""
        self._write("warning", {"message": text})
        self._inner.warning(text)

    def error(self, text: str) -> None:
        """Log and pass on."""
        self._write("error", {"message": text})
        self._inner.error(text)

    def result(self, content: Mapping[str, object]) -> None:
        """Log and pass on."""
        self._write("result", content)
        self._inner.result(content)

    def _end_stage(self) -> None:
        if self._stage.name:
            duration_s = round(self._stage.elapsed_s, 3)
            self._write("stage", {**self._stage.counts, "duration_s": duration_s})
            self._stage.name = ""

    def _write(self, event: str, content: Mapping[str, object]) -> None:
        head = {"time_s": round(self._clock() - self._start, 3), "event": event}
        self._file.write(json.dumps({**head, **content}, ensure_ascii=False) + "\n")
        self._file.flush()
