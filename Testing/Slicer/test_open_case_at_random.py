"""A user who does anything in any order with the open case: nothing is lost, nothing is untrue.

The seed and the last actions are in the message of a failure; what was done and looked at, and how
often, is printed (`-rP`). `CROSSMODAL_MONKEY_STEPS` sets the number of actions.
"""

from __future__ import annotations

import logging
import os

import pytest
from desk import Desk, hashes, write_cohort, write_results
from monkey_classes import TASK, Classifier
from monkey_views import Clicker

STEPS = int(os.environ.get("CROSSMODAL_MONKEY_STEPS", "160"))
MANY = 3000
ENOUGH = 500  # steps after which every action must have done something


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    folder = tmp_path_factory.mktemp("random")
    return write_cohort(folder / "cohort"), write_results(folder / "results")


@pytest.fixture
def know(scene, load_module, wait_until, places, tmp_path):
    """Return a function that shows both panels, which know cohort and results."""

    def know(prepare, **options):
        from MultimodalImagingLib.record.cohort_record import CohortRecord

        cohort, results = places
        record = CohortRecord(tmp_path / "record")
        record.folder.mkdir()
        prepare(record)
        desk = Desk(load_module, wait_until, cohort, record.folder)
        scene.SetRootDirectory(str(tmp_path))
        desk.know(results, **options)
        desk.selector.labeling.reader.show()  # not who was named in a test before
        return desk

    return know


@pytest.fixture
def run(messages, capfd, monkeypatch):
    """Return a function that lets somebody act, and looks whether all was reached."""
    monkeypatch.setattr(messages, "answers", messages.answers)

    def run(kind, desk, prepare, seed, n_steps):
        monkey = kind(desk, messages, capfd, seed)
        monkey.prepareRecord = prepare
        before = hashes(desk.cohort), hashes(desk.results)
        logging.getLogger().addHandler(monkey.errors)
        try:
            _act(monkey, n_steps)
        finally:
            logging.getLogger().removeHandler(monkey.errors)
            print(f"Seed {seed}\n{monkey.report()}")
        assert (hashes(desk.cohort), hashes(desk.results)) == before
        if n_steps >= ENOUGH:
            names = {action.__name__ for action in monkey.actions} - monkey.mayBeRare
            assert not {name for name in names if not monkey.acted[name]}

    return run


def _act(monkey, n_steps):
    for step in range(n_steps):
        try:
            monkey.act()
        except BaseException as error:
            error.add_note(f"Step {step}: {', '.join(monkey.done)}")
            raise
    monkey.labels.isTold()


@pytest.mark.parametrize(
    ("seed", "n_steps"),
    [(0, STEPS * 3 // 8), (1, STEPS * 3 // 8), pytest.param(2, MANY, marks=pytest.mark.evidence)],
)
def test_whatever_a_user_does_loses_no_label_and_no_header_is_untrue(
    know, run, monkeypatch, seed, n_steps
):
    from MultimodalImagingLib.cohorts import reading_plan

    def prepare(record):
        if seed:  # labels come back to be read again
            reading_plan.write_plan(record, reading_plan.RereadingPlan(0.7))

    monkeypatch.setattr(reading_plan, "PAUSE_CASES", 1)
    run(Clicker, know(prepare, drafts=bool(seed)), prepare, seed, n_steps)


def test_whatever_a_reader_of_classes_does_loses_no_class(know, run):
    from MultimodalImagingLib.record.class_task import write_class_task

    def prepare(record):
        write_class_task(record, TASK)

    run(Classifier, know(prepare), prepare, 3, STEPS // 4)
