"""Jobs in child processes: what they say, how they end, and the line that they wait in."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

PRELUDE = """
import json, os, signal, subprocess, sys, time
def say(**event):
    sys.stdout.write(json.dumps(event) + "\\n"); sys.stdout.flush()
"""

PATIENCE_S = 60.0  # for what takes less than a second on an idle computer


@pytest.fixture
def make_job(host, monkeypatch, tmp_path):
    """Return a function that makes a job from the source of a program."""
    from MultimodalWidgetsLib import background_process, child_python

    def environment():
        found = child_python.childEnvironment()
        found.insert("PYTHONPATH", f"{tmp_path}{os.pathsep}{found.value('PYTHONPATH')}")
        return found

    monkeypatch.setattr(background_process, "childEnvironment", environment)
    made = []

    def make(source: str, *arguments: str, owner: str = "Test"):
        name = f"job{len(made)}"
        (tmp_path / f"{name}.py").write_text(PRELUDE + source, encoding="utf-8")
        job = background_process.BackgroundProcess([name, *arguments], title=name, owner=owner)
        made.append(job)
        return job

    yield make
    for job in reversed(made):
        job.killNow()


@pytest.fixture
def queue(host):
    from MultimodalWidgetsLib.job_queue import JobQueue

    return JobQueue()


@pytest.fixture
def run(queue, wait_until):
    """Return a function that runs a job to its end and returns its state."""

    def run(job, timeout=PATIENCE_S):
        queue.submit(job)
        wait_until(lambda: job.state.isOver, timeout)
        return job.state.value

    return run


def recorded(job):
    """Lists of what the signals of a job emit."""
    events = {"progress": [], "message": [], "log": [], "state": []}
    job.progressed.connect(lambda _job, value: events["progress"].append(value))
    job.messaged.connect(lambda _job, value: events["message"].append(value))
    job.logged.connect(lambda _job, value: events["log"].append(value))
    job.stateChanged.connect(lambda job: events["state"].append(job.state.value))
    return events


def family(pid):
    from MultimodalWidgetsLib.process_tree import process_tree

    return [process.pid for process in process_tree(pid)]


def alive(pids):
    return [pid for pid in pids if family(pid)]


def test_everything_that_a_job_says_arrives_in_order(make_job, run):
    job = make_job(
        """
print("log before")
say(event="progress", stage="Read", done=1, total=2, eta_s=3.5)
say(event="warning", message="Look at ü.")
say(event="progress", stage="Read", done=2, total=2, eta_s=0.0)
say(event="result", run="/data/run", n=3)
print("log after", file=sys.stderr)
"""
    )
    events = recorded(job)
    assert run(job) == "done"
    assert [(p.stage, p.done, p.eta_s) for p in events["progress"]] == [
        ("Read", 1, 3.5),
        ("Read", 2, 0.0),
    ]
    assert [(m.level, m.text) for m in events["message"]] == [("warning", "Look at ü.")]
    assert sorted(events["log"]) == ["log after", "log before"]
    assert events["state"] == ["running", "done"]
    assert job.result == {"run": "/data/run", "n": 3}
    assert job.errorMessage == ""


def test_half_lines_and_bytes_that_are_no_text_are_survived(make_job, run):
    job = make_job(
        """
out = sys.stdout.buffer
for piece in (b'{"event": "resu', b'lt", "text": "\\xc3', b'\\xbc"}\\n', b"\\xff\\xfe no text\\n",
              b'{"event": "progress"}\\n', b"last line without end"):
    out.write(piece); out.flush(); time.sleep(0.05)
"""
    )
    assert run(job) == "done"
    assert job.result == {"text": "ü"}
    assert list(job.log) == ["�� no text", '{"event": "progress"}', "last line without end"]


def test_a_flood_of_lines_does_not_stop_the_window(make_job, queue, wait_until):
    import qt
    import slicer

    job = make_job('for i in range(30000): print(f"line {i} " + "x" * 60)')
    queue.submit(job)
    gaps, last = [], [time.thread_time()]  # of this thread alone: others may be busy

    def beat():
        now = time.thread_time()
        gaps.append(now - last[0])
        last[0] = now

    timer = qt.QTimer()
    timer.setInterval(0)
    timer.connect("timeout()", beat)
    timer.start()
    while not job.state.isOver:
        slicer.app.processEvents()
    timer.stop()
    assert job.state.value == "done"
    assert job.log[-1].startswith("line 29999 ")
    assert max(gaps) < 0.1, f"The event loop stood still for {max(gaps):.3f} s."


def test_a_failed_job_tells_the_reason_that_it_gave(make_job, run):
    job = make_job(
        """
say(event="error", message="Case 3 has no PET. Add it.")
print("Traceback: deep inside", file=sys.stderr)
sys.exit(2)
"""
    )
    assert run(job) == "failed"
    assert job.errorMessage == "Case 3 has no PET. Add it."
    report = job.report()
    for part in ("python -m job0", "Exit code: 2", "Case 3 has no PET", "deep inside"):
        assert part in report


def test_a_job_that_gives_no_reason_is_told_by_its_last_words(make_job, run):
    job = make_job("raise ValueError('7 channels')")
    assert run(job) == "failed"
    assert job.errorMessage.startswith("The job 'job0' ended with exit code 1.")
    assert job.errorMessage.endswith("ValueError: 7 channels")


def test_a_job_that_the_system_ends_has_failed(make_job, run):
    job = make_job("os.kill(os.getpid(), signal.SIGKILL)")
    assert run(job) == "failed"
    assert job.errorMessage


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_job_whose_program_is_ended_from_outside_is_told_so(make_job, queue, wait_until):
    job = make_job("print('nearly done', file=sys.stderr, flush=True); time.sleep(60)")
    queue.submit(job)
    wait_until(lambda: "nearly done" in job.log)
    program = job._process.processId()
    for pid in sorted(family(program), key=lambda pid: pid != program):
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: job.state.isOver, PATIENCE_S)
    assert job.state.value == "failed"
    assert job.errorMessage == "The job 'job0' was ended from outside. nearly done"


def test_a_python_that_is_not_there_is_told(make_job, run, monkeypatch):
    from MultimodalWidgetsLib import background_process

    def absent():
        msg = "Slicer's Python was expected at /nowhere, but it is not there. Reinstall Slicer."
        raise RuntimeError(msg)

    monkeypatch.setattr(background_process, "pythonExecutable", absent)
    job = make_job("")
    assert run(job) == "failed"
    assert "Reinstall Slicer" in job.errorMessage


def test_a_program_that_cannot_be_started_is_told(make_job, run, monkeypatch):
    from MultimodalWidgetsLib import background_process

    monkeypatch.setattr(background_process, "pythonExecutable", lambda: "/nowhere/PythonSlicer")
    job = make_job("")
    assert run(job) == "failed"
    assert job.errorMessage


def test_children_see_our_packages_and_neither_the_folder_nor_foreign_ones(make_job, run):
    job = make_job("say(event='result', path=sys.path, cwd=os.getcwd())")
    run(job)
    ours = str(Path(__file__).parents[2] / "MDALSelector")
    assert ours in job.result["path"]
    assert job.result["cwd"] not in job.result["path"]
    assert "" not in job.result["path"]


def test_cancel_lets_a_job_end_by_itself(make_job, queue, wait_until, tmp_path, monkeypatch):
    from MultimodalWidgetsLib import background_process

    monkeypatch.setattr(background_process, "GRACE_MS", 1000 * PATIENCE_S)  # a busy computer
    job = make_job(
        """
def stop(*_):
    open(sys.argv[1], "w").write("tidy"); sys.exit(130)
signal.signal(signal.SIGTERM, stop)
say(event="progress", stage="Work", done=0, total=9, eta_s=None)
time.sleep(60)
""",
        str(tmp_path / "mark"),
    )
    queue.submit(job)
    wait_until(lambda: job.progress is not None)
    job.cancel()
    assert job.state.value == "cancelling"
    wait_until(lambda: job.state.isOver, PATIENCE_S)
    assert job.state.value == "cancelled"
    assert (tmp_path / "mark").read_text() == "tidy"


STUBBORN = """
signal.signal(signal.SIGTERM, signal.SIG_IGN)
code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
code += "print(flush=True); time.sleep(120)"
for _ in range(2):
    subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE).stdout.readline()
say(event="progress", stage="Work", done=0, total=9, eta_s=None)
time.sleep(120)
"""


def test_cancel_ends_a_whole_tree_that_does_not_want_to(make_job, queue, wait_until):
    from MultimodalWidgetsLib.background_process import GRACE_MS

    job = make_job(STUBBORN)
    queue.submit(job)
    wait_until(lambda: job.progress is not None)
    pids = family(job._process.processId())
    assert len(pids) >= 3
    job.cancel()
    wait_until(lambda: job.state.isOver and not alive(pids), PATIENCE_S)
    assert GRACE_MS <= 1000  # the panel promises two seconds
    assert job.state.value == "cancelled"


def test_children_that_outlive_a_tidy_parent_are_ended_too(make_job, queue, wait_until):
    job = make_job(
        """
child = subprocess.Popen([sys.executable, "-c", "import signal, time;"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(120)"],
    stdout=subprocess.PIPE)
child.stdout.readline()
signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
say(event="progress", stage=str(child.pid), done=0, total=9, eta_s=None)
time.sleep(60)
"""
    )
    queue.submit(job)
    wait_until(lambda: job.progress is not None)
    child = int(job.progress.stage)
    assert alive([child])
    job.cancel()
    wait_until(lambda: job.state.isOver and not alive([child]), PATIENCE_S)
    assert job.state.value == "cancelled"


def test_cancel_right_after_the_start_ends_the_job(make_job, queue, wait_until):
    job = make_job("time.sleep(60)")
    queue.submit(job)
    job.cancel()
    wait_until(lambda: job.state.isOver, PATIENCE_S)
    assert job.state.value == "cancelled"


def test_cancelling_twice_or_after_the_end_does_nothing(make_job, queue, run, wait_until):
    job = make_job("time.sleep(60)")
    queue.submit(job)
    job.cancel()
    job.cancel()
    wait_until(lambda: job.state.isOver, PATIENCE_S)
    job.cancel()
    assert job.state.value == "cancelled"


def test_two_jobs_wait_in_line_and_run_in_order(make_job, queue, wait_until):
    order = []
    jobs = [make_job(f"time.sleep(0.1); say(event='result', n={n})") for n in range(3)]
    for job in jobs:
        job.stateChanged.connect(lambda job: order.append((job.title, job.state.value)))
        queue.submit(job)
    assert [job.state.value for job in jobs] == ["running", "waiting", "waiting"]
    wait_until(lambda: not queue.jobs)
    assert order == [(f"job{n}", state) for n in range(3) for state in ("running", "done")]


@pytest.fixture
def needs(host, monkeypatch):
    """Return what a job needs, on a computer with a GPU and as much memory as the test says."""
    from MultimodalWidgetsLib import job_needs

    monkeypatch.setattr(job_needs, "hasGPU", lambda: True)

    def needs(*, free_mb=100_000, **values):
        monkeypatch.setattr(job_needs, "freeMemoryMB", lambda: free_mb)
        return job_needs.JobNeeds(**values)

    return needs


LASTING = "say(event='info', message='runs'); time.sleep(600)"


def submit_both(make_job, queue, first, second):
    """Submit a job that lasts, and another one; return both."""
    jobs = [make_job(LASTING), make_job("")]
    for job, needs in zip(jobs, (first, second), strict=True):
        job.needs = needs
        queue.submit(job)
    return jobs


def test_a_short_job_runs_beside_a_long_one(make_job, queue, needs, wait_until):
    long, short = submit_both(make_job, queue, needs(), needs(isShort=True))
    wait_until(lambda: short.state.isOver, PATIENCE_S)
    assert (long.state.value, short.state.value) == ("running", "done")


def test_two_short_jobs_wait_in_line(make_job, queue, needs):
    short = needs(isShort=True)
    jobs = submit_both(make_job, queue, short, short)
    assert [job.state.value for job in jobs] == ["running", "waiting"]


@pytest.mark.parametrize(
    ("devices", "free_mb", "reason"),
    [
        (("cuda", "auto"), 100_000, "GPU"),
        (("cuda", "cpu"), 100_000, None),
        (("cpu", ""), 100_000, None),
        (("cpu", "cpu"), 300, "memory"),
        (("cpu", "cpu"), None, None),
    ],
)
def test_a_short_job_waits_where_it_would_share_the_gpu_or_lacks_memory(
    make_job, queue, needs, devices, free_mb, reason
):
    wants = [needs(isShort=n == 1, device=d, free_mb=free_mb) for n, d in enumerate(devices)]
    _, short = submit_both(make_job, queue, *wants)
    assert short.state.value == ("waiting" if reason else "running")
    hindrance = queue.hindrance(short)
    assert (hindrance[1].value if hindrance else None) == reason


def test_without_another_job_one_starts_however_little_memory_there_is(make_job, run, needs):
    job = make_job("")
    job.needs = needs(free_mb=1)
    assert run(job) == "done"


def test_a_short_job_that_waited_for_the_gpu_goes_before_long_ones(
    make_job, queue, needs, wait_until
):
    first, second, short = make_job(LASTING), make_job(LASTING), make_job("")
    for job, is_short in ((first, False), (second, False), (short, True)):
        job.needs = needs(isShort=is_short, device="cuda")
        queue.submit(job)
    assert queue.hindrance(short)[0] is first
    first.cancel()
    wait_until(lambda: short.state.isOver, PATIENCE_S)
    assert short.state.value == "done"
    wait_until(lambda: second.isRunning, PATIENCE_S)


def test_a_line_that_comes_late_does_not_end_a_job_again(make_job, run, host):
    job = make_job("print('x')")
    events = recorded(job)
    run(job)
    job._take(isError=False, lines=["late"])
    host.settle()
    assert events["state"] == ["running", "done"]
    assert list(job.log) == ["x", "late"]


def test_a_failed_or_cancelled_job_does_not_hold_up_the_next(make_job, queue, wait_until):
    first, second, third = make_job("sys.exit(1)"), make_job("time.sleep(60)"), make_job("")
    for job in (first, second, third):
        queue.submit(job)
    wait_until(lambda: second.state.value == "running")
    second.cancel()
    wait_until(lambda: not queue.jobs)
    assert [job.state.value for job in (first, second, third)] == ["failed", "cancelled", "done"]


def test_a_waiting_job_that_is_cancelled_never_starts(make_job, queue, wait_until, tmp_path):
    first = make_job("time.sleep(0.3)")
    second = make_job(f"open({str(tmp_path / 'started')!r}, 'w')")
    queue.submit(first)
    queue.submit(second)
    second.cancel()
    assert second.state.value == "cancelled"
    wait_until(lambda: not queue.jobs)
    assert not (tmp_path / "started").exists()


def test_quitting_ends_all_jobs_at_once(make_job, queue, wait_until):
    jobs = [make_job(STUBBORN), make_job("")]
    for job in jobs:
        queue.submit(job)
    wait_until(lambda: jobs[0].progress is not None)
    pids = family(jobs[0]._process.processId())
    queue.killAll()
    assert [job.state.value for job in jobs] == ["cancelled", "cancelled"]
    wait_until(lambda: not alive(pids), PATIENCE_S)
    assert queue.jobs == []


@pytest.fixture
def close_window(host, monkeypatch):
    """Return a function that asks the main window to close and tells whether it did.

    It is another window that takes its place: with its own the application would go.
    """
    import qt
    import slicer

    window = qt.QMainWindow()
    monkeypatch.setattr(slicer.util, "mainWindow", lambda: window)
    window.show()
    return window.close


def test_closing_the_window_asks_while_a_job_runs(make_job, queue, close_window, messages):
    import qt

    job = make_job("time.sleep(60)")
    queue.submit(job)
    messages.answers.append(qt.QMessageBox.No)
    assert not close_window()
    assert "job0" in messages.messages[0]
    assert job.state.value == "running"
    messages.answers.append(qt.QMessageBox.Yes)
    assert close_window()
    queue.killAll()


def test_closing_the_window_does_not_ask_when_all_jobs_are_over(
    make_job, run, close_window, messages
):
    run(make_job(""))
    assert close_window()
    assert messages.messages == []


def test_an_idle_queue_leaves_nothing_behind(make_job, run, census):
    run(make_job(""))
    before = census()
    for _ in range(3):
        run(make_job("print('x')"))
    grown = census().grown(before)
    assert "connections" not in grown
