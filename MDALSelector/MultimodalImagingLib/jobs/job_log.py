"""The log file of a job: what was told, and how long every stage took."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TextIO

from MultimodalImagingLib.jobs.job_plan import JobPlan
from MultimodalImagingLib.jobs.progress import Reporter


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
        self._start = self._stage_start = clock()
        self._stage, self._done, self._total = "", 0, 0
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

    def plan(self, plan: JobPlan) -> None:
        """Pass on."""
        self._inner.plan(plan)

    def stage(self, name: str, total: int) -> None:
        """Log the time of the previous stage and begin a new one."""
        self._end_stage()
        self._stage, self._done, self._total = name, 0, total
        self._stage_start = self._clock()
        self._inner.stage(name, total)

    def advance(self, n: int = 1) -> None:
        """Pass on."""
        self._done += n
        self._inner.advance(n)

    def kept(self, n: int = 1) -> None:
        """Pass on."""
        self._done += n
        self._inner.kept(n)

    def part(self, what: str, done: int, total: int) -> None:
        """Pass on."""
        self._inner.part(what, done, total)

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
        if self._stage:
            duration_s = round(self._clock() - self._stage_start, 3)
            counts = {"stage": self._stage, "done": self._done, "total": self._total}
            self._write("stage", {**counts, "duration_s": duration_s})
            self._stage = ""

    def _write(self, event: str, content: Mapping[str, object]) -> None:
        head = {"time_s": round(self._clock() - self._start, 3), "event": event}
        self._file.write(json.dumps({**head, **content}, ensure_ascii=False) + "\n")
        self._file.flush()
