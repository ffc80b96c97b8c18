"""A cancelled selection goes on where it was: nothing finished is computed again, nothing is stale.

Computations are counted, not timed; results are compared byte for byte with undisturbed runs.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from phantoms import phantom, plain_cohort, save_nifti
from stopping import Stopping, count_work

from MDALSelectorLib import selection_job
from MDALSelectorLib.estimation import estimate, features, local_samples
from MDALSelectorLib.estimation.config import (
    CrossFitConfig,
    EstimationConfig,
    GaussianConfig,
    LocalConfig,
)
from MDALSelectorLib.pairing import case_edges
from MDALSelectorLib.pairing.config import PairingConfig
from MDALSelectorLib.report import pmi_maps, run_writing, thumbnails
from MDALSelectorLib.selection import case_memo
from MDALSelectorLib.selection.config import SelectionConfig
from MDALSelectorLib.selection_job import run_selection
from MultimodalImagingLib.cohorts.cohort import find_cohort
from MultimodalImagingLib.errors import CancelledError
from MultimodalImagingLib.preparation import preprocessing

KINDS = ("T1", "T2", "FLAIR")
N_CASES = 6
ESTIMATION = EstimationConfig(
    estimator="local",
    min_cases=4,
    cross_fit=CrossFitConfig(n_folds=2, n_repeats=1),
    local=LocalConfig(n_places=200, n_shuffles=2, n_reliability_splits=1),
    gaussian=GaussianConfig(
        n_components=(2,), shrinkages=(0.1,), n_shuffles=2, n_reliability_splits=0
    ),
)
CONFIG = SelectionConfig("3", strategy="MaxMD", estimation=ESTIMATION)
# What takes long, by the module that calls it.
WORK = {
    "images": (preprocessing, "prepare_case"),
    "features": (features, "case_features"),
    "voxels": (features, "normalized_mutual_information"),
    "shifts": (case_edges, "best_shift"),
    "poses": (case_edges, "pose_agreements"),
    "other patients": (case_edges, "agreement"),
    "positions": (local_samples, "case_features"),
    "local": (estimate, "local_estimates"),
    "Gaussian": (estimate, "gaussian_estimates"),
    "chance": (estimate, "shuffled_bounds"),
}


# What is done between the estimators and the end of a run.
LAST_WORK = {
    "choice": (selection_job, "make_selection"),
    "embeddings": (run_writing, "write_embeddings"),
    "ranking": (run_writing, "write_selection"),
    "picture": (thumbnails, "mapped_strip"),
    "maps": (pmi_maps, "local_pmi_maps"),
    "report": (run_writing, "write_report"),
}
# These begin a stage of their own.
ESTIMATORS = {"local", "Gaussian", "chance"}


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six small cases of three modalities, one without T2; do not change it."""
    folder = plain_cohort(tmp_path_factory.mktemp("toy") / "cohort", n_cases=N_CASES, kinds=KINDS)
    (folder / "case03" / "t2.nii.gz").unlink()
    return folder


@pytest.fixture(scope="module")
def undisturbed(cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the cohort and its record; do not change them."""
    folder = tmp_path_factory.mktemp("undisturbed")
    select(cohort, folder)
    return folder


@pytest.fixture
def finished(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each kind of work was finished."""
    return count_work(monkeypatch, WORK)


def select(
    cohort: Path,
    folder: Path,
    *,
    config: SelectionConfig = CONFIG,
    stop: tuple[str, int] | None = None,
    reporter: Stopping | None = None,
) -> Stopping:
    """Select into `folder / "run"` with the record `folder / "record"`."""
    reporter = reporter or Stopping(stop)
    here = replace(config, output=folder / "run", record=folder / "record")
    run_selection(find_cohort(cohort), here, reporter)
    return reporter


def content(folder: Path) -> dict[str, bytes]:
    run = folder / "run"
    return {
        path.relative_to(run).as_posix(): path.read_bytes()
        for path in sorted(run.rglob("*"))
        if path.is_file() and path.name != "log.jsonl"
    }


def assert_computed_once(
    cohort: Path, folder: Path, config: SelectionConfig, finished: Counter[str], *, after: str = ""
) -> None:
    """Cancel in and after every stage that follows one, each time with the same folders."""
    quiet, stopped = folder / "quiet", folder / "stopped"
    stages = select(cohort, quiet, config=config).stages
    once = dict(finished)
    finished.clear()
    names = list(stages)
    for stage in names[names.index(after) + 1 if after else 0 :]:
        for step in dict.fromkeys((1, stages[stage])):
            with pytest.raises(CancelledError):
                select(cohort, stopped, config=config, stop=(stage, step))
    select(cohort, stopped, config=config)
    assert once["images"] == N_CASES
    assert dict(finished) == once
    assert content(stopped) == content(quiet)


def test_a_run_cancelled_in_and_after_every_stage_computes_everything_once(
    cohort: Path, tmp_path: Path, finished: Counter[str]
) -> None:
    assert_computed_once(cohort, tmp_path, CONFIG, finished)


def test_an_estimator_that_had_finished_does_not_run_again(
    cohort: Path, tmp_path: Path, finished: Counter[str]
) -> None:
    config = replace(CONFIG, estimation=replace(ESTIMATION, estimator="gaussian"))
    assert_computed_once(cohort, tmp_path, config, finished, after="PMI by chance")


def test_every_step_that_is_planned_and_announced_is_made(cohort: Path, tmp_path: Path) -> None:
    reporter = select(cohort, tmp_path)
    assert dict(reporter.done) == reporter.stages
    assert list(reporter.planned) == list(reporter.stages)
    shown = {"Draw cases"}  # those to check come on top of the budget
    assert {n: t for n, t in reporter.planned.items() if n not in shown} == {
        n: t for n, t in reporter.stages.items() if n not in shown
    }


def test_everything_that_takes_time_is_a_step_of_a_stage(
    cohort: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reporter = Stopping()
    within: dict[str, bool] = {}

    def watched(name: str, work: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **kwargs: object) -> object:
            stage = reporter.open
            is_within = stage is not None and reporter.done[stage] < reporter.stages[stage]
            within[name] = within.get(name, True) and is_within
            return work(*args, **kwargs)

        return call

    places = {n: place for n, place in (WORK | LAST_WORK).items() if n not in ESTIMATORS}
    for name, (module, attribute) in places.items():
        monkeypatch.setattr(module, attribute, watched(name, getattr(module, attribute)))
    select(cohort, tmp_path, reporter=reporter)
    assert within == dict.fromkeys(places, True)


def replaced_image(cohort: Path) -> SelectionConfig:
    """Another image of the same size and, to the file system, of the same age."""
    path = cohort / "case02" / "t1.nii.gz"
    save_nifti(path, phantom(77, kinds=("T1",))[0]["T1"])
    return CONFIG


def removed_case(cohort: Path) -> SelectionConfig:
    shutil.rmtree(cohort / "case05")
    return CONFIG


def removed_labels(cohort: Path) -> SelectionConfig:
    for case in ("case00", "case01", "case03", "case04", "case05"):
        (cohort / case / "seg.nii.gz").unlink()
    return CONFIG


def joined_patients(cohort: Path) -> SelectionConfig:
    for number, name in enumerate(("case01", "case02")):
        (cohort / name).rename(cohort / f"joint_{number}")
    return CONFIG


def named_sites(cohort: Path) -> SelectionConfig:
    """Tell patients of two sites apart, within which they are exchanged, too."""
    rows = [f"case{number:02d}\t{'north' if number % 2 else 'south'}" for number in range(N_CASES)]
    text = "\n".join(["participant_id\tsite", *rows, ""])
    (cohort / "participants.tsv").write_text(text, encoding="utf-8")
    return CONFIG


def another(**changes: object) -> Callable[[Path], SelectionConfig]:
    return lambda _: replace(CONFIG, **changes)  # type: ignore[arg-type]


def another_estimation(**changes: object) -> Callable[[Path], SelectionConfig]:
    return another(estimation=replace(ESTIMATION, **changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [
        replaced_image,
        removed_case,
        removed_labels,
        joined_patients,
        another(spacing_mm=7.0),
        another(pairing=PairingConfig(absolute_gain=0.001, absolute_pose_gain=0.001)),
        another_estimation(seed=5),
        another_estimation(local=replace(ESTIMATION.local, n_places=150)),
    ],
    ids=["file", "case", "label", "patient", "spacing", "pairing", "seed", "places"],
)
def test_what_has_changed_is_computed_anew(
    cohort: Path, undisturbed: Path, tmp_path: Path, change: Callable[[Path], SelectionConfig]
) -> None:
    own, old, fresh = tmp_path / "cohort", tmp_path / "old", tmp_path / "fresh"
    shutil.copytree(cohort, own)
    shutil.copytree(undisturbed, old)
    config = change(own)
    select(own, old, config=config)
    select(own, fresh, config=config)
    assert content(old) == content(fresh)
    assert content(fresh) != content(undisturbed)


def test_estimators_run_again_where_sites_become_known_and_nothing_else_does(
    cohort: Path, undisturbed: Path, tmp_path: Path, finished: Counter[str]
) -> None:
    own, old = tmp_path / "cohort", tmp_path / "old"
    shutil.copytree(cohort, own)
    shutil.copytree(undisturbed, old)
    select(own, old, config=named_sites(own))
    assert finished == {"local": 1}
    select(own, old)
    assert finished == {"local": 1}


def test_measures_of_other_code_are_computed_anew(
    cohort: Path, tmp_path: Path, finished: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(CancelledError):
        select(cohort, tmp_path, stop=("Check pairing", N_CASES))
    first = dict(finished)
    monkeypatch.setattr(case_memo, "computing_code", lambda: "other")
    with pytest.raises(CancelledError):
        select(cohort, tmp_path, stop=("Check pairing", N_CASES))
    assert first["features"] > 0
    assert all(finished[name] == 2 * n for name, n in first.items() if name != "images")


def test_damaged_measures_are_computed_anew_and_a_cohort_leaves_no_others(
    cohort: Path, undisturbed: Path, tmp_path: Path
) -> None:
    shutil.copytree(undisturbed, tmp_path, dirs_exist_ok=True)
    measures = tmp_path / "record" / "cache" / "measures"
    files = sorted(path for path in measures.rglob("*") if path.is_file())
    # Features, voxels, alignment, neighbors and positions of every case.
    assert len(files) == 5 * N_CASES
    gone = measures / "features" / f"gone-{'0' * 10}.safetensors"
    shutil.copy(files[-1], gone)
    for number, path in enumerate(files):
        data = bytearray(path.read_bytes())
        data[-1 - number] ^= 255
        path.write_bytes(data if number % 2 else data[: len(data) // 2])
    for folder in ("scores", "estimates"):
        shutil.rmtree(measures.parent / folder)
    mine = measures / "features" / "mine.safetensors"
    mine.write_bytes(b"not of this program")
    select(cohort, tmp_path)
    assert content(tmp_path) == content(undisturbed)
    left = [path for path in measures.rglob("*") if path.is_file()]
    assert sorted(left) == sorted([*files, mine])
