"""Fixtures for tests in the host, and in the application.

A `conftest.py` takes them with `from slicer_host.pytest_plugin import *`.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from slicer_host import errors, in_application
from slicer_host.record import record

__all__ = [
    "_pytest_no_lost_errors",
    "census",
    "host",
    "load_module",
    "messages",
    "scene",
    "wait_until",
]

GL_PROBE = """
import vtk
window = vtk.vtkRenderWindow()
window.SetOffScreenRendering(1)
window.SetSize(8, 8)
window.AddRenderer(vtk.vtkRenderer())
window.Render()
raise SystemExit(0 if "OpenGL version" in window.ReportCapabilities() else 1)
"""


def missing_parts() -> str:
    """Return why the host cannot start here, or an empty text."""
    try:
        import PySide6.QtWidgets  # noqa: F401
        import slicer
        import vtk  # noqa: F401
    except ImportError as error:
        return f"The host needs the packages slicer-core and PySide6-Essentials: {error}."
    if not hasattr(slicer, "vtkMRMLScene"):
        return "The package slicer-core is not the one with the MRML libraries."
    probe = subprocess.run(
        [sys.executable, "-c", GL_PROBE], capture_output=True, check=False, timeout=60
    )
    if probe.returncode:
        return "The host needs OpenGL (EGL): install what Testing/system-packages.txt lists."
    return ""


@pytest.fixture(scope="session")
def host() -> Iterator[Any]:
    """The running host, or the application; tests are skipped where the host cannot start."""
    if in_application.is_real_application():
        running = in_application.RealApplication()
        yield running
        running.close()
        return
    reason = missing_parts()
    if reason:
        pytest.skip(reason)
    from slicer_host import host as hosting

    running = hosting.start()
    yield running
    running.close()


@pytest.fixture
def scene(host: Any) -> Iterator[Any]:
    """The scene, empty before and after the test."""
    _clear(host)
    yield host.core.scene
    _clear(host)


def _clear(host: Any) -> None:
    record.clear()
    host.core.scene.Clear(0)
    host.settle()


@pytest.fixture(autouse=True)
def _pytest_no_lost_errors() -> Iterator[None]:
    """Fail a test during which a Qt slot or a VTK observer raised."""
    errors.drain()
    yield
    lost = errors.drain()
    if lost:
        text = "; ".join(f"{type(error).__name__}: {error}" for error in lost)
        pytest.fail(f"{len(lost)} exception(s) in Qt slots or VTK observers: {text}")


@pytest.fixture
def messages(host: Any) -> Any:
    """What message boxes said; `answers` and `files` hold the answers to coming ones."""
    record.clear()
    return record


@pytest.fixture
def census(host: Any) -> Callable[[], Any]:
    """Return the function that counts nodes, observers, connections, widgets and files."""
    if in_application.is_real_application():
        pytest.skip("Connections and widgets are counted in the host only.")
    from slicer_host.census import count_nodes_observers

    return count_nodes_observers


@pytest.fixture
def load_module(host: Any) -> Callable[[Path], Any]:
    """Return a function that loads a module once and shows its panel (returned)."""

    def load(path: Path) -> Any:
        import slicer

        name = Path(path).stem
        if host.modules.module(name) is None:
            host.load(path)
            host.complete()
        slicer.util.selectModule(name)
        return getattr(slicer.modules, f"{name}Widget")

    return load


@pytest.fixture
def wait_until(host: Any) -> Callable[..., None]:
    """Return a function that handles events until a condition holds; it fails after `timeout` s."""

    def wait(condition: Callable[[], bool], timeout: float = 10.0) -> None:
        end = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > end:
                pytest.fail(f"Waited {timeout} s in vain.")
            host.settle()
            time.sleep(0.005)

    return wait
