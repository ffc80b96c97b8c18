"""Progress on a terminal, or as plain lines where there is none."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from MultimodalImagingLib.jobs.job_clock import JobClock
from MultimodalImagingLib.jobs.job_plan import JobPlan
from MultimodalImagingLib.jobs.progress import check_cancelled
from MultimodalImagingLib.jobs.texts import duration_words

if TYPE_CHECKING:  # rich is for terminals only
    from rich.console import Console
    from rich.progress import Progress, TaskID

# Without a terminal a line is written at most this often, s.
PLAIN_INTERVAL_S = 10.0
SEPARATOR = " \N{MIDDLE DOT} "
# A training reports a value per message; a line on the terminal ends before those.
MOST_ENTRIES = 8


class TerminalReporter:
    """One bar over the whole job with its remaining time, on standard error; use it in a `with`."""

    def __init__(
        self,
        console: Console | None = None,
        *,
        job: JobClock | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        from rich.console import Console

        self._console = Console(stderr=True) if console is None else console
        self._clock = clock
        self._job = JobClock(clock=clock) if job is None else job
        self._written: tuple[int, float] = (0, 0.0)
        self._part = ""
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> TerminalReporter:
        """Return this reporter."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Give the terminal back."""
        self.close()

    def close(self) -> None:
        """Stop the moving bar; its last state stays on the screen."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def plan(self, plan: JobPlan) -> None:
        """Follow a plan."""
        self._job.plan(plan)
        self._show()

    def stage(self, name: str, total: int) -> None:
        """Begin a stage."""
        self._job.begin(name, total)
        self._part = ""
        if self._bar is None and self._console.is_terminal:
            self._bar = _new_bar(self._console)
            self._task = self._bar.add_task(_progress_words(self._job, ""), total=1.0)
            self._bar.start()
        self._show()
        if self._bar is not None:
            self._bar.refresh()

    def advance(self, n: int = 1) -> None:
        """Count steps, show them, stop if cancelled."""
        self._job.advance(n)
        self._part = ""
        self._show()
        check_cancelled()

    def kept(self, n: int = 1) -> None:
        """Count steps whose result is kept, show them, stop if cancelled."""
        self._job.advance(n, kept=True)
        self._show()
        check_cancelled()

    def part(self, what: str, done: int, total: int) -> None:
        """Show how far the running step is, stop if cancelled."""
        self._job.within(done / max(total, 1))
        self._part = f", {what} {done} of {total}"
        self._show()
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
        done, total = self._job.counts
        if done < total:
            n_more = len(entries) - MOST_ENTRIES
            more = [f"and {n_more} more"] if n_more > 0 else []
            self._print(", ".join(entries[:MOST_ENTRIES] + more))
            return
        if self._bar is not None and self._task is not None and not self._job.left_s:
            self._bar.update(self._task, completed=1.0, description="Done")
        self.close()
        for entry in entries:
            self._print(entry)

    def _show(self) -> None:
        """Move the bar; without a terminal, write a line where a stage begins, and now and then."""
        if self._bar is not None and self._task is not None:
            text = _progress_words(self._job, self._part)
            self._bar.update(self._task, completed=self._job.share, description=text)
        elif self._job.stage:
            place, at = self._written
            is_due = self._job.place != place or self._clock() - at >= PLAIN_INTERVAL_S
            if is_due:
                self._written = (self._job.place, self._clock())
                self._print(_progress_words(self._job, self._part))

    def _print(self, text: str, *, style: str | None = None) -> None:
        self._console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _progress_words(job: JobClock, part: str) -> str:
    """Say which step of how many runs, how far it is, and how long the job will still take."""
    (done, total), n_stages, left_s = job.counts, job.n_stages, job.left_s
    of_all = "" if n_stages is None else f" of {n_stages}"
    left = "time not known yet" if left_s is None else f"{duration_words(left_s)} left"
    words = [f"Step {job.place}{of_all}", left, f"{job.stage[:1].lower()}{job.stage[1:]}"]
    words += [f"{done} of {total}{part}"] if total > 1 or part else []
    return SEPARATOR.join(words)


def _new_bar(console: Console) -> Progress:
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    return Progress(
        BarColumn(bar_width=20),
        TaskProgressColumn(),
        TextColumn("{task.description}", markup=False),
        console=console,
    )
