"""Progress, remaining time, Cancel and log of the jobs of one section of a panel."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import qt
import slicer
from slicer.i18n import tr as _

from MultimodalImagingLib.jobs.texts import rounded_duration
from MultimodalWidgetsLib.background_process import BackgroundProcess, JobState
from MultimodalWidgetsLib.job_events import Message, Progress
from MultimodalWidgetsLib.job_needs import Hindrance
from MultimodalWidgetsLib.job_queue import jobQueue
from MultimodalWidgetsLib.room import reserveLines
from MultimodalWidgetsLib.signal import Signal

if TYPE_CHECKING:
    from slicer_types import UiForm

BAR_STEPS = 1000
TICK_MS = 1000
STATUS_LINES = 2


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
        self._logEdit: qt.QPlainTextEdit | None = _named(ui, prefix, "LogTextEdit")
        self._progressBar.setRange(0, BAR_STEPS)
        self._progressAt = 0.0
        self._timer = qt.QTimer()
        self._timer.setInterval(TICK_MS)
        self._timer.connect("timeout()", self._showProgress)
        self._onDone: Callable[[BackgroundProcess], None] | None = None
        self._about: Sequence[str] = ()
        self._said = ""
        reserveLines(STATUS_LINES, self._statusLabel)
        self._cancelButton.connect("clicked()", self.cancel)
        jobQueue().changed.connect(self._showStatus)
        self._showStatus()

    @property
    def isBusy(self) -> bool:
        """Whether the job that is shown waits or runs."""
        return self.job is not None and not self.job.state.isOver

    def submit(
        self,
        job: BackgroundProcess,
        onDone: Callable[[BackgroundProcess], None],
        about: Sequence[str] = (),
    ) -> None:
        """Put a job into the queue and show it.

        Args:
            job: The job.
            onDone: Called when it is done; not if it failed or was cancelled.
            about: What the job is about, for example its cohort; see `follow`.
        """
        self.release()
        self.job, self._onDone, self._about, self._said = job, onDone, about, ""
        if self._logEdit is not None:
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

    def follow(self, about: Sequence[str]) -> None:
        """Say no more how a job ended that was about something else than what is chosen now."""
        if self._about and tuple(self._about) != tuple(about):
            self.forget()

    def forget(self) -> None:
        """Say no more how a job ended; one that goes on is shown until it is over."""
        if self.isBusy:
            return
        self.release()
        self._about, self._said = (), ""
        if self._logEdit is not None:
            self._logEdit.clear()
        self._showStatus()

    def say(self, text: str) -> None:
        """Say something in place of how the job ended, until the next one."""
        self._said = text
        self._showStatus()

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
        self._timer.stop()
        self.release()
        jobQueue().changed.disconnect(self._showStatus)

    def _onStateChanged(self, job: BackgroundProcess) -> None:
        self._showStatus()
        if not job.state.isOver:
            return
        onDone = self._onDone  # the job may be about what is not chosen any more, and forgotten
        self.changed.emit()
        if job.state is JobState.FAILED:
            slicer.util.errorDisplay(job.errorMessage, detailedText=job.report())
        elif job.state is JobState.DONE and onDone is not None:
            onDone(job)

    def _onProgress(self, _job: BackgroundProcess, _progress: Progress) -> None:
        self._progressAt = time.monotonic()
        self._showProgress()

    def _showProgress(self) -> None:
        """Show how far the job is; the time left runs down between two of its messages, too."""
        progress = None if self.job is None else self.job.progress
        if self.job is None or self.job.state is not JobState.RUNNING or progress is None:
            return
        share = progress.done / max(progress.total, 1) if progress.share is None else progress.share
        self._progressBar.setRange(0, BAR_STEPS)
        self._progressBar.setValue(round(BAR_STEPS * share))
        passed_s = time.monotonic() - self._progressAt
        self._statusLabel.setText(progressText(progress, passed_s=passed_s))

    def _onMessage(self, _job: BackgroundProcess, message: Message) -> None:
        forms = {"warning": _("Warning: {text}"), "error": _("Error: {text}")}
        text = forms.get(message.level, "{text}").format(text=message.text)
        self._log(text)

    def _onLogged(self, _job: BackgroundProcess, line: str) -> None:
        self._log(line)

    def _log(self, line: str) -> None:
        if self._logEdit is not None:
            self._logEdit.appendPlainText(line)

    def _showStatus(self) -> None:
        """Show the state; bar and text keep their room, so that nothing moves below them."""
        state = None if self.job is None else self.job.state
        isSilent = self.job is None or self.job.progress is None
        isCancellable = state in (JobState.WAITING, JobState.RUNNING)
        self._cancelButton.setEnabled(isCancellable)
        self._cancelButton.toolTip = _("Stop the job.") if isCancellable else _("No job runs.")
        self._progressBar.setEnabled(self.isBusy)
        isUnknown = state is JobState.RUNNING and isSilent
        self._progressBar.setRange(0, 0 if isUnknown else BAR_STEPS)
        if state is None or state.isOver or state is JobState.WAITING:
            self._progressBar.setValue(BAR_STEPS if state is JobState.DONE else 0)
        if state is not JobState.RUNNING or isSilent:
            self._statusLabel.setText(self._said or self._ending())
        if state is JobState.RUNNING:
            self._timer.start()
        else:
            self._timer.stop()

    def _ending(self) -> str:
        return "" if self.job is None else statusText(self.job)


def _named(ui: UiForm, prefix: str, kind: str) -> Any:
    """Return a widget of the section; `None` if the panel has none of that kind."""
    name = f"{prefix}{kind}"
    return getattr(ui, name[0].lower() + name[1:], None)


def progressText(progress: Progress, *, passed_s: float = 0.0) -> str:
    """Say which step of how many runs, how far it is, and how long the job takes still.

    Args:
        progress: What the job told.
        passed_s: How long ago that was, s.
    """
    stage = progress.stage
    words = {
        "place": _placeText(progress),
        "stage": stage[:1].lower() + stage[1:],
        "count": _countText(progress),
        "time": _timeText(progress, passed_s),
    }
    if words["count"]:
        return _("{place} · {time} · {stage} · {count}").format(**words)
    return _("{place} · {time} · {stage}").format(**words)


def _placeText(progress: Progress) -> str:
    if progress.n_steps:
        return _("Step {n} of {all}").format(n=progress.step, all=progress.n_steps)
    return _("Step {n}").format(n=max(progress.step, 1))


def _countText(progress: Progress) -> str:
    """Count the steps of a stage, and the parts of the one that runs; empty for a single step."""
    count = _("{done} of {all}").format(done=progress.done, all=progress.total)
    if progress.part is not None:
        what, done, total = progress.part
        form = _("{count}, {what} {done} of {all}")
        return form.format(count=count, what=what, done=done, all=total)
    return count if progress.total > 1 else ""


def _timeText(progress: Progress, passed_s: float) -> str:
    if progress.eta_s is None:
        return _("time not known yet")
    hours, minutes, seconds = rounded_duration(max(progress.eta_s - passed_s, 0.0))
    forms = {
        (True, True, False): _("about {h} h {m} min left"),
        (True, False, False): _("about {h} h left"),
        (False, True, True): _("about {m} min {s} s left"),
        (False, True, False): _("about {m} min left"),
        (False, False, True): _("about {s} s left"),
        (False, False, False): _("a few seconds left"),
    }
    form = forms[bool(hours), bool(minutes), bool(seconds)]
    return form.format(h=hours, m=minutes, s=seconds)


def statusText(job: BackgroundProcess) -> str:
    """Say what a job does or how it ended."""
    if job.state is JobState.WAITING:
        return waitingText(job)
    return {
        JobState.RUNNING: _("Starting…"),
        JobState.CANCELLING: _("Cancelling…"),
        JobState.DONE: _("Done."),
        JobState.FAILED: _("Failed: {reason}").format(reason=job.errorMessage),
        JobState.CANCELLED: _("Cancelled."),
    }[job.state]


def waitingText(job: BackgroundProcess) -> str:
    """Say what a job waits for, and why."""
    hindrance = jobQueue().hindrance(job)
    if hindrance is None:
        return _("Starting…")
    other, why = hindrance
    forms = {
        Hindrance.LINE: _("Waiting for: {title}"),
        Hindrance.GPU: _("Waiting for the GPU, which this job uses: {title}"),
        Hindrance.MEMORY: _("Waiting for memory until this job is over: {title}"),
    }
    return forms[why].format(title=other.title)
