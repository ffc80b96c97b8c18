"""Runs one of our commands in a child process and tells what it says; the one file with `QProcess`.

The child is Slicer's own Python, so that torch never lives in the application. It speaks the
protocol of `job_events`. Nothing here blocks: everything arrives through `Signal`s on the main
thread, in small portions.
"""

from __future__ import annotations

import enum
import shlex
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Sequence

import qt
from slicer.i18n import tr as _

from MultimodalWidgetsLib.child_python import childEnvironment, pythonExecutable
from MultimodalWidgetsLib.job_events import (
    LineReader,
    LogLine,
    Message,
    Progress,
    Result,
    parse_line,
)
from MultimodalWidgetsLib.job_needs import JobNeeds
from MultimodalWidgetsLib.process_tree import ProcessID, kill, process_tree, terminate
from MultimodalWidgetsLib.signal import Signal

GRACE_MS = 0 if sys.platform == "win32" else 1000  # then the tree is killed; Cancel promises 2 s
PORTION_S = 0.02  # longest stretch of work on the main thread
KEPT_LOG_LINES = 2000
KEPT_ERROR_LINES = 40
EXIT_CANCELLED = 130


class JobState(enum.Enum):
    """What a job does."""

    WAITING = "waiting"
    RUNNING = "running"
    CANCELLING = "cancelling"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def isOver(self) -> bool:
        """Whether nothing will happen any more."""
        return self in (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


class BackgroundProcess:
    """A command of ours, for example `("MDALSelectorLib", "inspect", cohort, "--json")`.

    Attributes:
        arguments: Package and arguments, as after `python -m`.
        title: What the user calls the job.
        owner: Name of the module that started it.
        needs: What it needs, which decides on what it waits for.
        state: What it does now.
        progress: Last progress; `None` before the first.
        result: Content of the result event; `None` before.
        errorMessage: Why it failed; empty if it did not.
        log: Last lines of the log.
        stateChanged: Emits the job.
        progressed: Emits the job and a `Progress`.
        messaged: Emits the job and a `Message`.
        logged: Emits the job and a line of text.
        resulted: Emits the job whenever a result event came; the last one stays in `result`.
    """

    def __init__(
        self, arguments: Sequence[str], *, title: str, owner: str, needs: JobNeeds | None = None
    ) -> None:
        self.arguments = tuple(arguments)
        self.title = title
        self.owner = owner
        self.needs = JobNeeds() if needs is None else needs
        self.state = JobState.WAITING
        self.progress: Progress | None = None
        self.result: dict[str, object] | None = None
        self.errorMessage = ""
        self.log: deque[str] = deque(maxlen=KEPT_LOG_LINES)
        self.stateChanged, self.progressed = Signal(), Signal()
        self.messaged, self.logged, self.resulted = Signal(), Signal(), Signal()
        self._process: qt.QProcess | None = None
        self._output, self._errors = LineReader(), LineReader()
        self._lines: deque[tuple[bool, str]] = deque()
        self._errorTail: deque[str] = deque(maxlen=KEPT_ERROR_LINES)
        self._isPlanned = False
        self._exit: tuple[int, bool] | None = None
        self._tree: list[ProcessID] = []

    @property
    def isRunning(self) -> bool:
        """Whether its processes run, also while they are being ended."""
        return self.state in (JobState.RUNNING, JobState.CANCELLING)

    def start(self) -> None:
        """Start the child; a job that cannot be started has failed."""
        try:
            program = pythonExecutable()
        except RuntimeError as error:
            self.errorMessage = str(error)
            self._setState(JobState.FAILED)
            return
        self._process = qt.QProcess()
        self._process.setProcessEnvironment(childEnvironment())
        self._process.setWorkingDirectory(tempfile.gettempdir())
        for signal, slot in self._connections().items():
            self._process.connect(signal, slot)
        self._setState(JobState.RUNNING)
        self._process.start(program, ["-m", *self.arguments])

    def cancel(self) -> None:
        """End the job with all its descendants, within two seconds."""
        if self.state is JobState.WAITING:
            self._setState(JobState.CANCELLED)
        elif self.state is JobState.RUNNING:
            self._tree = self._running()
            self._setState(JobState.CANCELLING)
            terminate(self._tree)
            qt.QTimer.singleShot(GRACE_MS, self._killTree)

    def killNow(self) -> None:
        """End the job with all its descendants at once, as when the application quits."""
        if self.state is JobState.WAITING:
            self._setState(JobState.CANCELLED)
        elif not self.state.isOver:
            self._tree += self._running()
            self._setState(JobState.CANCELLING)
            kill(self._tree)
            if self._process is not None:
                self._process.waitForFinished(1000)

    def report(self) -> str:
        """Describe a failed job for a message to those who can help."""
        command = shlex.join(["python", "-m", *self.arguments])
        exitCode = "none" if self._exit is None else str(self._exit[0])
        lines = [f"Command: {command}", f"Exit code: {exitCode}"]
        if self.errorMessage:
            lines.append(f"Error: {self.errorMessage}")
        return "\n".join([*lines, "Last lines of the error output:", *self._errorTail])

    def _connections(self) -> dict[str, Callable[..., None]]:
        return {
            "readyReadStandardOutput()": self._onOutput,
            "readyReadStandardError()": self._onErrorOutput,
            "finished(int,QProcess::ExitStatus)": self._onFinished,
            "errorOccurred(QProcess::ProcessError)": self._onError,
        }

    def _onOutput(self) -> None:
        self._take(isError=False, lines=self._output.feed(_bytes(self._process, isError=False)))

    def _onErrorOutput(self) -> None:
        self._take(isError=True, lines=self._errors.feed(_bytes(self._process, isError=True)))

    def _onFinished(self, exitCode: int, exitStatus: int) -> None:
        self._exit = (exitCode, exitStatus == qt.QProcess.NormalExit)
        self._onOutput()
        self._onErrorOutput()
        self._take(isError=False, lines=self._output.close())
        self._take(isError=True, lines=self._errors.close())
        self._deliver()

    def _onError(self, error: int) -> None:
        if self._process is not None and error == qt.QProcess.FailedToStart:
            self._exit = (-1, False)
            self.errorMessage = self._process.errorString()
            self._deliver()

    def _take(self, *, isError: bool, lines: list[str]) -> None:
        self._lines.extend((isError, line) for line in lines)
        if self._lines and not self._isPlanned:
            self._isPlanned = True
            qt.QTimer.singleShot(0, self._deliver)

    def _deliver(self) -> None:
        """Hand on what has arrived, for a moment; then let the application breathe."""
        self._isPlanned = False
        deadline = time.monotonic() + PORTION_S
        while self._lines and time.monotonic() < deadline:
            self._handle(*self._lines.popleft())
        if self._lines:
            self._take(isError=False, lines=[])
        elif self._exit is not None and not self.state.isOver:
            self._finish(*self._exit)

    def _handle(self, isError: bool, line: str) -> None:
        event = LogLine(line) if isError else parse_line(line)
        if isinstance(event, Progress):
            self.progress = event
            self.progressed.emit(self, event)
        elif isinstance(event, Result):
            self.result = event.content
            self.resulted.emit(self)
        elif isinstance(event, Message):
            self._handleMessage(event)
        else:
            self._handleLog(line, isError=isError)

    def _handleMessage(self, message: Message) -> None:
        if message.level == "error":
            self.errorMessage = message.text
        self.messaged.emit(self, message)

    def _handleLog(self, line: str, *, isError: bool) -> None:
        self.log.append(line)
        if isError and line.strip():
            self._errorTail.append(line)
        self.logged.emit(self, line)

    def _finish(self, exitCode: int, isNormal: bool) -> None:
        kill(self._tree)  # what outlived its parent after a cancel
        self._release()
        if self.state is JobState.CANCELLING or (isNormal and exitCode == EXIT_CANCELLED):
            self._setState(JobState.CANCELLED)
        elif isNormal and exitCode == 0:
            self._setState(JobState.DONE)
        else:
            self.errorMessage = self.errorMessage or self._failure(exitCode, isNormal=isNormal)
            self._setState(JobState.FAILED)

    def _release(self) -> None:
        """Let go of the process, but not yet: it may still be within the signal that is handled.

        PythonQt deletes it with the last reference, at once. The connections would keep this object
        alive with it.
        """
        process, self._process = self._process, None
        if process is None:
            return
        for signal, slot in self._connections().items():
            process.disconnect(signal, slot)
        qt.QTimer.singleShot(0, process.deleteLater)

    def _failure(self, exitCode: int, *, isNormal: bool) -> str:
        last = self._errorTail[-1].strip() if self._errorTail else _("It gave no further output.")
        if isNormal:
            text = _("The job '{title}' ended with exit code {code}. {last}")
            return text.format(title=self.title, code=exitCode, last=last)
        text = _("The job '{title}' was ended from outside. {last}")
        return text.format(title=self.title, last=last)

    def _running(self) -> list[ProcessID]:
        return [] if self._process is None else process_tree(self._process.processId())

    def _killTree(self) -> None:
        if not self.state.isOver:
            self._tree += self._running()
        kill(self._tree)

    def _setState(self, state: JobState) -> None:
        self.state = state
        self.stateChanged.emit(self)


def _bytes(process: qt.QProcess, *, isError: bool) -> bytes:
    data = process.readAllStandardError() if isError else process.readAllStandardOutput()
    return bytes(data.data())
