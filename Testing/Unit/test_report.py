"""The page for the user: complete, self-contained, safe, the same every time."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from example_selection import example_scores, example_selection, write_example_run
from html_ids import repeated_ids

from MDALSelectorLib.__main__ import main
from MDALSelectorLib.case_flags import Flag
from MDALSelectorLib.report import page as page_module
from MDALSelectorLib.report.figures import (
    plotly_script,
    pmi_html,
    scatter_html,
    shown_range,
    state_text,
)
from MDALSelectorLib.report.page import (
    flattened,
    number,
    render_report,
    table_rows,
    write_report,
)
from MDALSelectorLib.selection.case_selection import LEAST_AGREEMENT, CaseSelection
from MDALSelectorLib.selection.run_folder import write_selection
from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.jobs.texts import counted, decimals, joined


class Page(HTMLParser):
    """All tags with attributes, the text of each case's row, and all text outside scripts."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.rows: dict[str, str] = {}
        self.text = ""
        self._row: str | None = None
        self._is_code = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.tags.append((tag, attributes))
        self._is_code = tag in ("script", "style")
        if tag == "tr":
            self._row = attributes.get("data-case")

    def handle_endtag(self, tag: str) -> None:
        self._is_code = False
        self.text += " " if tag in ("td", "th") else ""
        if tag == "tr":
            self._row = None

    def handle_data(self, data: str) -> None:
        if self._is_code:
            return
        self.text += data
        if self._row is not None:
            self.rows[self._row] = self.rows.get(self._row, "") + data

    def attributes(self, *names: str) -> list[str]:
        return [a[name] or "" for _, a in self.tags for name in names if name in a]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    write_example_run(folder)
    return folder


@pytest.fixture(scope="module")
def selection() -> CaseSelection:
    return example_selection()


@pytest.fixture(scope="module")
def page_text(run: Path) -> str:
    return write_report(run).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(page_text: str) -> Page:
    return Page(page_text)


def test_no_two_elements_share_an_identifier(page_text: str) -> None:
    assert not repeated_ids(page_text)


def traces(plot: str) -> list[dict[str, Any]]:
    """The traces that the page hands to plotly."""
    start = plot.index("[", plot.index("Plotly.newPlot("))
    found: list[dict[str, Any]] = json.JSONDecoder().raw_decode(plot, start)[0]
    return found


def test_the_page_refers_to_nothing_outside_itself(page: Page, page_text: str) -> None:
    for value in page.attributes("src", "srcset", "poster", "action", "data", "background"):
        assert value.startswith("data:image/png;base64,")
    assert all(value.startswith("#") for value in page.attributes("href"))
    assert not {tag for tag, _ in page.tags} & {"link", "iframe", "object", "embed", "base", "form"}
    assert not any("refresh" in value.lower() for value in page.attributes("http-equiv"))
    own = page_text.replace(plotly_script(), "")
    assert len(own) < len(page_text) - 1_000_000  # the bundle really was in it, and whole
    assert "://" not in own
    assert "url(" not in own
    assert "@import" not in own
    assert not re.search(r"\b(fetch|XMLHttpRequest|WebSocket|sendBeacon|import)\s*\(", own)


def test_the_page_forbids_itself_every_request(page: Page) -> None:
    policy = next(
        attributes["content"]
        for tag, attributes in page.tags
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy is not None
    assert "default-src 'none'" in policy
    assert "http" not in policy


def test_plots_offer_no_upload(page_text: str) -> None:
    config = page_text[page_text.index('"displaylogo"') - 2 :][:400]
    assert '"displaylogo": false' in config
    assert '"showSendToCloud": false' in config
    assert "plot.ly" not in config


def test_the_same_run_gives_the_same_page(run: Path, page_text: str) -> None:
    assert write_report(run).read_text(encoding="utf-8") == page_text


def test_every_case_has_its_row_with_state_numbers_and_reason(
    page: Page, selection: CaseSelection
) -> None:
    assert list(page.rows) == [case.case_id for case in selection.cases]
    for case in selection.cases:
        row = page.rows[case.case_id]
        assert state_text(case.state) in row
        assert case.reason in row
        assert number(case.modality_difference) in row
        for value in case.pmi.values():
            assert number(value) in row
        for flag in case.flags:
            assert flag.reason.rstrip(".") in row


def test_suggested_cases_stand_out_by_words_and_by_color(page: Page) -> None:
    marked = [a for tag, a in page.tags if tag == "tr" and a.get("class") == "case suggested"]
    assert len(marked) == 11
    assert sum("★ suggested" in text for text in page.rows.values()) == 11
    assert sum("⚠ check pairing" in text for text in page.rows.values()) == 2


def test_every_suggested_and_flagged_case_has_its_picture(
    page: Page, run: Path, selection: CaseSelection
) -> None:
    shown = [*selection.suggested, *selection.to_check]
    images = [attributes for tag, attributes in page.tags if tag == "img"]
    assert len(images) == len(shown) == 13
    for case, image in zip(shown, images, strict=True):
        data = base64.b64decode((image["src"] or "").removeprefix("data:image/png;base64,"))
        assert data == (run / "thumbnails" / f"{case.case_id}.png").read_bytes()
        assert case.case_id in (image["alt"] or "")


def test_links_inside_the_page_lead_somewhere(page: Page) -> None:
    targets = {f"#{value}" for value in page.attributes("id")}
    assert len(page.attributes("id")) == len(targets)  # no id twice
    assert {*page.attributes("href")} <= targets


def test_the_page_says_what_a_reader_must_know(page: Page, selection: CaseSelection) -> None:
    text = " ".join(page.text.split())
    for part in (
        "Soft tissue example: which cases to label next",
        "51 cases with CT, PET and T1",
        "20% of 51 cases, rounded up: 11 cases",
        selection.trust.sentence,
        "is the hypothesis of MDAL (Wang et al., 2025), not a fact",
        "A rare finding that all modalities show alike gets a high PMI",
        "one random draw proves nothing",
        "this program's reading of them",
        "not for clinical use",
        "case-005: T1 is missing.",
        "T1 covers only 71% of the CT",
        "Two random choices share 2.6 on average",
    ):
        assert part in text


def test_a_card_says_in_words_where_the_modalities_agree_least(page: Page) -> None:
    first = example_selection().suggested[0]
    text = " ".join(page.text.split())
    value = decimals(first.measures[LEAST_AGREEMENT], 1)
    said = re.findall(r"Where they agree least: .*? of the 50 other cases \((\S+) nats", text)
    assert len(said) == len(example_selection().suggested) + len(example_selection().to_check)
    assert said[0] == value
    assert "Least agreement" in text


def test_diagnostics_settings_and_versions_are_in_the_page(page: Page) -> None:
    text = " ".join(page.text.split())
    for part in (
        "Held-out bound, gaussian 0.62 nats",
        "Held-out bound, contrastive 0.45 nats",
        "What pairs of different patients reach 0.08 nats",
        "Repeatability r12 0.47",
        "Agreement of the estimators 0.58",
        "5 folds \N{MULTIPLICATION SIGN} 3",
        "estimation.n_folds 5",
        "preprocessing.spacing_mm 3.3, 3.3, 3.3",
        "version of numpy 2.0.0",
    ):
        assert part in text


def test_the_overlap_of_strategies_is_a_table_of_numbers(
    page: Page, selection: CaseSelection
) -> None:
    comparison = selection.comparison
    assert comparison is not None
    text = " ".join(page.text.split())
    for name, row, radius, mean in zip(
        comparison.strategies,
        comparison.n_shared,
        comparison.coverage_radius,
        comparison.mean_difference,
        strict=True,
    ):
        used = " (used)" if name == "DiverseMD" else ""
        numbers = " ".join([*map(str, row), number(radius), number(mean)])
        assert f"{name}{used} {numbers}" in text


def test_the_scatter_holds_every_scored_case_at_its_place(selection: CaseSelection) -> None:
    found = {}
    for trace in traces(scatter_html(selection)):
        for name, rank, x, y in zip(
            trace["text"], trace["customdata"], trace["x"], trace["y"], strict=True
        ):
            found[rank] = (name, trace["name"], x, y)
    assert len(found) == 51
    low, high = shown_range([case.modality_difference or 0.0 for case in selection.cases])
    for case in selection.cases:
        name, state, x, y = found[case.rank]
        assert (name, state) == (case.case_id, state_text(case.state))
        assert x == pytest.approx(case.components[0], abs=1e-5)
        assert y == pytest.approx(min(max(case.modality_difference or 0.0, low), high), abs=1e-5)


def test_states_are_shown_in_one_spelling_whatever_runs_call_them(page: Page) -> None:
    assert "unlabeled" in page.text
    assert "labelled" not in page.text


def test_states_differ_by_symbol_as_well_as_by_color(selection: CaseSelection) -> None:
    markers = [trace["marker"] for trace in traces(scatter_html(selection))]
    assert len({marker["symbol"] for marker in markers}) == len(markers) == 4
    assert len({marker["color"] for marker in markers}) == 4


def test_the_boxes_are_the_quartiles_of_each_pair(selection: CaseSelection) -> None:
    found = traces(pmi_html(selection))
    boxes = [trace for trace in found if trace["type"] == "box"]
    assert len(boxes) == 3
    for box, pair in zip(boxes, selection.pairs, strict=True):
        values = [case.pmi[pair] for case in selection.cases if pair in case.pmi]
        low, middle, high = np.percentile(values, (25, 50, 75))
        assert [box["q1"][0], box["median"][0], box["q3"][0]] == pytest.approx(
            [low, middle, high], abs=1e-5
        )
        inside = [v for v in values if low - 1.5 * (high - low) <= v <= high + 1.5 * (high - low)]
        assert box["lowerfence"][0] == pytest.approx(min(inside), abs=1e-5)
        assert box["upperfence"][0] == pytest.approx(max(inside), abs=1e-5)
    points = [trace for trace in found if trace["type"] == "scatter"]
    n_values = sum(len(case.pmi) for case in selection.cases)
    assert sum(len(trace["y"]) for trace in points) == n_values == 51 * 3 - 6


def test_names_cannot_smuggle_markup_into_the_page(
    tmp_path: Path, selection: CaseSelection
) -> None:
    evil = "</script><script>alert('x')</script><img src=x onerror=y>\"'&"
    first = replace(
        selection.cases[0],
        case_id=evil,
        patient_id=evil,
        reason=evil,
        flags=(Flag(evil, evil),),
        thumbnail=None,
    )
    changed = replace(
        selection,
        cohort=evil,
        cases=(first, *selection.cases[1:]),
        problems=(evil,),
        configuration={evil: evil},
        versions={evil: evil},
    )
    write_selection(tmp_path, changed)
    text = write_report(tmp_path).read_text(encoding="utf-8")
    own = text.replace(plotly_script(), "")
    assert "<script>alert" not in own
    assert "<img src=x" not in own
    page = Page(text)
    assert sum(tag == "script" for tag, _ in page.tags) == 4  # plotly, two plots, ours
    assert evil in page.rows
    assert not page.attributes("onerror")


def test_a_replaced_strategy_is_announced(tmp_path: Path) -> None:
    scores = example_scores(bound_nats=0.03)
    changed = example_selection(scores=scores)
    text = " ".join(Page(render_report(tmp_path, changed)).text.split())
    assert "DiverseMD was asked for, TypiClust was used." in text
    assert "There is too little cross-modal signal to rank by." in text
    assert "it chooses the most typical case of every group of similar cases" in text


def test_without_flagged_incomplete_and_labelled_cases_their_parts_are_left_out(
    tmp_path: Path,
) -> None:
    scores = replace(example_scores(), flags={}, labelled=frozenset())
    changed = replace(example_selection(scores=scores), problems=(), comparison=None)
    text = Page(render_report(tmp_path, changed)).text
    assert "Check the pairing first" not in text
    assert "Incomplete cases" not in text
    assert "Problems of the cohort" not in text
    assert "What other strategies would choose" not in text


def test_a_run_in_which_nothing_could_be_scored_has_a_page(tmp_path: Path) -> None:
    scores = example_scores()
    for array in (scores.pmi_nats, scores.z, scores.modality_difference):
        array[:] = np.nan
    pairs = tuple(
        replace(pair, is_used=False, median_nats=None, bound_nats=None, note="too few cases")
        for pair in scores.diagnostics.pairs
    )
    diagnostics = replace(
        scores.diagnostics, bounds_nats={}, pairs=pairs, r12_disjoint=None, r12_repeats=None
    )
    changed = example_selection(scores=replace(scores, diagnostics=diagnostics))
    text = Page(render_report(tmp_path, changed)).text
    assert "no: too few cases" in text
    assert "nan" not in text.lower().split()


def test_a_picture_that_is_gone_or_broken_is_left_out(tmp_path: Path) -> None:
    write_example_run(tmp_path)
    pictures = sorted((tmp_path / "thumbnails").iterdir())
    pictures[0].unlink()
    pictures[1].write_bytes(b"<svg onload=alert(1)>")
    page = Page(write_report(tmp_path).read_text(encoding="utf-8"))
    assert sum(tag == "img" for tag, _ in page.tags) == 11
    assert page.text.count("No picture of this case in the run.") == 2


def test_one_pair_and_one_patient_per_case_make_a_small_table(tmp_path: Path) -> None:
    selection = example_selection()
    cases = tuple(replace(case, patient_id=case.case_id) for case in selection.cases)
    text = render_report(tmp_path, replace(selection, cases=cases))
    assert "Patient</button>" not in text


def test_the_command_writes_the_page_and_reports_where(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = run / "report.html"
    page.unlink(missing_ok=True)
    assert main(["report", str(run), "--events"]) == 0
    assert json.loads(capsys.readouterr().out)["report"] == str(page)
    assert page.is_file()


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match=r"no .*selection\.json"):
        write_report(tmp_path)
    assert not list(tmp_path.iterdir())


def test_bars_and_shades_follow_the_numbers(selection: CaseSelection) -> None:
    rows = table_rows(selection)
    bars = {row.case.case_id: row.bars.get("modality_difference") for row in rows}
    assert bars["case-031"] == 100.0  # the largest modality difference
    assert min(bar for bar in bars.values() if bar is not None) == 0.0
    for row in rows:
        for pair, z in row.case.z.items():
            assert row.shades[pair] == round(min(max(-z / 3, 0), 1) * 100)


def test_numbers_are_written_as_in_print() -> None:
    assert [number(value) for value in (1.234, -0.5, -0.001, None)] == [
        "1.23",
        "\N{MINUS SIGN}0.50",
        "0.00",
        "\N{EN DASH}",
    ]
    assert [counted(n, "case") for n in (0, 1, 2)] == ["0 cases", "1 case", "2 cases"]
    assert [joined(["a", "b", "c"][:n]) for n in range(4)] == ["", "a", "a and b", "a, b and c"]


def test_nested_settings_are_listed_by_their_full_names() -> None:
    settings = {"b": {"y": [1, 2], "x": {"z": None}}, "a": True}
    assert list(flattened(settings)) == [("a", "True"), ("b.x.z", "None"), ("b.y", "1, 2")]


def test_the_report_names_no_command_that_does_not_exist() -> None:
    from MDALSelectorLib.__main__ import build_parser

    template = Path(page_module.__file__).with_name(page_module.TEMPLATE_NAME)
    named = set(re.findall(r"mdal-selector (\w+)", template.read_text(encoding="utf-8")))
    (commands,) = (a.choices for a in build_parser()._actions if a.dest == "command" or a.choices)
    assert named <= set(commands)


def test_two_outliers_do_not_flatten_the_plots_and_keep_their_label() -> None:
    usual = np.random.default_rng(0).normal(size=50)
    low, high = shown_range([*usual, 11.0, 13.0])
    assert low == pytest.approx(usual.min())
    assert high == pytest.approx(usual.max() + 0.25 * np.ptp(usual))
    assert shown_range([2.0, 2.0, 2.0, 5.0]) == (2.0, 5.0)
    assert shown_range(list(usual)) == (usual.min(), usual.max())
