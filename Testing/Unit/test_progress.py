from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from rich.console import Console

from MultimodalImagingLib.errors import CancelledError
from MultimodalImagingLib.jobs.job_clock import JobClock
from MultimodalImagingLib.jobs.job_log import LoggingReporter
from MultimodalImagingLib.jobs.job_plan import JobPlan, PlannedStage
from MultimodalImagingLib.jobs.progress import (
    JsonLinesReporter,
    NullReporter,
    Reporter,
    cancel_on_signals,
    check_cancelled,
)
from MultimodalImagingLib.jobs.terminal import TerminalReporter

SOURCE = Path(__file__).parents[2] / "MDALSelector"

JOB = """
import sys, time
from MultimodalImagingLib.errors import CancelledError
from MultimodalImagingLib.jobs.progress import JsonLinesReporter, cancel_on_signals
reporter = JsonLinesReporter(min_interval_s=0.0)
try:
    with cancel_on_signals():
        reporter.stage("Wait", 10_000)
        for _ in range(10_000):
            time.sleep(0.01)
            reporter.advance()
except CancelledError as error:
    reporter.error(str(error))
    sys.exit(error.exit_code)
"""


class Clock:
    """Time that passes only when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def events_of(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def terminal(*, is_terminal: bool) -> tuple[Console, io.StringIO]:
    stream = io.StringIO()
    return Console(file=stream, force_terminal=is_terminal, width=100), stream


def test_progress_is_one_json_object_per_line_with_the_agreed_keys() -> None:
    clock, stream = Clock(), io.StringIO()
    reporter = JsonLinesReporter(stream, clock=clock)
    reporter.stage("Prepare images", 4)
    clock.now += 2.0
    reporter.advance()
    reporter.warning("Zeile\nzwei β")
    reporter.error("no")
    reporter.info("yes")
    reporter.result({"run": "RUN", "n_cases": 3})
    stage = {"event": "progress", "stage": "Prepare images", "total": 4, "step": 1, "n_steps": None}
    assert events_of(stream) == [
        {**stage, "done": 0, "eta_s": None, "share": None},
        {**stage, "done": 1, "eta_s": 6.0, "share": None},
        {"event": "warning", "message": "Zeile\nzwei β"},
        {"event": "error", "message": "no"},
        {"event": "info", "message": "yes"},
        {"event": "result", "run": "RUN", "n_cases": 3},
    ]


def test_fast_steps_are_not_all_written_but_the_last_one_is() -> None:
    clock, stream = Clock(), io.StringIO()
    reporter = JsonLinesReporter(stream, min_interval_s=0.1, clock=clock)
    reporter.stage("Train", 1000)
    for _ in range(1000):
        clock.now += 0.001
        reporter.advance()
    done = [event["done"] for event in events_of(stream)]
    assert done[0] == 0
    assert done[-1] == 1000
    assert 8 <= len(done) <= 12


def test_a_reader_that_went_away_cancels_the_job() -> None:
    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    with pytest.raises(CancelledError, match="has ended"):
        JsonLinesReporter(Closed()).info("x")


def test_without_a_terminal_there_are_plain_lines_only() -> None:
    clock = Clock()
    console, stream = terminal(is_terminal=False)
    with TerminalReporter(console, clock=clock) as reporter:
        reporter.stage("Read", 30)
        for _ in range(30):
            clock.now += 1.0
            reporter.advance()
        reporter.warning("[bold]look[/bold]")
        reporter.error("failed")
        reporter.result({"output": "RUN", "bound": 0.5})
    assert stream.getvalue().splitlines() == [
        "Step 1 · time not known yet · read · 0 of 30",
        "Step 1 · about 20 s left · read · 10 of 30",
        "Step 1 · about 10 s left · read · 20 of 30",
        "Step 1 · time not known yet · read · 30 of 30",
        "Warning: [bold]look[/bold]",
        "Error: failed",
        "output: RUN",
        "bound: 0.5",
    ]


def test_a_line_within_a_stage_ends_after_eight_values() -> None:
    console, stream = terminal(is_terminal=False)
    with TerminalReporter(console) as reporter:
        reporter.stage("Train", 4)
        reporter.result({f"v{n}": n for n in range(8)})
        reporter.result({f"v{n}": n for n in range(11)})
    first, second = stream.getvalue().splitlines()[1:]
    assert first == ", ".join(f"v{n}: {n}" for n in range(8))
    assert second == f"{first}, and 3 more"


def test_a_terminal_gets_one_bar_over_all_stages_and_its_cursor_back() -> None:
    console, stream = terminal(is_terminal=True)
    with TerminalReporter(console) as reporter:
        reporter.plan(JobPlan("job", (PlannedStage("Read", 2, 1.0), PlannedStage("Train", 5, 1.0))))
        reporter.stage("Read", 2)
        reporter.advance(2)
        reporter.info("note")
        reporter.stage("Train", 5)
        reporter.part("window", 1, 4)
        reporter.advance(5)
    text = stream.getvalue()
    assert re.search(r"Step 1 of 2 · [^·]* · read · 0 of 2", text)
    assert re.search(r"Step 2 of 2 · [^·]* · train · 0 of 5", text)
    assert re.search(r"Step 2 of 2 · [^·]* · train · 5 of 5", text)
    assert text.count("\x1b[?25l") == 1  # one bar
    assert "\x1b[?25h" in text  # the cursor is back


def test_programs_are_told_the_place_the_share_and_the_time_of_the_whole_job() -> None:
    clock, stream = Clock(), io.StringIO()
    stages = (PlannedStage("Read", 2, 9.0), PlannedStage("Segment", 2, 9.0))
    plan = JobPlan("job", stages)
    job = JobClock({plan.key("Read"): 1.0, plan.key("Segment"): 4.0}, clock)
    reporter = JsonLinesReporter(stream, job=job, min_interval_s=0.0, clock=clock)
    reporter.plan(plan)
    reporter.stage("Read", 2)
    clock.now += 1.0
    reporter.advance()
    reporter.kept()
    reporter.stage("Segment", 2)
    clock.now += 2.0
    reporter.part("window", 1, 2)
    seen = [
        (e["step"], e["n_steps"], e["done"], e["eta_s"], e["share"], e.get("part"))
        for e in events_of(stream)
    ]
    assert seen == [
        (1, 2, 0, 10.0, 0.0, None),
        (1, 2, 1, 9.0, 0.1, None),
        (1, 2, 2, 8.0, 0.2, None),
        (2, 2, 0, 8.0, 0.2, None),
        (2, 2, 0, 6.0, 0.4, ["window", 1, 2]),
    ]


def test_a_result_within_a_stage_is_one_line_and_leaves_the_bar() -> None:
    stream = io.StringIO()
    with TerminalReporter(Console(file=stream, force_terminal=True, width=200)) as reporter:
        reporter.stage("Train", 4)
        reporter.advance(2)
        reporter.result({"step": 2, "loss": 0.123456789})
        reporter.advance(2)
    text = stream.getvalue()
    assert "step: 2, loss: 0.1235" in text
    assert "4 of 4" in text


def test_the_log_holds_stage_times_and_messages_and_passes_all_on(tmp_path: Path) -> None:
    clock, stream = Clock(), io.StringIO()
    inner = JsonLinesReporter(stream, clock=clock)
    with LoggingReporter(inner, tmp_path / "log.jsonl", clock=clock) as reporter:
        reporter.stage("Read", 2)
        clock.now += 1.5
        reporter.advance(2)
        reporter.warning("Case a: look")
        reporter.stage("Train", 1)
        clock.now += 2.0
        reporter.advance()
        reporter.result({"run": "RUN"})
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    read = {"event": "stage", "stage": "Read", "done": 2, "total": 2, "duration_s": 1.5}
    train = {"event": "stage", "stage": "Train", "done": 1, "total": 1, "duration_s": 2.0}
    assert lines == [
        {"time_s": 1.5, "event": "warning", "message": "Case a: look"},
        {"time_s": 1.5, **read},
        {"time_s": 3.5, "event": "result", "run": "RUN"},
        {"time_s": 3.5, **train},
    ]
    assert [event["event"] for event in events_of(stream)].count("progress") == 4


def test_the_log_says_why_a_job_ended_early(tmp_path: Path) -> None:
    def fail() -> None:
        with LoggingReporter(NullReporter(), tmp_path / "log.jsonl") as reporter:
            reporter.stage("Read", 2)
            message = "broken"
            raise ValueError(message)

    with pytest.raises(ValueError, match="broken"):
        fail()
    events = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [event["event"] for event in events] == ["failed", "stage"]
    assert (events[0]["error"], events[0]["message"]) == ("ValueError", "broken")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("kind", [NullReporter, JsonLinesReporter, TerminalReporter])
def test_a_signal_cancels_at_the_next_step_and_not_before(
    number: signal.Signals, kind: type[Reporter], capsys: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(number)
    finished = []

    def job(reporter: Reporter) -> None:
        with cancel_on_signals():
            reporter.stage("Read", 5)
            reporter.advance()
            os.kill(os.getpid(), number)
            finished.append("the case that was being written")
            reporter.advance()

    with pytest.raises(CancelledError):
        job(kind())
    assert finished
    assert signal.getsignal(number) is before
    check_cancelled()  # a later job is not cancelled


def test_a_second_signal_stops_at_once() -> None:
    def job() -> None:
        with cancel_on_signals():
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
            pytest.fail("went on after the second signal")

    with pytest.raises(CancelledError):
        job()


def test_outside_the_main_thread_signals_are_left_alone() -> None:
    seen = []

    def work() -> None:
        with cancel_on_signals():
            seen.append(signal.getsignal(signal.SIGTERM))

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]


def test_a_terminated_job_ends_with_code_130_and_whole_lines() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", JOB],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    first = process.stdout.readline()
    process.terminate()
    rest, _ = process.communicate(timeout=120)
    events = [json.loads(line) for line in [first, *rest.splitlines()]]
    assert process.returncode == 130
    assert events[-1]["event"] == "error"
    assert "cancelled" in events[-1]["message"]
