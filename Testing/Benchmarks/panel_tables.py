"""Tables of a thousand cases: how long the window stands still."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from panel_bench import PanelBench

N_CASES = 1000
NAMES = ("T1", "T1c", "T2", "FLAIR")


def measure_tables(bench: PanelBench) -> None:
    """Both panels."""
    measure_ranking(bench)
    measure_cohort(bench)
    measure_batch(bench)


def measure_ranking(bench: PanelBench) -> None:
    """The table of MDALSelector: reading, filling, sorting, filtering, choosing."""
    from runs import write_run

    panel, part = bench.show("MDALSelector"), f"ranking of {N_CASES}"
    run = write_run(bench.work / "run", N_CASES)
    job = finished_job({"run": str(run)}, "select")
    filled: list[bool] = []
    panel.cases.filled.connect(lambda: filled.append(True))

    def started(action: Any) -> Any:
        def start() -> None:
            filled.clear()
            action()

        return start

    for name, action in (
        ("reading the run", lambda: panel.onSelected(job)),
        ("filling", panel.showRanking),
    ):
        bench.standstill(part, name, started(action), lambda: bool(filled))
    view = panel.ui.casesTableView
    for column in range(7):
        orders = iter([1, 0, 1])
        bench.standstill(
            part,
            f"sorting column {column + 1}",
            lambda column=column, orders=orders: view.sortByColumn(column, next(orders)),
        )
    texts, entries = iter(["case-00", "99", ""]), iter([2, 1, 0])
    bench.standstill(
        part, "filtering", lambda: setattr(panel.ui.filterLineEdit, "text", next(texts))
    )
    bench.standstill(
        part,
        "filtering by state",
        lambda: setattr(panel.ui.stateFilterComboBox, "currentIndex", next(entries)),
    )
    cases = iter([panel.cases.rows[number].case_id for number in (900, 10, 500)])
    bench.standstill(part, "choosing a row", lambda: panel.cases.selectCase(next(cases)))


def measure_cohort(bench: PanelBench) -> None:
    """What an inspection found, in MDALSelector."""
    panel = bench.show("MDALSelector")
    panel._parameterNode.cohortPath = ""
    job = finished_job(inspection(), "inspect")
    bench.standstill(f"cohort of {N_CASES}", "showing it", lambda: panel.onInspected(job))


def measure_batch(bench: PanelBench) -> None:
    """The table of CIMLSegment's batch, with a result for every case in the folder."""
    import example_result as example

    panel, part = bench.show("CIMLSegment"), f"batch of {N_CASES}"
    cohort, results = bench.work / "large", bench.work / "large-results"
    cohort.mkdir(exist_ok=True)
    write_results(bench, results)
    parameters = panel._parameterNode
    parameters.modelPath = str(example.write_model_json(bench.work / "model-json", "brats"))
    parameters.recordPath = str(bench.work / "large-record")
    parameters.cohortPath, parameters.batchPath = str(cohort), str(bench.work / "empty")
    job = finished_job(inspection(), "inspect")

    def is_shown() -> bool:
        return len(panel.cohort.table.texts()) == N_CASES

    bench.standstill(
        part, "showing cases without results", lambda: panel.cohort.onInspected(job), is_shown
    )
    parameters.batchPath = str(results)

    def is_found() -> bool:
        states = [state for _, state, _ in panel.cohort.table.texts()]
        return len(states) == N_CASES and set(states) == {"segmented"}

    bench.standstill(
        part, "showing cases with results", lambda: panel.cohort.onInspected(job), is_found
    )
    folders = iter(sorted(results.iterdir())[:9])
    bench.standstill(
        part,
        "a result arrives",
        lambda: panel.cohort.onBatchEvent(finished_job({"folder": str(next(folders))}, "segment")),
        is_shown,
        limit_ms=100,
    )
    for column in range(3):
        orders = iter([1, 0, 1])
        bench.standstill(
            part,
            f"sorting column {column + 1}",
            lambda column=column, orders=orders: panel.ui.batchView.sortByColumn(
                column, next(orders)
            ),
        )


def write_results(bench: PanelBench, folder: Any) -> None:
    """One small result per case; the files of all are those of the first."""
    import json
    import shutil

    import example_result as example

    if folder.is_dir():
        return
    making = folder.with_name("large-results-in-the-making")
    shutil.rmtree(making, ignore_errors=True)
    first = example.write_example(making, example.grid(), task_name="brats", case=case_name(0))
    content = json.loads((first / "result.json").read_text(encoding="utf-8"))
    for number in range(1, N_CASES):
        copy = making / case_name(number)
        copy.mkdir()
        for path in first.iterdir():
            (copy / path.name).hardlink_to(path) if path.suffix != ".json" else None
        content["case"] = case_name(number)
        (copy / "result.json").write_text(json.dumps(content), encoding="utf-8")
    making.rename(folder)


def inspection() -> dict[str, Any]:
    """What `inspect` says about a large cohort."""
    grid = {
        "size": [256, 256, 150],
        "spacing_mm": [0.9375, 0.9375, 1.0],
        "origin_mm": [0.0, 0.0, 0.0],
        "direction": [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
    }
    return {
        "summary": f"{N_CASES} cases",
        "layout": "folder per case",
        "modalities": list(NAMES),
        "n_cases": N_CASES,
        "patterns": [],
        "problems": [
            {"severity": "warning", "case": case_name(n), "file": "f", "message": "Look at it."}
            for n in range(N_CASES)
        ],
        "cases": [
            {
                "case": case_name(n),
                "verdict": "same grid",
                "overlap": 1.0,
                "grids": dict.fromkeys(NAMES, grid),
                "files": {name: f"{case_name(n)}/{name}.nii.gz" for name in NAMES},
                "label": None,
            }
            for n in range(N_CASES)
        ],
    }


def case_name(number: int) -> str:
    """Name of a case."""
    return f"case-{number:04d}"


def finished_job(result: dict[str, Any], command: str) -> SimpleNamespace:
    """What the panels need of a job that is done."""
    return SimpleNamespace(result=result, arguments=("", command, ""))
