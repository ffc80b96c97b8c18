"""One self-contained HTML page about the results of a folder. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from CIMLSegmentLib.evaluation_files import JSON_FILE
from CIMLSegmentLib.json_entry import read_json
from CIMLSegmentLib.map_pictures import legend_stops, region_colors
from CIMLSegmentLib.report_pictures import TileRow, case_pictures, short_number
from CIMLSegmentLib.result import Contribution
from CIMLSegmentLib.stored_result import StoredResult, find_results, read_result
from CIMLSegmentLib.task import Task
from MultimodalImagingLib.atomic_files import write_text
from MultimodalImagingLib.cases import Case
from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.progress import Reporter

if TYPE_CHECKING:
    from jinja2 import Environment

REPORT_NAME = "report.html"
TEMPLATE_NAME = "segmentation_report.html.j2"


@dataclass(frozen=True)
class ShareRow:
    """What one auxiliary told one primary, per region.

    Attributes:
        auxiliary: The modality that told.
        primary: The modality that listened.
        cells: Region to nats and share; a region that the primary does not segment is not in it.
    """

    auxiliary: str
    primary: str
    cells: Mapping[str, Contribution]


@dataclass(frozen=True)
class CaseView:
    """One case on the page.

    Attributes:
        result: Its result.
        rows: Rows of pictures.
        side_mm: Length of the pictures' sides, mm.
        table: Who told what.
        scores: Region to Dice, if the results were evaluated.
        note: Why there are no pictures; empty if there are.
    """

    result: StoredResult
    rows: tuple[TileRow, ...]
    side_mm: float
    table: tuple[ShareRow, ...]
    scores: Mapping[str, float]
    note: str = ""


def write_segmentation_report(
    folder: Path, cases: Mapping[str, Case], *, reporter: Reporter
) -> Path:
    """Write `report.html` into a folder of results.

    The page holds everything that it needs and forbids itself any request. An `evaluation.json` in
    the folder is shown too.

    Args:
        folder: Output folder of `segment`.
        cases: The images, by case; a case without images is described without pictures.
        reporter: Told of every case.

    Returns:
        The page.

    Raises:
        CohortError: If there is no result, or the results are of several tasks.
        ModelError: If a result cannot be read.
        CrossModalError: If the page cannot be written.
    """
    results = [read_result(path) for path in find_results(folder)]
    _check(results, folder)
    evaluation = _evaluation(folder)
    reporter.stage("draw", len(results))
    views = []
    for result in results:
        views.append(_view(result, cases.get(result.case_id), evaluation))
        reporter.advance()
    path = folder / REPORT_NAME
    write_text(path, render(views, evaluation, folder.resolve().name))
    return path


def render(views: Sequence[CaseView], evaluation: Mapping[str, Any], name: str) -> str:
    """Return the page as text."""
    task = views[0].result.task
    return str(
        _environment()
        .get_template(TEMPLATE_NAME)
        .render(
            name=name,
            task=task,
            views=views,
            evaluation=evaluation,
            colors=region_colors(task),
            mean_table=mean_table([view.result for view in views]),
            models=_models(views),
        )
    )


def share_table(entries: Sequence[Contribution], task: Task) -> tuple[ShareRow, ...]:
    """Arrange contributions as rows of auxiliaries, in the task's order."""
    rows: dict[tuple[str, str], dict[str, Contribution]] = {}
    for subtask, auxiliary in task.pairs():
        rows.setdefault((auxiliary, subtask.primary), {})
    for entry in entries:
        rows[entry.auxiliary, entry.primary][entry.region] = entry
    return tuple(
        ShareRow(auxiliary, primary, cells) for (auxiliary, primary), cells in rows.items()
    )


def mean_table(results: Sequence[StoredResult]) -> tuple[ShareRow, ...]:
    """Return mean nats and share over the cases in which something was told about the region."""
    found: dict[tuple[str, str, str], list[Contribution]] = {}
    for result in results:
        for entry in result.contributions:
            key = (entry.region, entry.primary, entry.auxiliary)
            found.setdefault(key, []).append(entry)
    means = []
    for (region, primary, auxiliary), entries in found.items():
        told = [(entry.nats, entry.share) for entry in entries if entry.share is not None]
        nats = sum(n for n, _ in told) / len(told) if told else 0.0
        share = sum(s for _, s in told) / len(told) if told else None
        means.append(Contribution(region, primary, auxiliary, nats, share))
    return share_table(means, results[0].task)


def _view(result: StoredResult, case: Case | None, evaluation: Mapping[str, Any]) -> CaseView:
    rows: tuple[TileRow, ...] = ()
    side, note = 0.0, ""
    if case is None:
        note = "Its images were not given, so there are no pictures."
    else:
        try:
            rows, side = case_pictures(result, case)
        except CohortError as error:
            note = f"No pictures: {error}"
    scores = {
        score["region"]: float(score["dice"])
        for score in evaluation.get("scores", ())
        if score["case_id"] == result.case_id
    }
    table = share_table(result.contributions, result.task)
    return CaseView(result, rows, side, table, scores, note)


def _check(results: Sequence[StoredResult], folder: Path) -> None:
    if not results:
        msg = (
            f"Expected results of `ciml-segmenter segment` in {folder}, found none. Check the path."
        )
        raise CohortError(msg)
    other = next((r for r in results if r.task != results[0].task), None)
    if other is not None:
        msg = (
            f"Expected results of one task in {folder}, found that of {results[0].case_id} and"
            f" another one in {other.case_id}. Put them into folders of their own."
        )
        raise CohortError(msg)


def _evaluation(folder: Path) -> Mapping[str, Any]:
    path = folder / JSON_FILE
    content = read_json(path) if path.is_file() else {}
    return content if isinstance(content, dict) else {}


def _models(views: Sequence[CaseView]) -> list[Mapping[str, object]]:
    models: list[Mapping[str, object]] = []
    for view in views:
        if view.result.model not in models:
            models.append(view.result.model)
    return models


def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent, encoding="utf-8"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = lambda share: f"{100 * share:.0f} %"
    environment.filters["short"] = short_number
    environment.filters["ml"] = _ml
    environment.filters["legend"] = lambda colors: ", ".join(legend_stops(colors))
    return environment


def _ml(volume: float) -> str:
    return f"{volume:.1f} ml" if volume >= 10 else f"{volume:.2f} ml"
