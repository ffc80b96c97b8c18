"""Takes the pictures of the MDALSelector panel, on the synthetic cohort, in the host.

    python Testing/Slicer/screenshots.py WORK [OUT]

WORK receives the cohort and its record; pictures go to OUT (default: Resources/Screenshots).
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("Testing/SlicerHost", "Testing/Slicer", "MDALSelector")
sys.path[:0] = [str(ROOT / name) for name in FOLDERS]
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

N_CASES = 60


class Studio:
    """The host with the panel in it, and a camera."""

    def __init__(self, folder: Path) -> None:
        from slicer_host import host as hosting

        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.host = hosting.start()
        self.host.load(ROOT / "MDALSelector" / "MDALSelector.py")
        self.host.complete()
        self.host.window.resize(1366, 768)
        import slicer

        slicer.util.selectModule("MDALSelector")
        self.panel = slicer.modules.MDALSelectorWidget

    def wait(self, condition: Any, seconds: float = 600.0) -> None:
        import slicer

        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                msg = "Waited in vain."
                raise TimeoutError(msg)
            slicer.app.processEvents()
            time.sleep(0.005)

    def pause(self, seconds: float = 0.4) -> None:
        end = time.monotonic() + seconds
        self.wait(lambda: time.monotonic() > end)

    def picture(self, name: str, *, whole_panel: bool = False) -> None:
        """Save the window, or the panel at its full length."""
        from slicer_host.screenshot import grab

        self.pause()
        path = self.folder / f"MDALSelector-{name}.png"
        grab(self.panel.parent if whole_panel else self.host.window).save(str(path))
        print(path)

    def open_sections(self, *names: str) -> None:
        """Open these sections of the panel and close the others."""
        sections = ("cohort", "selection", "cases", "plot", "labelling", "report", "setup")
        for name in sections:
            button = getattr(self.panel.ui, f"{name}CollapsibleButton")
            button.collapsed = name not in names


def take_all(studio: Studio, cohort: Path, record: Path) -> None:
    """Go through the states of the panel."""
    studio.picture("empty")
    take_cohort(studio, cohort, record)
    take_selection(studio)
    take_ranking(studio)


def take_cohort(studio: Studio, cohort: Path, record: Path) -> None:
    """An error, then the cohort with its geometry."""
    panel, ui = studio.panel, studio.panel.ui
    for path, tab, name in ((record.parent / "nothing-here", 0, "error"), (cohort, 1, "cohort")):
        ui.cohortPathLineEdit.currentPath = str(path)
        ui.recordPathLineEdit.currentPath = str(record)
        ui.inspectButton.click()
        studio.wait(lambda: not panel.jobs.isBusy)
        ui.cohortTabs.currentIndex = tab
        studio.picture(name)


def take_selection(studio: Studio) -> None:
    """A selection that runs."""
    panel, ui = studio.panel, studio.panel.ui
    ui.estimatorComboBox.currentIndex = 1
    studio.open_sections("selection", "cases")
    ui.logGroupBox.collapsed = False
    ui.startButton.click()
    job = panel.jobs.job
    studio.wait(lambda: job.state.isOver or (job.progress is not None and job.progress.done > 20))
    studio.picture("running")
    studio.wait(lambda: not panel.jobs.isBusy)
    ui.logGroupBox.collapsed = True


def take_ranking(studio: Studio) -> None:
    """The ranking with an open case, the whole panel, and both in the dark theme."""
    from slicer_host import theme

    panel, sections = studio.panel, ("cases", "plot", "labelling")
    studio.open_sections(*sections)
    studio.wait(lambda: len(panel.cases.visibleCases()) == N_CASES)
    panel.cases.selectCase(panel.cases.rows[0].case_id)
    panel.onLoadCase()
    studio.picture("ranking")
    studio.open_sections("cohort", "selection", *sections, "report", "setup")
    studio.picture("panel", whole_panel=True)
    theme.apply(studio.host.application, dark=True)
    studio.open_sections(*sections)
    studio.picture("dark")
    theme.apply(studio.host.application, dark=False)


def main() -> int:
    """Make the cohort if needed, and take all pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("out", type=Path, nargs="?", default=ROOT / "Resources" / "Screenshots")
    options = parser.parse_args()
    from MultimodalImagingLib.synthetic_cohort import write_cohort

    work = options.work.resolve()
    if not (work / "cohort").is_dir():
        write_cohort(work, n_cases=N_CASES, seed=0)
    take_all(Studio(options.out.resolve()), work / "cohort", work / "record")
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)
