"""Seconds of a case: looking while Slicer is active, drawing without long pauses."""

from __future__ import annotations

import pytest

from MultimodalSlicerLib.reading_time import IDLE_S, LONGEST_STEP_S, ReadingTime, ReadingTimes


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def time(clock):
    return ReadingTime(clock)


def pass_time(time, clock, seconds, *, is_active=True):
    for _ in range(seconds):
        clock.now += 1
        time.tick(isActive=is_active)


def test_only_seconds_with_slicer_active_count_as_looking(time, clock):
    pass_time(time, clock, 30)
    pass_time(time, clock, 40, is_active=False)
    pass_time(time, clock, 5)
    assert time.times == ReadingTimes(35.0, 0.0)


def test_a_computer_that_slept_did_not_look(time, clock):
    clock.now += 8 * 3600
    time.tick(isActive=True)
    assert time.times.looking_s == LONGEST_STEP_S


def test_pauses_of_more_than_a_minute_are_no_drawing(time, clock):
    for pause in (0, 20, IDLE_S, IDLE_S + 1, 10):
        clock.now += pause
        time.edited()
    assert time.times.drawing_s == 20 + IDLE_S + 10


def test_changes_that_were_not_the_users_begin_no_drawing(time, clock):
    time.edited()
    time.interrupt()
    clock.now += 30
    time.edited()
    assert time.times.drawing_s == 0.0


def test_what_was_saved_is_not_counted_again(time, clock):
    pass_time(time, clock, 3)
    assert time.take() == ReadingTimes(3.0, 0.0)
    pass_time(time, clock, 2)
    assert time.take() == ReadingTimes(2.0, 0.0)
