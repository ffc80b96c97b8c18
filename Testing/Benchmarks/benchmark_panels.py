"""Measure the panels in the host: standstill of the window, imports, what is left behind.

    python Testing/Benchmarks/benchmark_panels.py WORK [--parts imports,tables,cases,jobs,scenes]
        [--patient FOLDER] [--report FILE]

In the application, where views are drawn as a user has them (`scenes` is for the host only):

    Slicer --no-splash --python-script Testing/Benchmarks/benchmark_panels.py WORK --parts cases

WORK receives a synthetic cohort, its record, a model that is trained through the panel, and
results. Every figure is printed with its limit; the exit code says whether all are kept.

A standstill is the longest time between two turns of the event loop: on the clock, and as computed
by the main thread, in which what other programs on a busy machine do does not count. A longer one
than 0.3 s names the calls that it was in by then. The host draws views only when a picture is asked
for, so that the time to draw them is in none of its figures.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = (
    *("Testing/SlicerHost", "Testing/Slicer", "Testing/Helpers", "Testing/Benchmarks"),
    *("MDALSelector", "CIMLSegment"),
)
sys.path[:0] = [str(ROOT / name) for name in FOLDERS]
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
PARTS = ("imports", "tables", "cases", "jobs", "scenes")

from panel_bench import Figure, Figures, PanelBench  # noqa: E402


def main() -> int:
    """Measure the chosen parts; the exit code says whether all limits are kept."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--patient", type=Path, help="folder with pet, ct and t1 of one patient")
    parser.add_argument("--report", type=Path, help="receives the figures as Markdown")
    options = parser.parse_args()
    figures = Figures()
    parts = options.parts.split(",")
    if "imports" in parts:
        measure_imports(figures)
    if set(parts) - {"imports"}:
        measure_in_host(figures, options, parts)
    if options.report is not None:
        text = figures.markdown(title=__doc__.splitlines()[0].rstrip("."), command=_command(parts))
        options.report.write_text(text, encoding="utf-8")
    return int(not all(figure.is_kept for figure in figures.all))


def measure_imports(figures: Figures) -> None:
    """Time of the module files over Slicer's own imports."""
    from module_imports import import_module_file

    for name in ("MDALSelector", "CIMLSegment"):
        best = min(import_module_file(name)["seconds"] for _ in range(3))
        figures.add(Figure("import", f"{name}.py", 1000 * best, 150, "ms", "processor time"))


def measure_in_host(figures: Figures, options: argparse.Namespace, parts: list[str]) -> None:
    """Everything that needs the panels."""
    from panel_cases import measure_cases
    from panel_jobs import measure_jobs
    from panel_scenes import measure_scenes
    from panel_tables import measure_tables

    bench = PanelBench(options.work.resolve(), figures)
    if "tables" in parts:
        measure_tables(bench)
    if "cases" in parts:
        measure_cases(bench)
    if "jobs" in parts:
        measure_jobs(bench, options.patient)
    if "scenes" in parts:
        measure_scenes(bench)


def _command(parts: list[str]) -> str:
    chosen = "" if tuple(parts) == PARTS else f" --parts {','.join(parts)}"
    return f"python Testing/Benchmarks/benchmark_panels.py WORK{chosen}"


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)
