"""Shows module panels beside slice and 3-D views, without 3D Slicer.

    python -m slicer_host --modules MDALSelector CIMLSegment [--cohort FOLDER] [--screenshot PNG]

This is a development stand-in: it has the module panels and simple views, nothing else of Slicer.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[3]
INTERRUPTED = 130


def main(arguments: list[str] | None = None) -> int:
    """Open the window, or draw it into a file."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    paths = [_module_file(name) for name in options.modules]
    if options.screenshot is not None:
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from slicer_host import host as hosting
    from slicer_host import theme

    running = hosting.start(interactive=True)
    theme.apply(running.application, dark=options.dark)
    running.load(*paths)
    running.complete()
    _show([path.stem for path in paths], options.cohort)
    return _run(running) if options.screenshot is None else _draw(running, options.screenshot)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="slicer_host", description=__doc__.splitlines()[0])
    modules = ["MDALSelector", "CIMLSegment"]
    parser.add_argument("--modules", nargs="+", default=modules, help="modules of this repository")
    parser.add_argument("--cohort", type=Path, help="cohort folder to open in the panels")
    parser.add_argument("--screenshot", type=Path, help="draw the window into this file and end")
    parser.add_argument("--dark", action="store_true", help="use a dark palette")
    return parser


def _module_file(name: str) -> Path:
    path = REPOSITORY / name / f"{name}.py"
    if not path.is_file():
        msg = f"The module {name} was expected in {path}, but there is no such file."
        raise SystemExit(msg)
    return path


def _show(names: list[str], cohort: Path | None) -> None:
    """Show every panel once, and put the cohort into its path edit that is named after it."""
    import slicer

    for name in reversed(names):
        slicer.util.selectModule(name)
        edit = getattr(getattr(slicer.modules, f"{name}Widget").ui, "cohortPathLineEdit", None)
        if edit is not None and cohort is not None:
            edit.currentPath = str(cohort.resolve())


def _run(running: Any) -> int:
    """Show the window until it is closed, or until the program is interrupted."""
    from PySide6.QtCore import QTimer

    application = running.application
    signal.signal(signal.SIGINT, lambda *_: application.exit(INTERRUPTED))
    awake = QTimer()  # lets Python see the interruption while Qt waits for events
    awake.timeout.connect(lambda: None)
    awake.start(200)
    code = application.exec()
    running.close(tell=False)
    return int(code)


def _draw(running: Any, path: Path) -> int:
    from slicer_host.screenshot import grab

    path.parent.mkdir(parents=True, exist_ok=True)
    grab(running.window).save(str(path))
    running.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
