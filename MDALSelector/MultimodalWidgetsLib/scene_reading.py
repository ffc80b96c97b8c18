"""Work on a scene that waits until Slicer has read it."""

from __future__ import annotations

from collections.abc import Callable

import qt
import slicer

PAUSE_MS = 20


def onceRead(work: Callable[[], None]) -> None:
    """Call a function as soon as events are handled and nothing is being read into the scene.

    Slicer handles events while it reads a scene, so a timer may end when half of it is there.
    """
    qt.QTimer.singleShot(0, lambda: _whenRead(work))


def _whenRead(work: Callable[[], None]) -> None:
    scene = slicer.mrmlScene
    if scene.IsImporting() or scene.IsBatchProcessing():
        qt.QTimer.singleShot(PAUSE_MS, lambda: _whenRead(work))
    else:
        work()
