"""Cases and segmentations shown one after the other: what they leave behind."""

from __future__ import annotations

import itertools
from typing import Any

from panel_bench import Figure, PanelBench
from panel_jobs import measure_training

N_CASES, N_RESULTS, LIMIT_MB = 200, 50, 50.0


def measure_scenes(bench: PanelBench) -> None:
    """Open cases in MDALSelector, and results of a batch in CIMLSegment."""
    from slicer_host.screenshot import grab

    cohort = bench.cohort()
    panel = bench.show("MDALSelector")
    panel.ui.recordPathLineEdit.currentPath = str(bench.work / "record")
    panel.ui.cohortPathLineEdit.currentPath = str(cohort)
    panel.ui.inspectButton.click()
    bench.wait(lambda: not panel.inspection.isBusy)
    bench.wait(lambda: bool(panel.cases.visibleCases()))
    names = panel.cases.visibleCases()

    def open_cases(count: int) -> None:
        for number, name in zip(range(count), itertools.cycle(names), strict=False):
            panel.onLoadCase(name)
            bench.host.settle()
            if number % 20 == 0:
                grab(bench.host.window)
        panel.onCloseCaseButton()

    grown(bench, f"{N_CASES} cases opened", open_cases, N_CASES, warm_up=2 * len(names))
    measure_results(bench, cohort)


def measure_results(bench: PanelBench, cohort: Any) -> None:
    """Results of a batch: images, segments and a map, taken away by the next one."""
    import drive
    from slicer_host.screenshot import grab

    measure_training(bench, cohort)
    panel = bench.show("CIMLSegment")
    panel.ui.batchPathLineEdit.currentPath = str(bench.work / "scene-results")
    panel.ui.inspectButton.click()
    bench.wait(lambda: not panel.cohort.inspection.isBusy)
    bench.wait(lambda: not panel.cohort.work._isSearching)
    if panel.ui.batchButton.enabled:
        panel.ui.batchButton.click()
        bench.wait(lambda: not panel.cohort.batch.isBusy)
    names = [n for n, case in panel.cohort.work.cases.cases.items() if case.folder]

    def show_results(count: int) -> None:
        for number, name in zip(range(count), itertools.cycle(names), strict=False):
            panel.cohort.onOpenResult(name)
            bench.host.settle()
            for row in range(panel.ui.shareTable.rowCount):
                if panel.ui.shareTable.item(row, 0).text().endswith("%"):
                    drive.click_cell(panel.ui.shareTable, row, 0)
            if number % 10 == 0:
                grab(bench.host.window)
            if panel.ui.removeOverlayButton.enabled:
                drive.click(panel.ui.removeOverlayButton)
            bench.scene.RemoveNode(panel._parameterNode.result)
        panel.cohort.work.case.close()

    grown(bench, f"{N_RESULTS} segmentations shown and removed", show_results, N_RESULTS, warm_up=6)


def grown(bench: PanelBench, name: str, action: Any, count: int, *, warm_up: int) -> None:
    """Do something often and count what is more than before."""
    from slicer_host.census import count_nodes_observers

    action(warm_up)
    before = count_nodes_observers()
    action(count)
    after = count_nodes_observers()
    more = after.grown(before)
    for kind in ("observers", "connections", "widgets", "files"):
        bench.figures.add(Figure("left behind", f"{name}: {kind}", more.pop(kind, 0), 0, ""))
    nodes = ", ".join(f"{kind} {number}" for kind, number in more.items())
    bench.figures.add(Figure("left behind", f"{name}: nodes", sum(more.values()), 0, "", nodes))
    megabytes = after.memory_mb - before.memory_mb
    bench.figures.add(Figure("left behind", f"{name}: memory", megabytes, LIMIT_MB, "MB"))
