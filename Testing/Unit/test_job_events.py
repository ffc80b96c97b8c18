"""Lines of a child process: whole ones, halves, floods, and what only looks like an event."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from MultimodalImagingLib.jobs.progress import JsonLinesReporter
from MultimodalWidgetsLib import job_events
from MultimodalWidgetsLib.job_events import (
    LineReader,
    LogLine,
    Message,
    Progress,
    Result,
    parse_line,
)


@given(st.lists(st.text(st.characters(exclude_characters="\r\n", exclude_categories=("Cs",)))))
def test_lines_come_out_whole_however_the_bytes_are_cut(lines: list[str]) -> None:
    data = "".join(line + "\n" for line in lines).encode()
    for size in (1, 2, 3, 7, len(data) + 1):
        reader = LineReader()
        pieces = [data[start : start + size] for start in range(0, len(data), size)]
        assert [line for piece in pieces for line in reader.feed(piece)] == lines
        assert reader.close() == []


def test_the_last_line_needs_no_end() -> None:
    reader = LineReader()
    assert reader.feed(b"one\ntw") == ["one"]
    assert reader.feed(b"o") == []
    assert reader.close() == ["two"]
    assert reader.close() == []


def test_of_a_progress_bar_only_the_last_state_is_a_line() -> None:
    assert LineReader().feed(b" 10%|#   |\r 20%|##  |\r100%|####|\n") == ["100%|####|"]


def test_windows_line_ends_are_no_progress_bars() -> None:
    assert LineReader().feed(b"one\r\ntwo\r\n") == ["one", "two"]


def test_bytes_that_are_no_text_do_not_stop_the_reader() -> None:
    assert LineReader().feed(b"\xff\xfe ok\n") == ["�� ok"]


def test_an_endless_line_is_handed_out_before_it_fills_the_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(job_events, "MAX_LINE_CHARACTERS", 1000)
    reader = LineReader()
    assert reader.feed(b"x" * 1000) == []
    assert [len(line) for line in reader.feed(b"x")] == [1001]


def test_a_result_of_some_megabytes_is_one_event() -> None:
    content = {"cases": [{"case": f"Case {index}", "text": "x" * 900} for index in range(5000)]}
    data = (json.dumps({"event": "result", **content}) + "\n").encode()
    reader = LineReader()
    chunks = [data[start : start + 65536] for start in range(0, len(data), 65536)]
    [line] = [line for chunk in chunks for line in reader.feed(chunk)]
    assert parse_line(line) == Result(content)


def test_what_our_reporter_writes_is_understood() -> None:
    stream = io.StringIO()
    now = iter(range(100))
    reporter = JsonLinesReporter(stream, clock=lambda: float(next(now)))
    reporter.stage("Read images", 2)
    reporter.advance()
    reporter.advance()
    reporter.info("Fine.")
    reporter.warning("Look at case ü.")
    reporter.error("It failed.")
    reporter.result({"output": "/data/run", "n": 3})
    events = [parse_line(line) for line in stream.getvalue().splitlines()]
    assert isinstance(events[0], Progress)
    assert (events[0].stage, events[0].done, events[0].total) == ("Read images", 0, 2)
    assert (events[0].eta_s, events[0].step, events[0].n_steps) == (None, 1, 0)
    assert isinstance(events[2], Progress)
    assert (events[2].done, events[2].eta_s) == (2, None)
    assert events[3:6] == [
        Message("info", "Fine."),
        Message("warning", "Look at case ü."),
        Message("error", "It failed."),
    ]
    assert events[6] == Result({"output": "/data/run", "n": 3})


@pytest.mark.parametrize(
    "line",
    [
        "",
        "Epoch 3",
        "{",
        "{}",
        '{"event": "unheard-of"}',
        '{"event": "progress"}',
        '{"event": "progress", "stage": "a", "done": "1", "total": 2, "eta_s": null}',
        '{"event": "progress", "stage": "a", "done": 1, "total": 2, "eta_s": "soon"}',
        '{"event": "progress", "stage": "a", "done": 1, "total": 2, "step": "first"}',
        '{"event": "progress", "stage": "a", "done": 1, "total": 2, "share": "half"}',
        '{"event": "progress", "stage": "a", "done": 1, "total": 2, "part": ["window", 1]}',
        '{"event": "error"}',
        "{'event': 'result'}",
        "[1, 2]",
        "{[]}",
        '{"event": ' * 50_000,
    ],
    ids=lambda line: line[:40],
)
def test_what_only_looks_like_an_event_is_log(line: str) -> None:
    assert parse_line(line) == LogLine(line)


def test_an_unknown_number_of_steps_is_handed_over() -> None:
    line = json.dumps({"event": "progress", "stage": "a", "done": 5, "total": 0, "eta_s": None})
    event = parse_line(line)
    assert isinstance(event, Progress)
    assert (event.done, event.total) == (5, 0)
