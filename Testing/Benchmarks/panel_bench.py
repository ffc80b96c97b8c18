"""The panels in the host, and the figures that are measured on them."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
N_PHANTOMS, N_LABELLED = 12, 9
REPEATS = 3


@dataclass(frozen=True)
class Figure:
    """One measured value.

    Attributes:
        part: What it is about.
        name: What was measured.
        value: Its value in `unit`; of a standstill, what the main thread computed.
        limit: Largest value that is accepted; `None` if it is only reported.
        unit: Its unit.
        note: More about it.
    """

    part: str
    name: str
    value: float
    limit: float | None
    unit: str
    note: str = ""

    @property
    def is_kept(self) -> bool:
        """Whether the limit is kept."""
        return self.limit is None or self.value <= self.limit


class Figures:
    """Collects and prints figures."""

    def __init__(self) -> None:
        self.all: list[Figure] = []

    def add(self, figure: Figure) -> None:
        """Print a figure and keep it."""
        self.all.append(figure)
        verdict = "" if figure.limit is None else ("kept" if figure.is_kept else "EXCEEDED")
        limit = "" if figure.limit is None else f" (limit {figure.limit:g})"
        text = f"{figure.part}: {figure.name}: {figure.value:.4g} {figure.unit}{limit} {verdict}"
        print(f"{text} {figure.note}".rstrip(), flush=True)

    def markdown(self, *, title: str, command: str) -> str:
        """Return all figures as a table."""
        lines = [f"# {title}", "", f"`{command}`", "", _machine(), ""]
        lines += ["| part | measured | value | limit | |", "|---|---|---|---|---|"]
        for figure in self.all:
            limit = "" if figure.limit is None else f"{figure.limit:g} {figure.unit}"
            mark = "" if figure.is_kept else "**exceeded** "
            value = f"{figure.value:.4g} {figure.unit}"
            lines.append(
                f"| {figure.part} | {figure.name} | {value} | {limit} | {mark}{figure.note} |"
            )
        return "\n".join([*lines, ""])


class PanelBench:
    """Both panels in one host, or in the application.

    Attributes:
        work: Receives everything that is written.
        figures: Receives what is measured.
        selector: The panel of MDALSelector.
        segment: The panel of CIMLSegment.
    """

    def __init__(self, work: Path, figures: Figures) -> None:
        from slicer_host import host as hosting
        from slicer_host import in_application

        work.mkdir(parents=True, exist_ok=True)
        self.work, self.figures = work, figures
        is_real = in_application.is_real_application()
        self.host = in_application.RealApplication() if is_real else hosting.start()
        self.host.load(
            ROOT / "MDALSelector" / "MDALSelector.py", ROOT / "CIMLSegment" / "CIMLSegment.py"
        )
        self.host.complete()
        import slicer

        self.selector, self.segment = (self.show(n) for n in ("MDALSelector", "CIMLSegment"))
        self.scene = slicer.mrmlScene

    def show(self, name: str) -> Any:
        """Show a panel with all its sections open and return it."""
        import slicer

        slicer.util.selectModule(name)
        panel = getattr(slicer.modules, f"{name}Widget")
        for widget_name in dir(panel.ui):
            if widget_name.endswith(("CollapsibleButton", "GroupBox")):
                getattr(panel.ui, widget_name).collapsed = False
        slicer.app.processEvents()
        return panel

    def wait(self, condition: Callable[[], bool], seconds: float = 900.0) -> None:
        """Handle events until a condition holds."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                msg = f"Waited {seconds:g} s in vain."
                raise TimeoutError(msg)
            self.host.settle()
            time.sleep(0.002)

    def pause(self, seconds: float = 0.3) -> None:
        """Handle events for a while."""
        end = time.monotonic() + seconds
        self.wait(lambda: time.monotonic() > end)

    def standstill(
        self,
        part: str,
        name: str,
        action: Callable[[], None],
        is_over: Callable[[], bool] = lambda: True,
        *,
        limit_ms: float | None = 300.0,
        repeats: int = REPEATS,
        timeout: float = 60.0,
    ) -> None:
        """Measure an action some times; the least counts, as others may compute.

        The figure is what the main thread computed in one turn; the note has the clock.
        """
        from pulse import longest_standstill

        found = [longest_standstill(action, is_over, timeout=timeout) for _ in range(repeats)]
        best = min(found, key=lambda item: item.cpu_s)
        note = f"{1000 * min(item.wall_s for item in found):.0f} ms on the clock"
        note = "; ".join([note, *best.calls(3)])
        self.figures.add(Figure(part, name, 1000 * best.cpu_s, limit_ms, "ms", note))

    def cohort(self) -> Path:
        """A cohort of phantoms; some have label maps."""
        import shutil

        from MDALSelectorLib.synthetic_cohort import write_cohort

        folder = self.work / "synthetic"
        if not (folder / "cohort").is_dir():
            write_cohort(folder, n_cases=N_PHANTOMS, seed=0)
            for case in sorted((folder / "cohort").iterdir())[:N_LABELLED]:
                label = folder / "reference" / f"{case.name}.nii.gz"
                shutil.copyfile(label, case / f"{case.name}_seg.nii.gz")
        return folder / "cohort"


def _machine() -> str:
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    when = time.strftime("%Y-%m-%d")
    version = platform.python_version()
    return (
        f"{when}, {os.cpu_count()} cores{load}, Python {version}, in {_place()}; see the script for"
        " what counts."
    )


def _place() -> str:
    from slicer_host import in_application

    if not in_application.is_real_application():
        return "the host"
    import slicer

    return f"3D Slicer {slicer.app.applicationVersion}"
