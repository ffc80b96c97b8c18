"""The network learner of `retrospect`: that it learns, that it resumes, and what it says before."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from labelled_toy import toy_cohort

from MDALSelectorLib.__main__ import main
from MDALSelectorLib.retrospect import network_run
from MDALSelectorLib.retrospect.coarse_cases import (
    HeldOutCase,
    coarse_case,
    draw_patches,
)
from MDALSelectorLib.retrospect.config import RetrospectConfig
from MDALSelectorLib.retrospect.fold_plan import FULL, FoldPlan, Training
from MDALSelectorLib.retrospect.job import run_retrospect
from MDALSelectorLib.retrospect.labelled_cohort import LabelledCohort, read_labelled_cohort
from MDALSelectorLib.retrospect.network_config import NetworkConfig
from MDALSelectorLib.retrospect.network_learner import (
    NetworkJob,
    dice_of_networks,
    train_networks,
)
from MDALSelectorLib.retrospect.run_files import JSON_NAME
from MDALSelectorLib.selection_job import prepare_for_selection
from MultimodalImagingLib.cohorts.cases import Cohort
from MultimodalImagingLib.cohorts.cohort import find_cohort
from MultimodalImagingLib.errors import CancelledError, UsageError
from MultimodalImagingLib.images.arrays import bounding_box
from MultimodalImagingLib.jobs.progress import NullReporter
from MultimodalImagingLib.record.cohort_record import open_record

CPU = torch.device("cpu")
SMALL = NetworkConfig(
    n_seeds=2,
    spacing_mm=2.0,
    n_steps=6,
    batch_size=2,
    patch_edge=8,
    channels=(4, 8),
    device="cpu",
)
ENOUGH = replace(SMALL, n_steps=60, batch_size=4, channels=(8, 16), learning_rate=1e-2)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)  # as the trainings of a run have


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    return find_cohort(toy_cohort(tmp_path_factory.mktemp("toy"), n_cases=12))


@pytest.fixture(scope="module")
def labelled(cohort: Cohort, tmp_path_factory: pytest.TempPathFactory) -> LabelledCohort:
    record = open_record(cohort.root, folder=tmp_path_factory.mktemp("record"))
    prepared = prepare_for_selection(cohort, None, record, NullReporter())
    return read_labelled_cohort(prepared, values=(), seed=0, reporter=NullReporter())


def held_out(labelled: LabelledCohort, index: int, config: NetworkConfig) -> HeldOutCase:
    case, prepared = labelled.cases[index], labelled.prepared
    arrays = prepared[case.row]
    coarse = coarse_case(case, arrays, prepared.modalities, spacing_mm=config.spacing_mm)
    body = arrays.body[bounding_box(arrays.body)]
    return HeldOutCase(coarse, body, case.is_target, case.n_target)


def job(labelled: LabelledCohort, rows: list[int], seed: int) -> NetworkJob:
    return NetworkJob([held_out(labelled, row, SMALL).coarse for row in rows], (seed,))


def test_the_network_finds_a_bright_target_in_cases_it_has_not_seen(
    labelled: LabelledCohort,
) -> None:
    right = [row for row in range(12) if row % 3 != 2]
    networks = train_networks(
        [job(labelled, right[:4], 0)], ENOUGH, device=CPU, on_step=lambda: None
    )
    dice = [dice_of_networks(networks, held_out(labelled, row, SMALL))[0] for row in right[4:]]
    assert np.mean(dice) > 0.8


def test_trainings_side_by_side_are_those_one_at_a_time(labelled: LabelledCohort) -> None:
    jobs = [job(labelled, [0, 1], 0), job(labelled, [3, 4, 6], 1), job(labelled, [0, 1], 2)]
    case = held_out(labelled, 7, SMALL)
    together = train_networks(jobs, SMALL, device=CPU, on_step=lambda: None)
    alone = [train_networks([j], SMALL, device=CPU, on_step=lambda: None) for j in jobs]
    for number, one in enumerate(alone):
        for name, weight in one.weights.items():
            torch.testing.assert_close(together.weights[name][number], weight[0], atol=1e-4, rtol=0)
    dice = [dice_of_networks(one, case)[0] for one in alone]
    np.testing.assert_allclose(dice_of_networks(together, case), dice, atol=1e-3)
    assert not torch.allclose(together.weights["first.weight"][0], alone[2].weights["first.weight"])


def test_a_case_is_averaged_to_the_spacing_of_the_network(labelled: LabelledCohort) -> None:
    case, prepared = labelled.cases[0], labelled.prepared
    arrays = prepared[case.row]
    spacing = 2 * arrays.grid.spacing_mm[0]
    coarse = coarse_case(case, arrays, prepared.modalities, spacing_mm=spacing)
    body = arrays.body[bounding_box(arrays.body)]
    assert coarse.target.shape == tuple(round(n / 2) for n in body.shape)
    assert float(coarse.target.mean()) == pytest.approx(case.is_target.sum() / body.size, abs=2e-3)
    unchanged = coarse_case(case, arrays, prepared.modalities, spacing_mm=spacing / 9)
    assert unchanged.target.shape == body.shape
    np.testing.assert_array_equal(unchanged.target.numpy()[body] > 0, case.is_target)


def test_where_a_modality_has_voxels_is_told_by_a_channel(labelled: LabelledCohort) -> None:
    case, prepared = labelled.cases[0], labelled.prepared
    arrays = prepared[case.row]
    first = prepared.modalities[0]
    seen = arrays.coverage[first].copy()
    seen[len(seen) // 2 :] = False
    partly = replace(arrays, coverage={**arrays.coverage, first: seen})
    fine = coarse_case(case, partly, prepared.modalities, spacing_mm=0.5).images
    np.testing.assert_array_equal(fine[2].numpy(), seen[bounding_box(arrays.body)])


def test_coarse_voxels_are_means_of_fine_ones(labelled: LabelledCohort) -> None:
    case, prepared = labelled.cases[0], labelled.prepared
    arrays = prepared[case.row]
    fine = coarse_case(case, arrays, prepared.modalities, spacing_mm=0.5)
    halves = [n // 2 for n in fine.target.shape]
    assert [2 * n for n in halves] == list(fine.target.shape)
    spacing = 2 * arrays.grid.spacing_mm[0]
    coarse = coarse_case(case, arrays, prepared.modalities, spacing_mm=spacing)
    k, j, i = halves
    means = fine.images.reshape(-1, k, 2, j, 2, i, 2).mean(dim=(2, 4, 6))
    torch.testing.assert_close(coarse.images, means)


def test_a_missing_modality_is_zero_in_its_image_and_in_the_channel_that_says_so(
    labelled: LabelledCohort,
) -> None:
    case, prepared = labelled.cases[0], labelled.prepared
    arrays = prepared[case.row]
    first = prepared.modalities[0]
    part = {first: arrays.images[first]}
    lacking = coarse_case(
        case, replace(arrays, images=part), prepared.modalities, spacing_mm=2.0
    ).images
    whole = coarse_case(case, arrays, prepared.modalities, spacing_mm=2.0).images
    assert not lacking[[1, 3]].any()
    assert whole[3].mean() > 0.5
    torch.testing.assert_close(lacking[[0, 2]], whole[[0, 2]])
    patches = draw_patches(
        [replace(held_out(labelled, 0, SMALL).coarse, images=lacking)],
        SMALL,
        np.random.default_rng(0),
    )
    assert not patches.images[:, [1, 3]].any()


def config(folder: Path, **changes: object) -> RetrospectConfig:
    return RetrospectConfig(
        budgets=("3",),
        strategies=("KCenter", "TypiClust"),
        n_draws=3,
        n_folds=2,
        n_partitions=1,
        estimator="gaussian",
        learner="network",
        network=replace(SMALL, **changes),
        output=folder / "run",
        record=folder / "record",
    )


@pytest.fixture(scope="module")
def done(cohort: Cohort, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("done")
    return run_retrospect(cohort, config(folder), NullReporter())


def trained(run: Path) -> list[str]:
    lines = (run / "trainings.jsonl").read_text(encoding="utf-8").splitlines()[1:]
    return [s for s in (json.loads(line)["step"] for line in lines) if s.startswith("network/")]


def outcomes(run: Path) -> object:
    return json.loads((run / JSON_NAME).read_text(encoding="utf-8"))["outcomes"]


class Recorder(NullReporter):
    """Keeps what it is told, in order."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.n_steps = 0

    def stage(self, name: str, total: int) -> None:
        self.told.append(name)
        self.n_steps = 0

    def advance(self, n: int = 1) -> None:
        self.n_steps += n

    def info(self, text: str) -> None:
        self.told.append(text)

    def warning(self, text: str) -> None:
        self.told.append(text)


class Stopping(Recorder):
    """Stops the job when some trainings are finished, as a signal does."""

    def advance(self, n: int = 1) -> None:
        super().advance(n)
        if self.told[-1] == "Train and test" and self.n_steps >= 5:
            msg = "The job was cancelled; what was finished before is kept."
            raise CancelledError(msg)


def test_every_set_is_trained_once_per_seed_and_random_draws_once(done: Path) -> None:
    names = trained(done)
    assert len(names) == len(set(names))
    per_fold = [name for name in names if name.startswith("network/0/0/")]
    # all labels and two strategies with two seeds each, and three random draws
    assert len(per_fold) == 2 * 3 + 3


def test_cases_held_out_are_tested_and_every_training_has_its_cases_and_its_own_chance(
    cohort: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs: list[NetworkJob] = []

    def trained_jobs(own, config, **options):
        jobs.extend(own if config.n_steps == SMALL.n_steps else ())
        return own

    def shares(own, case: HeldOutCase):
        """Return the number of training cases, and fail for a case that was trained on."""
        for one in own:
            assert all(case.coarse is not seen for seen in one.cases)
        return np.array([len(one.cases) / 100 for one in own])

    monkeypatch.setattr(network_run, "train_networks", trained_jobs)
    monkeypatch.setattr(network_run, "dice_of_networks", shares)
    run = run_retrospect(cohort, config(tmp_path), NullReporter())
    assert len(jobs) == len(trained(run)) == len({one.seed for one in jobs})
    found = {(o["strategy"], o["dice"]) for o in outcomes(run)}
    assert found == {("Random", 0.03), ("KCenter", 0.03), ("TypiClust", 0.03)}
    bands = json.loads((run / JSON_NAME).read_text(encoding="utf-8"))["bands"]
    assert bands[0]["full"] == pytest.approx(0.06)  # of 12 cases in two folds


def test_a_run_that_was_stopped_goes_on_and_ends_as_if_it_had_not_been(
    cohort: Cohort, done: Path, tmp_path: Path
) -> None:
    with pytest.raises(CancelledError):
        run_retrospect(cohort, config(tmp_path), Stopping())
    log = tmp_path / "run" / "trainings.jsonl"
    before = trained(tmp_path / "run")
    assert 5 <= len(before) < len(trained(done))
    with log.open("ab") as file:
        file.write(b'{"step": "network/0/1/ab')  # what a kill leaves of a line
    told = Recorder()
    run = run_retrospect(cohort, config(tmp_path), told)
    assert f"{len(before)} of {len(trained(done))} are finished already" in " ".join(told.told)
    assert sorted(trained(run)) == sorted(trained(done))
    assert outcomes(run) == outcomes(done)


def test_trainings_at_once_give_the_same_result(cohort: Cohort, done: Path, tmp_path: Path) -> None:
    run = run_retrospect(cohort, config(tmp_path, at_once=4), NullReporter())
    for own, other in zip(outcomes(run), outcomes(done), strict=True):
        assert own["strategy"] == other["strategy"]
        assert own["dice"] == pytest.approx(other["dice"], abs=5e-3)


def test_the_time_is_told_before_the_first_training_and_how_to_shorten_a_long_one(
    cohort: Cohort, done: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network_run, "LONG_S", 0.0)
    told = Stopping()
    with pytest.raises(CancelledError):
        run_retrospect(cohort, config(tmp_path), told)
    text = next(text for text in told.told if "trainings of the network" in text)
    assert f"{len(trained(done))} trainings of the network, about 0:0" in text
    assert "h on cpu" in text
    assert "--network-spacing" in text
    assert told.told.index(text) < told.told.index("Train and test")


@pytest.mark.parametrize("fails_in", ["the probe", "a training"])
def test_a_full_memory_halves_what_is_trained_at_once(
    cohort: Cohort, done: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails_in: str
) -> None:
    whole = network_run.train_networks

    def limited(jobs, *arguments, **options):
        if len(jobs) > 1 and (fails_in == "the probe" or arguments[0].n_steps == SMALL.n_steps):
            raise torch.cuda.OutOfMemoryError
        return whole(jobs, *arguments, **options)

    monkeypatch.setattr(network_run, "train_networks", limited)
    told = Recorder()
    run = run_retrospect(cohort, config(tmp_path, at_once=2), told)
    assert "The GPU does not have enough memory: 1 training at a time." in told.told
    assert outcomes(run) == outcomes(done)


def test_random_draws_keep_their_number_and_chosen_sets_get_one_per_seed() -> None:
    plan = FoldPlan(
        0,
        0,
        pool=(0, 1, 2),
        test=(3,),
        trainings=(
            Training(FULL, -1, 0, (0, 1, 2)),
            Training("Random", 0, 0, (0, 1)),
            Training("Random", 0, 1, (0, 2)),
            Training("MaxMD", 0, 0, (0, 1)),
            Training("MinMD", 0, 0, (0, 1)),
        ),
        estimator="gaussian",
        has_signal=True,
    )
    seeded = network_run.with_seeds(plan, n_seeds=2)
    assert [t.draw for t in seeded.trainings if t.strategy == "Random"] == [0, 1]
    assert [t.draw for t in seeded.trainings if t.strategy == "MaxMD"] == [0, 1]
    found = {(t.cases, t.seed) for t in network_run.trainings_of(seeded)}
    assert found == {((0, 1, 2), 0), ((0, 1, 2), 1), ((0, 1), 0), ((0, 1), 1), ((0, 2), 0)}


def test_a_device_that_is_not_there_gets_its_sentence(cohort: Cohort, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'nowhere' cannot be used here"):
        run_retrospect(cohort, config(tmp_path, device="nowhere"), NullReporter())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--seeds", "2"), "with --learner network alone"),
        (("--learner", "network", "--seeds", "0"), "at least 1 seed"),
        (("--learner", "network", "--steps", "0"), "at least 1 training step"),
        (("--learner", "network", "--network-spacing", "0"), "between 0.5 and 50 mm"),
    ],
)
def test_options_of_the_network_that_do_not_fit_get_their_sentence(
    cohort: Cohort, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], told: str
) -> None:
    assert main(["retrospect", str(cohort.root), "--budgets", "4", *words]) == 2
    captured = capsys.readouterr()
    assert told in " ".join((captured.out + captured.err).split())
