"""Runs the tests of the modules in 3D Slicer, or outside it in the host."""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "Testing" / "SlicerHost"), str(Path(__file__).parent)]

from slicer_host.pytest_plugin import *  # noqa: E402, F403


@pytest.fixture(scope="session", autouse=True)
def slicer_python(host, tmp_path_factory):
    """Slicer's Python on the path; outside Slicer a launcher of this one, with a child as there."""
    if shutil.which("PythonSlicer") is None:
        folder = tmp_path_factory.mktemp("bin")
        launcher = folder / "PythonSlicer"
        launcher.write_text(f'#!/bin/sh\n"{sys.executable}" "$@"\nexit $?\n', encoding="utf-8")
        launcher.chmod(0o755)
        os.environ["PATH"] = f"{folder}{os.pathsep}{os.environ['PATH']}"


@pytest.fixture(autouse=True)
def last_choices(host):
    """Begin as on the first day: nothing is remembered; afterwards, what was before is again."""
    import slicer

    def own():
        return [key for key in settings.allKeys() if key.startswith("CrossModal/")]

    settings = slicer.app.settings()
    before = {key: settings.value(key) for key in own()}
    for key in own():
        settings.remove(key)
    yield
    for key in own():
        settings.remove(key)
    for key, value in before.items():
        settings.setValue(key, value)


# Per module, which sections are open when it is opened for the first time.
OPEN_SECTIONS: dict[str, dict[str, bool]] = {}


shown_module = load_module  # noqa: F405 - the fixture of the host, under another name


@pytest.fixture
def load_module(shown_module, wait_until):
    """Load a module once, and show its panel with the sections open that are at first.

    What a test has begun ends with it: the panels are those of the next one, too.
    """

    def load(path):
        panel = shown_module(path)
        names = [name for name in dir(panel.ui) if name.endswith(("CollapsibleButton", "GroupBox"))]
        boxes = {name: getattr(panel.ui, name) for name in names}
        now = {name: box.collapsed for name, box in boxes.items() if hasattr(box, "collapsed")}
        first = OPEN_SECTIONS.setdefault(Path(path).stem, now)
        for name, isCollapsed in first.items():
            if now[name] != isCollapsed:
                boxes[name].collapsed = isCollapsed
        return panel

    yield load
    from MultimodalWidgetsLib.job_queue import jobQueue

    jobQueue().killAll()
    wait_until(lambda: not jobQueue().jobs)


@pytest.fixture
def wait_until(host):
    """Handle events until a condition holds, on a busy computer too."""

    def wait(condition, timeout=60.0):
        end = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > end:
                pytest.fail(f"Waited {timeout} s in vain.")
            host.settle()
            time.sleep(0.005)

    return wait


@pytest.fixture
def drive(host):
    """Real clicks and keys."""
    import drive

    return drive
