"""Clicks and seconds from a fresh profile to a first ranking, and to a segmentation with a map.

python Testing/Benchmarks/benchmark_try_it.py [--output try_it.md]

Both panels are opened as they are after an installation: no cohort, no model, no setting, no sample
data, sections as Slicer opens them. Every click is one that a user could make.
Seconds count from the first click to what is shown at the end; seconds of the processors, of the
window and of all its jobs, say how long it takes where nothing else runs.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from panel_bench import ROOT, Figure, Figures

for name in (
    "Testing/Slicer",
    "Testing/SlicerHost",
    "Testing/Helpers",
    "MDALSelector",
    "CIMLSegment",
):
    sys.path.append(str(ROOT / name))

MOST_CLICKS, MOST_S, TIMEOUT_S = 3, 60.0, 1200.0


class User:
    """Clicks and waits."""

    def __init__(self, host: Any) -> None:
        self._host, self.clicks = host, 0
        self._began, self._cpu_s = time.monotonic(), computed_s()

    def click(self, widget: Any) -> None:
        """Click a widget that can be clicked."""
        import drive

        self.clicks += 1
        drive.click(widget)

    def wait(self, condition: Callable[[], bool]) -> None:
        """Wait until something is shown or can be clicked."""
        end = time.monotonic() + TIMEOUT_S
        while not condition():
            if time.monotonic() > end:
                msg = f"Waited {TIMEOUT_S:g} s in vain."
                raise TimeoutError(msg)
            self._host.settle()
            time.sleep(0.005)

    def report(self, figures: Figures, part: str, note: str) -> None:
        """Add what it took."""
        passed_s = time.monotonic() - self._began
        figures.add(Figure(part, "clicks", self.clicks, MOST_CLICKS, "clicks"))
        figures.add(Figure(part, "on the clock", passed_s, MOST_S, "s", note))
        figures.add(Figure(part, "of the processors", computed_s() - self._cpu_s, None, "s"))


def computed_s() -> float:
    """Return what this process and its finished children have computed, s."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def try_selector(host: Any, figures: Figures) -> None:
    """From nothing to a ranking."""
    panel = opened("MDALSelector")
    user = User(host)
    user.click(panel.ui.tryButton)
    user.wait(lambda: panel.ui.startButton.enabled)
    user.click(panel.ui.startButton)
    user.wait(lambda: any(row.rank == 1 for row in panel.cases.rows) and not panel.jobs.isBusy)
    n_cases = len(panel.cases.rows)
    user.report(figures, "MDALSelector", f"ranking of {n_cases} cases")


def try_segmenter(host: Any, figures: Figures) -> None:
    """From nothing to a segmentation with a map over its image."""
    panel = opened("CIMLSegment")
    user = User(host)
    user.click(panel.ui.tryButton)
    user.wait(lambda: panel.ui.segmentButton.enabled)
    user.click(panel.ui.segmentButton)
    user.wait(lambda: panel.logic.browser.shown is not None)
    model = Path(panel._parameterNode.modelPath).name
    user.report(figures, "CIMLSegment", f"{model}: {panel.ui.overlayLabel.text}")


def opened(name: str) -> Any:
    """Show a module as a user does in its menu; its sections stay as they are."""
    import slicer

    slicer.util.selectModule(name)
    slicer.app.processEvents()
    return getattr(slicer.modules, f"{name}Widget")


def main() -> int:
    """Measure, print, and write a table if asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, help="write the figures there, too")
    parser.add_argument("--picture", type=Path, help="write a picture of the window at the end")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["CROSSMODAL_SPEEDS"] = str(Path(folder) / "speeds.json")  # a fresh profile
        from slicer_host import host as hosting

        host = hosting.start()
        modules = ("MDALSelector", "CIMLSegment")
        host.load(*(ROOT / module / f"{module}.py" for module in modules))
        host.complete()
        figures = Figures()
        try_selector(host, figures)
        try_segmenter(host, figures)
        if options.picture is not None:
            from slicer_host.screenshot import grab

            grab(host.window).save(str(options.picture))
        host.close()
    if options.output is not None:
        title = "From a fresh profile to a first result"
        command = "python Testing/Benchmarks/benchmark_try_it.py"
        options.output.write_text(figures.markdown(title=title, command=command), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
