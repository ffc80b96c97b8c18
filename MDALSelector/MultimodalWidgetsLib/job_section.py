"""Progress, remaining time, Cancel and log of the jobs of one panel."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import qt
import slicer
from slicer.i18n import tr as _

from MultimodalWidgetsLib.background_process import BackgroundProcess, JobState
from MultimodalWidgetsLib.job_events import Message, Progress
from MultimodalWidgetsLib.job_queue import jobQueue
from MultimodalWidgetsLib.signal import Signal
from MultimodalWidgetsLib.widget_additions import showText

if TYPE_CHECKING:
    from slicer_types import UiForm


class JobSection:
    """Submits jobs and shows the one that was submitted last.

    Attributes:
        job: The job that is shown; `None` before the first.
        changed: Emitted when a job begins or is over.
    """

    def __init__(self, ui: UiForm, prefix: str = "") -> None:
        """Find the widgets of the `.ui` file; a prefix distinguishes those of several sections."""
        self.job: BackgroundProcess | None = None
        self.changed = Signal()
        self._progressBar: qt.QProgressBar = _named(ui, prefix, "ProgressBar")
        self._statusLabel: qt.QLabel = _named(ui, prefix, "StatusLabel")
        self._cancelButton: qt.QPushButton = _named(ui, prefix, "CancelButton")
        self._logEdit: qt.QPlainTextEdit = _named(ui, prefix, "LogTextEdit")
        self._onDone: Callable[[BackgroundProcess], None] | None = None
        self._cancelButton.connect("clicked()", self.cancel)
        jobQueue().changed.connect(self._showStatus)
        self._showStatus()

    @property
    def isBusy(self) -> bool:
        """Whether the job that is shown waits or runs."""
        return self.job is not None and not self.job.state.isOver

    def submit(self, job: BackgroundProcess, onDone: Callable[[BackgroundProcess], None]) -> None:
        """Put a job into the queue and show it.

        Args:
            job: The job.
            onDone: Called when it is done; not if it failed or was cancelled.
        """
        self.release()
        self.job, self._onDone = job, onDone
        self._logEdit.clear()
        job.stateChanged.connect(self._onStateChanged)
        job.progressed.connect(self._onProgress)
        job.messaged.connect(self._onMessage)
        job.logged.connect(self._onLogged)
        jobQueue().submit(job)
        self.changed.emit()

    def cancel(self) -> None:
        """Cancel the job that is shown."""
        if self.job is not None and self.isBusy:
            self.job.cancel()

    def release(self) -> None:
        """Stop showing the job; it goes on."""
        if self.job is not None:
            self.job.stateChanged.disconnect(self._onStateChanged)
            self.job.progressed.disconnect(self._onProgress)
            self.job.messaged.disconnect(self._onMessage)
            self.job.logged.disconnect(self._onLogged)
        self.job, self._onDone = None, None

    def cleanup(self) -> None:
        """Let go of everything when the panel is closed."""
        self.release()
        jobQueue().changed.disconnect(self._showStatus)

    def _onStateChanged(self, job: BackgroundProcess) -> None:
        self._showStatus()
        if not job.state.isOver:
            return
        self.changed.emit()
        if job.state is JobState.FAILED:
            slicer.util.errorDisplay(job.errorMessage, detailedText=job.report())
        elif job.state is JobState.DONE and self._onDone is not None:
            self._onDone(job)

    def _onProgress(self, _job: BackgroundProcess, progress: Progress) -> None:
        self._progressBar.setRange(0, max(progress.total, 0))
        self._progressBar.setValue(progress.done)
        showText(self._statusLabel, progressText(progress))

    def _onMessage(self, _job: BackgroundProcess, message: Message) -> None:
        forms = {"warning": _("Warning: {text}"), "error": _("Error: {text}")}
        text = forms.get(message.level, "{text}").format(text=message.text)
        self._logEdit.appendPlainText(text)

    def _onLogged(self, _job: BackgroundProcess, line: str) -> None:
        self._logEdit.appendPlainText(line)

    def _showStatus(self) -> None:
        state = None if self.job is None else self.job.state
        isSilent = self.job is None or self.job.progress is None
        isCancellable = state in (JobState.WAITING, JobState.RUNNING)
        self._cancelButton.setEnabled(isCancellable)
        self._cancelButton.toolTip = _("Stop the job.") if isCancellable else _("No job runs.")
        self._progressBar.setVisible(self.isBusy)
        if state is JobState.RUNNING and isSilent:
            self._progressBar.setRange(0, 0)
        elif state is None or state.isOver or state is JobState.WAITING:
            self._progressBar.setRange(0, 1)
            self._progressBar.setValue(1 if state is JobState.DONE else 0)
        if state is not JobState.RUNNING or isSilent:
            showText(self._statusLabel, "" if self.job is None else statusText(self.job))


def _named(ui: UiForm, prefix: str, kind: str) -> Any:
    name = f"{prefix}{kind}"
    return getattr(ui, name[0].lower() + name[1:])


def progressText(progress: Progress) -> str:
    """Say how far a stage is, and how long it takes still."""
    stage = progress.stage[:1].upper() + progress.stage[1:]
    text = stage
    if progress.total > 0:
        text = _("{stage}: {done} of {total}").format(
            stage=stage, done=progress.done, total=progress.total
        )
    if progress.eta_s is None or progress.done >= progress.total:
        return text
    return _("{progress}, {time} left").format(progress=text, time=durationText(progress.eta_s))


def durationText(seconds: float) -> str:
    """Return a duration in words."""
    if seconds < 60:
        return _("{n} s").format(n=max(1, round(seconds)))
    if seconds < 3600:
        return _("{n} min").format(n=round(seconds / 60))
    return _("{n} h {m} min").format(n=int(seconds // 3600), m=int(seconds % 3600 // 60))


def statusText(job: BackgroundProcess) -> str:
    """Say what a job does or how it ended."""
    if job.state is JobState.WAITING:
        first = jobQueue().jobs[0].title if jobQueue().jobs else ""
        return _("Waiting for: {title}").format(title=first)
    return {
        JobState.RUNNING: _("Starting…"),
        JobState.CANCELLING: _("Cancelling…"),
        JobState.DONE: _("Done."),
        JobState.FAILED: _("Failed: {reason}").format(reason=job.errorMessage),
        JobState.CANCELLED: _("Cancelled."),
    }[job.state]
