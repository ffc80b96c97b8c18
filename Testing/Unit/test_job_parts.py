"""The parts of the demonstration say how long all of it takes, as learned from the last time."""

from __future__ import annotations

import pytest
from job_parts import JobParts

from MultimodalImagingLib.jobs.job_clock import JobClock
from MultimodalImagingLib.record.speeds_file import SpeedsFile

WORK = {"select": (30.0, 1.0), "train": (600.0, 0.25), "report": (30.0, 0.5)}


@pytest.fixture
def speeds(tmp_path):
    return SpeedsFile(tmp_path / "speeds.json")


def test_a_second_job_knows_its_time_from_the_first(speeds, monkeypatch):
    now, said = [0.0], []
    monkeypatch.setattr("job_parts.JobClock", lambda known: JobClock(known, lambda: now[0]))
    for _run in range(2):
        parts = JobParts("demonstration", WORK, said.append, speeds)
        for name, seconds in (("select", 60.0), ("train", 300.0), ("report", 30.0)):
            with parts.part(name):
                now[0] += seconds
    assert said[0] == "Part 1 of 3"  # nothing is known of this computer yet
    assert said[3:] == [
        "Part 1 of 3 · about 6 min left for all",
        "Part 2 of 3 · about 6 min left for all",
        "Part 3 of 3 · about 30 s left for all",
    ]


def test_parts_that_are_left_out_count_as_done(speeds):
    said = []
    parts = JobParts("demonstration", WORK, said.append, speeds)
    with parts.part("train"):
        pass
    assert said[0].startswith("Part 2 of 3")


def fail():
    msg = "full"
    raise OSError(msg)


def test_nothing_is_learned_of_a_part_that_failed(speeds):
    parts = JobParts("demonstration", WORK, lambda _text: None, speeds)
    with pytest.raises(OSError, match="full"), parts.part("select"):
        fail()
    assert speeds.read() == {}
