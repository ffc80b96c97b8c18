"""How quick this computer is: seconds per unit of work, learned from the jobs that ran on it.

One small file per user. It holds names of stages and numbers, nothing of any cohort. What cannot be
read counts as nothing known, and a job never fails because of it.
"""

from __future__ import annotations

import logging
import math
import os
from pathlib import Path

from MultimodalImagingLib.errors import CrossModalError
from MultimodalImagingLib.jobs.environment import core_count, home_folder
from MultimodalImagingLib.jobs.job_plan import Speeds
from MultimodalImagingLib.record.atomic_files import write_json
from MultimodalImagingLib.record.cohort_record import FOLDER_NAME
from MultimodalImagingLib.record.json_entry import json_value

FILE_NAME = "speeds.json"
FORMAT_VERSION = 1
# Names another file, or the null device to keep none; for tests and shared accounts.
VARIABLE = "CROSSMODAL_SPEEDS"
_MOST_BYTES = 1_000_000
LOGGER = logging.getLogger(__name__)


class SpeedsFile:
    """The file of this user; several jobs may read and write it at a time."""

    def __init__(self, path: Path | None = None) -> None:
        """Use a file; `None` for that of the user, `~/.crossmodal/speeds.json`."""
        self._path = _users_file() if path is None else path

    def read(self) -> dict[str, float]:
        """Return seconds per step and unit of work by name; empty if nothing can be read."""
        found = self._content().get(_place())
        items = found.items() if isinstance(found, dict) else ()
        return {name: float(value) for name, value in items if _is_speed(value)}

    def learn(self, measured: Speeds) -> None:
        """Keep what a job measured, half and half with what was known; the last writer wins."""
        if self._path is None or not measured:
            return
        known = self.read()
        for name, value in measured.items():
            if _is_speed(value):
                known[name] = math.sqrt(known.get(name, value) * value)
        content = {**self._content(), "format": FORMAT_VERSION, _place(): known}
        try:
            self._path.parent.mkdir(exist_ok=True)
            write_json(self._path, content)
        except (CrossModalError, OSError) as error:
            LOGGER.info("The times of this job are not kept: %s", error)

    def _content(self) -> dict[str, object]:
        try:
            if self._path is None or self._path.stat().st_size > _MOST_BYTES:
                return {}
            content = json_value(self._path.read_bytes())
        except (OSError, ValueError):
            return {}
        is_known = isinstance(content, dict) and content.get("format") == FORMAT_VERSION
        return content if is_known else {}


def _users_file() -> Path | None:
    named = os.environ.get(VARIABLE)
    if named:
        return None if named == os.devnull else Path(named)
    home = home_folder()
    return None if home is None else home / FOLDER_NAME / FILE_NAME


def _place() -> str:
    """Name the computer by what decides on its speed; a home folder may be that of several."""
    return f"{core_count()} cores"


def _is_speed(value: object) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and 0 < value < math.inf  # type: ignore[operator]
