"""A cancelled retrospective goes on where it was: nothing that was finished is computed again."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from labelled_toy import toy_cohort
from stopping import Stopping, count_work

from MDALSelectorLib.estimation import features
from MDALSelectorLib.pairing import case_edges
from MDALSelectorLib.retrospect import job, linear_run
from MDALSelectorLib.retrospect.config import RetrospectConfig
from MDALSelectorLib.retrospect.job import run_retrospect
from MDALSelectorLib.retrospect.run_files import JSON_NAME
from MultimodalImagingLib.cohorts.cohort import find_cohort
from MultimodalImagingLib.errors import CancelledError
from MultimodalImagingLib.preparation import preprocessing

CONFIG = RetrospectConfig(
    budgets=("4",),
    strategies=("KCenter",),
    n_draws=2,
    n_folds=2,
    n_partitions=1,
    estimator="gaussian",
)
# What takes long, by the module that calls it; label maps are read at every start.
WORK = {
    "images": (preprocessing, "prepare_case"),
    "shifts": (case_edges, "best_shift"),
    "poses": (case_edges, "pose_agreements"),
    "other patients": (case_edges, "agreement"),
    "features": (features, "case_features"),
    "voxels": (features, "normalized_mutual_information"),
    "choices": (job, "plan_fold"),
    "tests": (linear_run, "dice_of_models"),
}


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_cohort(tmp_path_factory.mktemp("toy"))


@pytest.fixture
def finished(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each kind of work was finished."""
    return count_work(monkeypatch, WORK)


def replay(cohort: Path, folder: Path, stop: tuple[str, int] | None = None) -> Stopping:
    """Replay into `folder / "run"` with the record `folder / "record"`."""
    reporter = Stopping(stop)
    here = replace(CONFIG, output=folder / "run", record=folder / "record")
    run_retrospect(find_cohort(cohort), here, reporter)
    return reporter


def test_a_retrospective_cancelled_in_every_stage_computes_everything_once(
    cohort: Path, tmp_path: Path, finished: Counter[str]
) -> None:
    quiet, stopped = tmp_path / "quiet", tmp_path / "stopped"
    reporter = replay(cohort, quiet)
    assert dict(reporter.done) == reporter.stages  # every step that is announced is made
    assert reporter.planned == reporter.stages
    assert list(reporter.planned) == list(reporter.stages)
    once = dict(finished)
    assert all(once[name] > 0 for name in WORK)
    finished.clear()
    for stage, total in reporter.stages.items():
        with pytest.raises(CancelledError):
            replay(cohort, stopped, stop=(stage, total // 2 + 1))
    replay(cohort, stopped)
    assert dict(finished) == once
    one, other = ((folder / "run" / JSON_NAME).read_bytes() for folder in (quiet, stopped))
    assert one == other
