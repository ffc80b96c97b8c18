"""What the command lines share: options, progress on a terminal, exit codes, explained errors."""

from __future__ import annotations

import argparse
import contextlib
import errno
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from MultimodalImagingLib.errors import CancelledError, CrossModalError
from MultimodalImagingLib.jobs.environment import (
    explain_crashes,
    make_streams_safe,
    provide_user_name,
)
from MultimodalImagingLib.jobs.progress import (
    JsonLinesReporter,
    Reporter,
    StageClock,
    cancel_on_signals,
    check_cancelled,
)

if TYPE_CHECKING:  # rich is for terminals only
    from rich.console import Console
    from rich.progress import Progress, TaskID

_ADVICE = {
    errno.ENOSPC: "Free space or choose a folder on another disk",
    errno.ENAMETOOLONG: "Use shorter names or a folder further up",
    errno.EACCES: "Get permission or choose another folder",
    errno.EROFS: "Choose a folder that can be written",
}

Command = Callable[[argparse.Namespace, Reporter], int]


def add_command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    summary: str,
    *,
    add_arguments: Callable[[argparse.ArgumentParser], None],
    run: Command,
) -> None:
    """Add a command with the options that all have.

    Args:
        commands: Where it is added.
        name: Name of the command.
        summary: What it does, for the help; begins with a small letter.
        add_arguments: Adds its own options.
        run: Runs it.
    """
    parser = commands.add_parser(
        name, help=summary, description=f"{summary[0].upper()}{summary[1:]}."
    )
    add_arguments(parser)
    parser.add_argument(
        "--events",
        action="store_true",
        help="report progress, warnings, errors and results as one JSON object per line",
    )
    parser.set_defaults(command=run)


def add_modality_argument(parser: argparse.ArgumentParser) -> None:
    """Add the option that corrects the table of modality patterns."""
    parser.add_argument(
        "--modality",
        action="append",
        default=[],
        metavar="PATTERN=NAME",
        help="file names with PATTERN (a regular expression for a part of the name) are modality"
        " NAME; `label` and `ignore` are names too; may be given several times",
    )


def run_command_line(
    parser: argparse.ArgumentParser, arguments: Sequence[str] | None = None
) -> int:
    """Parse the arguments and run the command that the sub-parser names with `command=`.

    Args:
        parser: Its sub-parsers set the default `command`, a `Command`; no argument has that name.
        arguments: Command line without the program's name; `None` for that of the process.

    Returns:
        Exit code: 0 done, 1 the job failed, 2 wrong usage or unusable input, 130 cancelled.
    """
    make_streams_safe()
    explain_crashes()
    provide_user_name()
    options = parser.parse_args(arguments)
    with contextlib.ExitStack() as stack:
        is_for_program = getattr(options, "events", False)
        reporter: Reporter = (
            JsonLinesReporter(sys.stdout)
            if is_for_program
            else stack.enter_context(TerminalReporter())
        )
        try:
            with cancel_on_signals():
                code = options.command(options, reporter)
        except CrossModalError as error:
            reporter.error(str(error))
            return error.exit_code
        except BrokenPipeError:  # the reader of the output has read enough
            _discard_output()
            return CancelledError.exit_code
        except OSError as error:
            reporter.error(explained(error))
            return 2 if error.errno == errno.ENAMETOOLONG else 1
        except KeyboardInterrupt:
            reporter.error("The job was cancelled; what was finished before is kept.")
            return CancelledError.exit_code
        except Exception as error:  # noqa: BLE001 - the last resort says what to do and fails
            traceback.print_exc()
            reporter.error(_unexpected(error))
            return 1
        return int(code)


def explained(error: OSError) -> str:
    """Return one sentence on what the system refused, with the file if it is known."""
    reason = error.strerror or type(error).__name__
    where = f"{os.fsdecode(error.filename)} cannot be used" if error.filename else "The job failed"
    advice = _ADVICE.get(error.errno or 0, "Correct this, then run the command again")
    return f"{where}: {reason}. {advice}; what was finished before is kept."


def _discard_output() -> None:
    """Let nothing more be written into a pipe without reader, also not at the end of Python."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _unexpected(error: Exception) -> str:
    name = type(error).__name__
    return (
        f"Unexpected error ({name}: {error}); see the lines above, and please report them with the"
        " command that you ran."
    )


# Without a terminal a line is written at most this often, s.
PLAIN_INTERVAL_S = 10.0
# A training reports a value per message; a line on the terminal ends before those.
MOST_ENTRIES = 8


class TerminalReporter:
    """A bar with the remaining time per stage, on standard error; use it in a `with` statement."""

    def __init__(
        self, console: Console | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        from rich.console import Console

        self._console = Console(stderr=True) if console is None else console
        self._clock = clock
        self._stage = StageClock(clock)
        self._written_at = 0.0
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> TerminalReporter:
        """Return this reporter."""
        return self

    def __exit__(self, *_error: object) -> None:
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
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=self._stage.done)
        elif (
            self._stage.done == self._stage.total
            or self._clock() - self._written_at >= PLAIN_INTERVAL_S
        ):
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
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
        console=console,
    )
