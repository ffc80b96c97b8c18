"""What the command lines share: options, times of earlier jobs, exit codes, explained errors."""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from MultimodalImagingLib.errors import CancelledError, CrossModalError
from MultimodalImagingLib.jobs.environment import (
    explain_crashes,
    make_streams_safe,
    provide_user_name,
)
from MultimodalImagingLib.jobs.job_clock import JobClock
from MultimodalImagingLib.jobs.job_plan import Speeds
from MultimodalImagingLib.jobs.progress import (
    JsonLinesReporter,
    Reporter,
    cancel_on_signals,
)
from MultimodalImagingLib.jobs.terminal import TerminalReporter

_ADVICE = {
    errno.ENOSPC: "Free space or choose a folder on another disk",
    errno.ENAMETOOLONG: "Use shorter names or a folder further up",
    errno.EACCES: "Get permission or choose another folder",
    errno.EROFS: "Choose a folder that can be written",
}

Command = Callable[[argparse.Namespace, Reporter], int]


class KeptSpeeds(Protocol):
    """Keeps how quick this computer is, from one job to the next."""

    def read(self) -> Speeds:
        """Return what is known; nothing if nothing can be read."""

    def learn(self, measured: Speeds) -> None:
        """Keep what a job measured; a job does not fail where that is not possible."""


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


def spelled_as(names: Iterable[str]) -> Callable[[str], str]:
    """Return what reads one of some names, however its letters are capitalized; others stay."""
    known = {name.lower(): name for name in names}
    return lambda text: known.get(text.lower(), text)


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
    parser: argparse.ArgumentParser,
    arguments: Sequence[str] | None = None,
    *,
    speeds: KeptSpeeds | None = None,
) -> int:
    """Parse the arguments and run the command that the sub-parser names with `command=`.

    Args:
        parser: Its sub-parsers set the default `command`, a `Command`; no argument has that name.
        arguments: Command line without the program's name; `None` for that of the process.
        speeds: Where the times of earlier jobs are kept; `None` to learn nothing.

    Returns:
        Exit code: 0 done, 1 the job failed, 2 wrong usage or unusable input, 130 cancelled.
    """
    make_streams_safe()
    explain_crashes()
    provide_user_name()
    options = parser.parse_args(arguments)
    with contextlib.ExitStack() as stack:
        job = stack.enter_context(_followed_job(speeds))
        is_for_program = getattr(options, "events", False)
        reporter: Reporter = (
            JsonLinesReporter(sys.stdout, job=job)
            if is_for_program
            else stack.enter_context(TerminalReporter(job=job))
        )
        try:
            with cancel_on_signals():
                code = options.command(options, reporter)
        except CrossModalError as error:
            if error.details and is_for_program:  # its log; for a terminal there is --help
                sys.stderr.write(f"{error.details}\n")
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


@contextlib.contextmanager
def _followed_job(speeds: KeptSpeeds | None) -> Iterator[JobClock]:
    """Follow a job with what earlier ones took; learn from what was finished, however it ends."""
    job = JobClock(None if speeds is None else speeds.read())
    try:
        yield job
    finally:
        if speeds is not None:
            speeds.learn(job.measured())


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
