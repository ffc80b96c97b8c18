"""One self-contained HTML page about the results of a folder. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from CIMLSegmentLib.results.evaluation import reference_maps
from CIMLSegmentLib.results.evaluation_files import read_evaluation
from CIMLSegmentLib.results.map_kinds import COLORS
from CIMLSegmentLib.results.report_pictures import TileRow, case_pictures, short_number
from CIMLSegmentLib.results.segmentation_result import (
    Contribution,
    Influence,
    StoredResult,
    read_results,
)
from CIMLSegmentLib.task.label_scheme import LabelMaps
from CIMLSegmentLib.task.task import Task
from MultimodalImagingLib.cohorts.cases import Case
from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.images.stored_image import ImageFile
from MultimodalImagingLib.jobs.job_plan import JobPlan, PlannedStage
from MultimodalImagingLib.jobs.progress import Reporter
from MultimodalImagingLib.jobs.texts import render_page
from MultimodalImagingLib.record.atomic_files import write_text
from MultimodalImagingLib.record.ownership import check_own_files

REPORT_NAME = "report.html"
MOST_PICTURED = 60  # some 200 kB each
# Pages of older versions are known by their title.
_PAGE_MARKS = (
    b'content="CrossModal ciml-segmenter report"',
    b"<title>Segmentation, and which modality told what: ",
)
TEMPLATE_NAME = "segmentation_report.html.j2"
_TOO_MANY = f"No pictures: a page shows those of {MOST_PICTURED} cases. Choose with --case."


@dataclass(frozen=True)
class ShareRow:
    """What one auxiliary contributed to one primary, per region.

    Attributes:
        auxiliary: The modality that sent the message.
        primary: The modality that received the message.
        cells: Region to amount and share; a region that the primary does not segment is not in it.
    """

    auxiliary: str
    primary: str
    cells: Mapping[str, Contribution | Influence]


@dataclass(frozen=True)
class CaseView:
    """One case on the page.

    Attributes:
        result: Its result.
        influence: What the auxiliaries changed in the prediction; empty if that is not known.
        table: Contributions of the auxiliaries.
        scores: Region to its entry of `evaluation.json`, if the results were evaluated.
        rows: Rows of pictures.
        side_mm: Length of the pictures' sides, mm.
        note: Why there are no pictures; empty if there are.
    """

    result: StoredResult
    influence: tuple[ShareRow, ...]
    table: tuple[ShareRow, ...]
    scores: Mapping[str, Mapping[str, Any]]
    rows: tuple[TileRow, ...] = ()
    side_mm: float = 0.0
    note: str = ""


@dataclass(frozen=True)
class ReportRequest:
    """What a page is made of.

    Attributes:
        folder: Output folder of `segment`.
        images: Cases with their images; a case without is described without pictures.
        references: Label maps to draw beside the results, by case.
        chosen: Cases to show; empty for all.
        label_values: What the user says about the values of the references.
    """

    folder: Path
    images: Mapping[str, Case]
    references: Mapping[str, ImageFile] = field(default_factory=dict)
    chosen: tuple[str, ...] = ()
    label_values: str = ""


def write_segmentation_report(
    request: ReportRequest, *, output: Path | None = None, reporter: Reporter
) -> Path:
    """Write a page about a folder of results.

    The page holds everything that it needs and forbids itself any request. An `evaluation.json` in
    the folder is shown too. So that browsers can open it, only the first 60 cases have pictures.

    Args:
        request: What to show.
        output: The page; `None` for `report.html` in the folder.
        reporter: Notified of every case.

    Returns:
        The page.

    Raises:
        UsageError: If a file of that name is there that is no such page.
        CohortError: If there is no result, or the results are of several tasks.
        ModelError: If a result cannot be read.
        CrossModalError: If the page cannot be written.
    """
    path = request.folder / REPORT_NAME if output is None else output
    check_own_files({path: _is_page}, option="--output")
    results = _results(request)
    evaluation = read_evaluation(request.folder)
    pictured = {result.case_id for result in results[:MOST_PICTURED]}
    draw = PlannedStage("Draw results", len(results), 2.0)
    read = PlannedStage("Read label values", len(pictured), 0.5)
    reporter.plan(JobPlan("report", (read, draw)))
    maps = _references(request, [r for r in results if r.case_id in pictured], reporter)
    reporter.stage(draw.name, len(results))
    views = []
    for result in results:
        view = _view(result, evaluation)
        shows = result.case_id in pictured
        views.append(_drawn(view, request, maps) if shows else replace(view, note=_TOO_MANY))
        reporter.advance()
    check_own_files({path: _is_page}, option="--output")
    write_text(path, render(views, evaluation, request.folder.resolve().name))
    return path


def _is_page(data: bytes) -> bool:
    return any(mark in data[:4096] for mark in _PAGE_MARKS)


def render(views: Sequence[CaseView], evaluation: Mapping[str, Any], name: str) -> str:
    """Return the page as text."""
    task = views[0].result.task
    values = {
        "name": name,
        "task": task,
        "views": views,
        "evaluation": evaluation,
        "colors": {region.name: f"rgb{region.color}" for region in task.regions},
        "mean_influence": mean_influence([view.result for view in views]),
        "mean_table": mean_table([view.result for view in views]),
        "models": _models(views),
    }
    filters: dict[str, Callable[..., str]] = {
        "percent": lambda share: f"{100 * share:.0f} %",
        "short": short_number,
        "amount": lambda volume: f"{volume:.1f}" if volume >= 10 else f"{volume:.2f}",
        "ml": lambda volume: f"{volume:.1f} ml" if volume >= 10 else f"{volume:.2f} ml",
        "legend": lambda colors: ", ".join(f"#{color}" for color in COLORS[colors]),
    }
    return render_page(Path(__file__).with_name(TEMPLATE_NAME), values, filters=filters)


def share_table(
    entries: Sequence[Contribution] | Sequence[Influence], task: Task
) -> tuple[ShareRow, ...]:
    """Arrange contributions as rows of auxiliaries, in the task's order."""
    rows: dict[tuple[str, str], dict[str, Contribution | Influence]] = {}
    for subtask, auxiliary in task.pairs():
        rows.setdefault((auxiliary, subtask.primary), {})
    for entry in entries:
        rows[entry.auxiliary, entry.primary][entry.region] = entry
    return tuple(
        ShareRow(auxiliary, primary, cells) for (auxiliary, primary), cells in rows.items()
    )


def mean_table(results: Sequence[StoredResult]) -> tuple[ShareRow, ...]:
    """Return mean nats and share over the cases in which the region received information."""
    found: dict[tuple[str, str, str], list[Contribution]] = {}
    for result in results:
        for entry in result.contributions:
            key = (entry.region, entry.primary, entry.auxiliary)
            found.setdefault(key, []).append(entry)
    means = []
    for (region, primary, auxiliary), entries in found.items():
        given = [(entry.nats, entry.share) for entry in entries if entry.share is not None]
        nats = sum(n for n, _ in given) / len(given) if given else 0.0
        share = sum(s for _, s in given) / len(given) if given else None
        means.append(Contribution(region, primary, auxiliary, nats, share))
    return share_table(means, results[0].task)


def mean_influence(results: Sequence[StoredResult]) -> tuple[ShareRow, ...]:
    """Return mean milliliters, and the share of all changes together, over the cases."""
    found: dict[tuple[str, str, str], list[Influence]] = {}
    n_known = sum(bool(result.influences) for result in results)
    if not n_known:
        return ()
    for result in results:
        for entry in result.influences:
            found.setdefault((entry.region, entry.primary, entry.auxiliary), []).append(entry)
    sums = {
        key: (sum(e.added_ml for e in entries), sum(e.removed_ml for e in entries))
        for key, entries in found.items()
    }
    totals: dict[str, float] = {}
    for (region, _, _), (added, removed) in sums.items():
        totals[region] = totals.get(region, 0.0) + added + removed
    means = [
        Influence(
            *key,
            added_ml=added / n_known,
            removed_ml=removed / n_known,
            share=(added + removed) / totals[key[0]] if totals[key[0]] > 0 else None,
        )
        for key, (added, removed) in sums.items()
    ]
    return share_table(means, results[0].task)


def _references(
    request: ReportRequest, results: Sequence[StoredResult], reporter: Reporter
) -> LabelMaps | None:
    wanted = {r.case_id: r for r in results if r.case_id in request.images}
    files = {name: file for name, file in request.references.items() if name in wanted}
    if not files:
        return None
    return reference_maps(files, wanted[min(files)], request.label_values, reporter)


def _drawn(view: CaseView, request: ReportRequest, maps: LabelMaps | None) -> CaseView:
    case_id = view.result.case_id
    case = request.images.get(case_id)
    if case is None:
        return replace(view, note="Its images were not given, so there are no pictures.")
    try:
        reference = maps.read(case_id) if maps is not None and case_id in maps.files else None
        rows, side_mm = case_pictures(view.result, case, reference)
    except CohortError as error:
        return replace(view, note=f"No pictures: {error}")
    return replace(view, rows=rows, side_mm=side_mm)


def _view(result: StoredResult, evaluation: Mapping[str, Any]) -> CaseView:
    scores = {
        score["region"]: score
        for score in evaluation.get("scores", ())
        if score["case_id"] == result.case_id
    }
    influence = share_table(result.influences, result.task) if result.influences else ()
    return CaseView(result, influence, share_table(result.contributions, result.task), scores)


def _results(request: ReportRequest) -> list[StoredResult]:
    folder = request.folder
    results = read_results(folder)
    if not results:
        msg = (
            f"Expected results of `ciml-segmenter segment` in {folder}, found none. Check the path."
        )
        raise CohortError(msg)
    unknown = sorted(set(request.chosen) - {result.case_id for result in results})
    if unknown:
        msg = f"There is no result of {', '.join(unknown)} in {folder}. Correct --case."
        raise CohortError(msg)
    other = next((r for r in results if r.task != results[0].task), None)
    if other is not None:
        msg = (
            f"Expected results of one task in {folder}, found that of {results[0].case_id} and"
            f" another one in {other.case_id}. Put them into folders of their own."
        )
        raise CohortError(msg)
    return [r for r in results if not request.chosen or r.case_id in request.chosen]


def _models(views: Sequence[CaseView]) -> list[Mapping[str, object]]:
    models = [view.result.model for view in views]
    return [model for number, model in enumerate(models) if model not in models[:number]]
