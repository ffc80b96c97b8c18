"""Progress on a terminal; plain lines when the output goes into a file or a pipe."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from MultimodalImagingLib.jobs.cancellation import check_cancelled
from MultimodalImagingLib.jobs.progress import StageClock

# Without a terminal a line is written at most this often, s.
PLAIN_INTERVAL_S = 10.0
# A training reports a value per message; a line on the terminal ends before those.
MOST_ENTRIES = 8


class TerminalReporter:
    """A bar with the remaining time per stage, on standard error; use it in a `with` statement."""

    def __init__(
        self, console: Console | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._console = Console(stderr=True) if console is None else console
        self._clock = clock
        self._stage = StageClock(clock)
        self._written_at = 0.0
        self._bar: Progress | None = None
        self._task = TaskID(0)

    def __enter__(self) -> TerminalReporter:
        """Return this reporter."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give the terminal back."""
        self.close()

    def close(self) -> None:
        """Remove the moving bar; its last state stays on the screen."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def stage(self, name: str, total: int) -> None:
        """Begin a stage."""
        self.close()
        self._stage.begin(name, total)
        self._written_at = self._clock()
        if self._console.is_terminal:
            self._bar = _new_bar(self._console)
            self._task = self._bar.add_task(name, total=total)
            self._bar.start()
        else:
            self._print(f"{name}: {total} steps")

    def advance(self, n: int = 1) -> None:
        """Count steps, show them, stop if cancelled."""
        self._stage.done += n
        if self._bar is not None:
            self._bar.update(self._task, completed=self._stage.done)
        elif self._is_line_due():
            self._print_line()
        check_cancelled()

    def info(self, text: str) -> None:
        """Print a line."""
        self._print(text)

    def warning(self, text: str) -> None:
        """Print a line that begins with `Warning`."""
        self._print(f"Warning: {text}", style="yellow")

    def error(self, text: str) -> None:
        """Print a line that begins with `Error`."""
        self.close()
        self._print(f"Error: {text}", style="bold red")

    def result(self, content: Mapping[str, object]) -> None:
        """Print one line per entry; while a stage goes on, one line with the first entries."""
        entries = [f"{key}: {_text(value)}" for key, value in content.items()]
        if self._stage.done < self._stage.total:
            n_more = len(entries) - MOST_ENTRIES
            more = [f"and {n_more} more"] if n_more > 0 else []
            self._print(", ".join(entries[:MOST_ENTRIES] + more))
            return
        self.close()
        for entry in entries:
            self._print(entry)

    def _is_line_due(self) -> bool:
        is_last = self._stage.done == self._stage.total
        return is_last or self._clock() - self._written_at >= PLAIN_INTERVAL_S

    def _print_line(self) -> None:
        self._written_at = self._clock()
        text = f"{self._stage.name}: {self._stage.done} of {self._stage.total}"
        if self._stage.done >= self._stage.total:
            text += f", done in {self._stage.elapsed_s:.0f} s"
        elif self._stage.eta_s is not None:
            text += f", {self._stage.eta_s:.0f} s left"
        self._print(text)

    def _print(self, text: str, *, style: str | None = None) -> None:
        self._console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _new_bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
        console=console,
    )
