"""What goes wrong while nobody looks: logged, printed or raised where nobody catches it."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

from slicer_host import errors, in_application

_WRONG = re.compile(
    r"Traceback|\[ERROR\]|\[FATAL\]|^ERROR|^Error:|Exception ignored|Segmentation f"
)
# What Slicer's Segment Editor says by itself: when somebody deletes its segmentation, but no image,
# and of the outline of a brush that is outside of a view.
_SLICERS_OWN = re.compile(
    "SetSourceVolumeNode: need to set segment editor and segmentation nodes first$"
    r"|Input port 0 of algorithm vtkTransformPolyDataFilter \(\w+\) has 0 connections"
)


class ErrorLog(logging.Handler):
    """What is logged as an error, is printed as one, or is raised where nobody catches it."""

    def __init__(self, capture: Any) -> None:
        super().__init__(logging.ERROR)
        self._capture, self._logged, self._read = capture, [], 0
        self._file = None
        if in_application.is_real_application():
            import slicer

            self._file = Path(slicer.app.errorLogModel().filePath)
            self._read = self._file.stat().st_size
        self.nLines = self.nSlicersOwn = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Remember what was logged."""
        self._logged.append(self.format(record))

    def drain(self) -> list[str]:
        """Return what is wrong since the last call."""
        raised = [f"{type(error).__name__}: {error}" for error in errors.drain()]
        logged, self._logged = self._logged, []
        lines = "".join(self._capture.readouterr()).splitlines()
        if self._file is not None:
            with self._file.open("rb") as file:
                file.seek(self._read)
                data = file.read()
            self._read += len(data)
            lines += data.decode("utf-8", "replace").splitlines()
        self.nLines += len(lines)
        own = [line for line in lines if _SLICERS_OWN.search(line)]
        self.nSlicersOwn += len(own)
        wrong = [line for line in lines if _WRONG.search(line) and line not in own]
        return [*raised, *logged, *(wrong and lines[-30:])]
