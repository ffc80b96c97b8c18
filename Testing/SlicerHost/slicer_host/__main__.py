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
    running.window.resize(*options.size)
    running.load(*paths)
    running.complete()
    _show(running, [path.stem for path in paths], options.cohort)
    for volume in options.volume:
        _load_volume(volume)
    if options.screenshot is not None:
        return _draw(running, options.screenshot)
    return _run(running)


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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="slicer_host", description=__doc__.splitlines()[0])
    parser.add_argument("--modules", nargs="+", default=["MDALSelector", "CIMLSegment"],
                        help="modules of this repository, or paths of .py files")  # fmt: skip
    parser.add_argument("--cohort", type=Path, help="cohort folder to open in the panels")
    parser.add_argument("--volume", type=Path, nargs="*", default=[], help="volumes to load")
    parser.add_argument("--screenshot", type=Path, help="draw the window into this file and end")
    parser.add_argument("--dark", action="store_true", help="use a dark palette")
    parser.add_argument(
        "--size", type=_size, default=(1366, 768), help="width x height, as 1366x768"
    )
    return parser


def _size(text: str) -> tuple[int, int]:
    width, height = text.lower().split("x")
    return int(width), int(height)


def _module_file(name: str) -> Path:
    path = Path(name) if name.endswith(".py") else REPOSITORY / name / f"{name}.py"
    if not path.is_file():
        msg = f"The module {name} was expected in {path}, but there is no such file."
        raise SystemExit(msg)
    return path.resolve()


def _show(running: Any, names: list[str], cohort: Path | None) -> None:
    import slicer

    for name in reversed(names):
        slicer.util.selectModule(name)
        if cohort is not None:
            _open_cohort(running.modules.module(name).widgetRepresentation(), cohort.resolve())


def _open_cohort(panel: Any, cohort: Path) -> None:
    """Put the folder into the panel's path widget that is named after a cohort."""
    from slicer_host.pythonqt.wrapper import wrap

    for widget in wrap(panel).findChildren("QWidget"):
        kind = widget.className()
        name = f"{widget.property('SlicerParameterName') or ''} {widget.objectName}".lower()
        if "cohort" in name and kind in {"ctkPathLineEdit", "ctkDirectoryButton"}:
            attribute = "currentPath" if kind == "ctkPathLineEdit" else "directory"
            setattr(widget, attribute, str(cohort))


def _load_volume(path: Path) -> None:
    import slicer

    node = slicer.util.loadVolume(str(path))
    slicer.util.setSliceViewerLayers(background=node, fit=True)


def _draw(running: Any, path: Path) -> int:
    from slicer_host.screenshot import grab

    path.parent.mkdir(parents=True, exist_ok=True)
    grab(running.window).save(str(path))
    running.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
