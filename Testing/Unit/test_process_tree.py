"""Processes and descendants: found, asked to end, ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from MultimodalWidgetsLib import process_tree as module
from MultimodalWidgetsLib.process_tree import kill, process_tree, terminate

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="taskkill does it on Windows")

# A child that has a child that has a child; none of them ends by itself, nor when asked to.
STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
depth = int(sys.argv[2])
if depth:
    subprocess.Popen([sys.executable, "-c", sys.argv[1], sys.argv[1], str(depth - 1)])
else:
    print("all are here", flush=True)
time.sleep(120)
"""


def wait_until(condition, timeout_s: float = 60.0) -> bool:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


@pytest.fixture
def family() -> Iterator[subprocess.Popen[bytes]]:
    words = [sys.executable, "-c", STUBBORN, STUBBORN, "2"]
    child = subprocess.Popen(words, stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    assert len(process_tree(child.pid)) == 3
    yield child
    kill(process_tree(child.pid))
    child.wait()


def test_a_tree_holds_the_process_and_all_its_descendants(family):
    tree = process_tree(family.pid)
    assert tree[0].pid == family.pid
    assert len(tree) == 3
    assert os.getpid() not in [process.pid for process in tree]


def test_kill_ends_all_of_a_tree_that_does_not_want_to(family):
    tree = process_tree(family.pid)
    terminate(tree)
    time.sleep(0.2)
    assert len(process_tree(family.pid)) == 3
    kill(tree)
    assert wait_until(lambda: not any(process_tree(process.pid) for process in tree))


def test_grandchildren_are_ended_also_when_their_parent_is_gone(family):
    tree = process_tree(family.pid)
    os.kill(family.pid, signal.SIGKILL)
    family.wait()
    assert process_tree(family.pid) == []
    kill(tree)
    assert wait_until(lambda: not any(process_tree(process.pid) for process in tree))


def test_a_later_process_of_the_same_number_is_left_alone(family):
    [first, *_] = process_tree(family.pid)
    kill([replace(first, started="long ago")])
    time.sleep(0.2)
    assert process_tree(family.pid)[0] == first


def test_a_process_that_ended_has_no_tree():
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert process_tree(child.pid) == []
    kill([module.ProcessID(child.pid, "1")])


def test_a_zombie_does_not_count_as_running():
    child = subprocess.Popen([sys.executable, "-c", ""])
    assert wait_until(lambda: process_tree(child.pid) == [])  # not waited for: a zombie
    child.wait()


def test_all_means_find_the_same_processes(family):
    expected = {process.pid for process in process_tree(family.pid)}
    running = module._running_from_ps()
    children = {pid for pid, (parent, _) in running.items() if parent in expected}
    assert children | {family.pid} == expected
