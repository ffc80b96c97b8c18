"""Says whether the Python packages are there, installs them on a click, checks that torch works."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import slicer
from slicer.i18n import tr as _

from MultimodalSlicerLib.python_requirements import (
    TORCH,
    ensureRequirements,
    missingRequirements,
    missingSentence,
    readRequirements,
)
from MultimodalWidgetsLib.background_process import BackgroundProcess, JobState
from MultimodalWidgetsLib.job_needs import JobNeeds
from MultimodalWidgetsLib.room import reserveLines
from MultimodalWidgetsLib.signal import Signal

if TYPE_CHECKING:
    from slicer_types import UiForm


class SetupSection:
    """Knows what is missing.

    Attributes:
        changed: Emitted when something was installed.
        problem: What is missing and what to do, one sentence; empty if nothing is.
    """

    def __init__(
        self,
        ui: UiForm,
        requirements: Path,
        *,
        owner: str,
        submit: Callable[[BackgroundProcess, Callable[[BackgroundProcess], None]], None],
    ) -> None:
        """Look what is installed.

        Args:
            ui: Holds the widgets of the `.ui` file by name.
            requirements: File with the packages of pip.
            owner: Name of the module.
            submit: Runs a job and calls the function when it is done.
        """
        self.changed = Signal()
        self.problem = ""
        self._ui, self._requirements = ui, readRequirements(requirements)
        self._owner, self._submit = owner, submit
        reserveLines(2, ui.requirementsLabel)
        ui.installButton.connect("clicked()", self.install)
        ui.checkButton.connect("clicked()", self.check)
        self.refresh()

    def refresh(self) -> None:
        """Look again what is installed."""
        missing = missingRequirements([TORCH, *self._requirements])
        self.problem = missingSentence(missing)
        self._ui.requirementsLabel.setText(self.problem or _("All Python packages are installed."))
        self._ui.installButton.setEnabled(bool(missing))
        self._ui.installButton.toolTip = (
            _("Install the missing packages, after asking.")
            if missing
            else _("Nothing is missing.")
        )
        self._ui.checkButton.setEnabled(TORCH not in missing)
        self._ui.checkButton.toolTip = (
            _("PyTorch is not installed. Press Install.")
            if TORCH in missing
            else _("Run a small 3-D convolution on every device.")
        )
        self._ui.setupCollapsibleButton.collapsed = not missing
        self.changed.emit()

    def install(self) -> None:
        """Install what is missing, after asking."""
        with slicer.util.tryWithErrorDisplay(_("The packages could not be installed.")):
            try:
                ensureRequirements(self._requirements, requester=self._owner)
            finally:
                self.refresh()

    def check(self) -> None:
        """Check in a child process whether PyTorch really works."""
        job = BackgroundProcess(
            ["MultimodalSlicerLib.torch_check"],
            title=_("Check PyTorch"),
            owner=self._owner,
            needs=JobNeeds(isShort=True, memoryMB=1000),
        )
        job.stateChanged.connect(self._onState)
        self._submit(job, self._onChecked)

    def _onState(self, job: BackgroundProcess) -> None:
        """Say beside the button how the check goes."""
        texts = {
            JobState.RUNNING: _("Checking PyTorch…"),
            JobState.FAILED: _("The check failed: {reason}").format(reason=job.errorMessage),
            JobState.CANCELLED: _("The check was cancelled."),
        }
        if job.state in texts:
            self._ui.requirementsLabel.setText(texts[job.state])

    def _onChecked(self, job: BackgroundProcess) -> None:
        found = (job.result or {}).get("devices")
        devices = found if isinstance(found, list) else []
        works = ", ".join(device["detail"] for device in devices if device["works"])
        broken = " ".join(device["detail"] for device in devices if not device["works"])
        version = (job.result or {}).get("torch", "")
        text = _("PyTorch {version} works on: {devices}. {problems}")
        text = text.format(version=version, devices=works, problems=broken)
        self._ui.requirementsLabel.setText(text.strip())
