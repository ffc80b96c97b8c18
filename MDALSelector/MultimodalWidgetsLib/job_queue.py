"""The jobs of both modules: a long and a short one run, the others wait; closing Slicer asks.

The queue belongs to the application: it outlives the panels, so jobs go on while other modules are
shown.
"""

from __future__ import annotations

import qt
import slicer
from slicer.i18n import tr as _

from MultimodalWidgetsLib.background_process import BackgroundProcess, JobState
from MultimodalWidgetsLib.job_needs import Hindrance
from MultimodalWidgetsLib.signal import Signal


class JobQueue:
    """Runs jobs in two lines, long and short ones, each in the order in which they came.

    Two jobs never share the GPU, and none starts beside another one without memory for it.

    Attributes:
        jobs: Those that are not over, in the order in which they came.
        changed: Emitted when a job comes, goes or moves up.
    """

    def __init__(self) -> None:
        self.jobs: list[BackgroundProcess] = []
        self.changed = Signal()
        self._closeGuard: _CloseGuard | None = None

    def submit(self, job: BackgroundProcess) -> None:
        """Start a job, or let it wait until those that hinder it are over."""
        self.jobs.append(job)
        job.stateChanged.connect(self._onStateChanged)
        self._guard()
        self.changed.emit()
        self._startNext()

    def hindrance(self, job: BackgroundProcess) -> tuple[BackgroundProcess, Hindrance] | None:
        """Return the first job that a waiting one has to wait for, and why; `None` if it starts."""
        place = self.jobs.index(job)
        for number, other in enumerate(self.jobs):
            isBefore = number < place and other.needs.isShort == job.needs.isShort
            if other is not job and (isBefore or other.isRunning):
                why = job.needs.hindrance(other.needs)
                if why is not None:
                    return other, why
        return None

    def killAll(self) -> None:
        """End all jobs at once."""
        for job in reversed(tuple(self.jobs)):
            job.killNow()

    def _startNext(self) -> None:
        for job in sorted(self.jobs, key=lambda job: not job.needs.isShort):
            if job.state is JobState.WAITING and self.hindrance(job) is None:
                job.start()

    def _onStateChanged(self, job: BackgroundProcess) -> None:
        if job.state.isOver and job in self.jobs:
            self._remove(job)
            qt.QTimer.singleShot(0, self._startNext)

    def _remove(self, job: BackgroundProcess) -> None:
        self.jobs.remove(job)
        job.stateChanged.disconnect(self._onStateChanged)
        if not self.jobs:
            self._unguard()
        self.changed.emit()

    def _guard(self) -> None:
        if self._closeGuard is None:
            self._closeGuard = _CloseGuard(self)
            slicer.app.connect("aboutToQuit()", self.killAll)

    def _unguard(self) -> None:
        if self._closeGuard is not None:
            slicer.app.disconnect("aboutToQuit()", self.killAll)
            self._closeGuard.remove()
            self._closeGuard = None


class _CloseGuard(qt.QObject):
    """Asks before the main window closes while jobs run."""

    def __init__(self, queue: JobQueue) -> None:
        qt.QObject.__init__(self)
        self._queue = queue
        self._window = slicer.util.mainWindow()
        if self._window is not None:
            self._window.installEventFilter(self)

    def eventFilter(self, _watched: qt.QObject, event: qt.QEvent) -> bool:
        if event.type() != qt.QEvent.Close or not self._queue.jobs or self._mayClose():
            return False
        event.ignore()
        return True

    def remove(self) -> None:
        if self._window is not None:
            self._window.removeEventFilter(self)

    def _mayClose(self) -> bool:
        titles = "\n".join(job.title for job in self._queue.jobs)
        question = _("These jobs are not finished:\n\n{jobs}\n\nCancel them and close Slicer?")
        return slicer.util.confirmYesNoDisplay(question.format(jobs=titles))


_queue = JobQueue()


def jobQueue() -> JobQueue:
    """Return the application's queue."""
    return _queue
