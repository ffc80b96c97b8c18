"""The log of a run: one JSON object per line, with times."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TextIO

from MultimodalImagingLib.jobs.progress import Reporter, StageClock


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
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
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
            content = {
                "stage": self._stage.name,
                "done": self._stage.done,
                "total": self._stage.total,
                "duration_s": round(self._stage.elapsed_s, 3),
            }
            self._write("stage", content)
            self._stage.name = ""

    def _write(self, event: str, content: Mapping[str, object]) -> None:
        head = {"time_s": round(self._clock() - self._start, 3), "event": event}
        self._file.write(json.dumps({**head, **content}, ensure_ascii=False) + "\n")
        self._file.flush()
