import dataclasses
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from example_training import PET_CT, QUICK, SPEC, TINY, bright_ball, bright_balls

from CIMLSegmentLib.config import TrainingJob
from CIMLSegmentLib.model.model import load_model
from CIMLSegmentLib.network.baselines import BASELINES
from CIMLSegmentLib.training import training_run
from CIMLSegmentLib.training.train import train
from CIMLSegmentLib.training.training_cases import TrainingSet
from CIMLSegmentLib.training.training_folder import read_log
from CIMLSegmentLib.training.validation import validate_case, validation_plan
from MultimodalImagingLib.errors import CancelledError, CrossModalError, ModelError, UsageError
from MultimodalImagingLib.jobs.progress import NullReporter
from MultimodalImagingLib.record.locks import LockedError

CPU = torch.device("cpu")
OUT_OF_MEMORY = "CUDA out of memory"


class Recorder(NullReporter):
    def __init__(self, *, cancel_at=None):
        self.warnings, self.results, self.done = [], [], 0
        self.cancel_at = cancel_at
        self.open = ""

    def stage(self, name, total):
        self.open = name

    def warning(self, text):
        self.warnings.append(text)

    def result(self, content):
        self.results.append(dict(content))

    def advance(self, n=1):
        self.done += n if self.open == "Train" else 0
        if self.cancel_at is not None and self.done >= self.cancel_at:
            msg = "Stopped."
            raise CancelledError(msg)


def job(network=TINY, **changes):
    own = {name: changes.pop(name) for name in ("kind", "validation_cases") if name in changes}
    return TrainingJob(
        dataclasses.replace(QUICK, **changes), network, device="cpu", n_workers=0, **own
    )


def run(cases, folder, todo=None, *, reporter=None, resume=False):
    reporter = reporter or Recorder()
    return train(cases, PET_CT, todo or job(), output=folder, reporter=reporter, resume=resume)


def weights(folder):
    return load_model(folder).network.state_dict()


def same(first, second):
    return first.keys() == second.keys() and all(
        torch.equal(values, second[name]) for name, values in first.items()
    )


@pytest.fixture(scope="module")
def balls(tmp_path_factory):
    return bright_balls(tmp_path_factory.mktemp("cases"), 8)


@pytest.fixture(scope="module")
def straight(balls, tmp_path_factory):
    """A short training that nothing disturbed."""
    folder = tmp_path_factory.mktemp("straight") / "model"
    reporter = Recorder()
    return run(balls, folder, reporter=reporter), reporter


def test_training_learns_to_find_the_ball(balls, tmp_path):
    settings = {"n_steps": 80, "learning_rate": 0.02, "validation_interval": 40, "batch_size": 4}
    outcome = run(balls, tmp_path / "m", job(patch_size=(12, 12, 12), **settings))
    assert outcome.metrics["dice"] >= 0.8
    assert outcome.metrics["dice lesion"] == outcome.metrics["dice"]
    assert outcome.metrics["hd95_mm lesion"] < 10


def test_model_folder_tells_all_about_the_training(balls, straight):
    outcome, _ = straight
    model = load_model(outcome.folder)
    assert model.facts.metrics == outcome.metrics
    assert model.facts.training_cases == outcome.split.training
    assert model.facts.validation_cases == outcome.split.validation
    assert set(model.facts.intensities) == {"PET", "CT"}
    assert model.facts.step == outcome.best_step
    assert model.description.training == QUICK
    assert model.preprocessing == SPEC
    assert same(model.network.state_dict(), outcome.network.state_dict())


def test_best_network_is_the_one_that_was_measured(balls, straight):
    outcome, _ = straight
    validation = balls.subset(outcome.split.validation).cases
    plan = validation_plan(QUICK.patch_size, CPU)
    scores = [validate_case(outcome.network, case, plan).dice["lesion"] for case in validation]
    assert np.mean(scores) == pytest.approx(outcome.metrics["dice"])


def test_course_is_logged_and_told_with_all_terms_apart(straight):
    outcome, reporter = straight
    entries = read_log(outcome.folder / "training" / "log.jsonl")
    assert entries == reporter.results
    assert [entry["step"] for entry in entries if "dice" in entry] == [3, 6]
    loss = next(entry for entry in entries if "loss" in entry)
    assert set(loss) == {
        "step",
        "loss",
        "CE lesion",
        "Dice lesion",
        "KL CT to lesion at level 1",
    }


def test_same_seed_gives_the_same_files(balls, straight, tmp_path):
    outcome, _ = straight
    run(balls, tmp_path / "again")
    for name in ("model.json", "model.safetensors", "training/log.jsonl"):
        first, second = outcome.folder / name, tmp_path / "again" / name
        assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("cancel_at", [1, 3, 4])
def test_cancelled_training_goes_on_to_the_same_model(balls, straight, tmp_path, cancel_at):
    folder = tmp_path / "m"
    with pytest.raises(CancelledError):
        run(balls, folder, reporter=Recorder(cancel_at=cancel_at))
    assert load_model(folder).facts.step <= cancel_at
    outcome = run(balls, folder, resume=True)
    assert outcome.step == QUICK.n_steps
    assert same(weights(folder), weights(straight[0].folder))
    assert outcome.metrics == straight[0].metrics
    steps = [entry["step"] for entry in read_log(folder / "training" / "log.jsonl")]
    assert steps == sorted(steps)


def test_finished_training_has_nothing_to_go_on_with(balls, straight, tmp_path):
    first = run(balls, tmp_path / "m")
    again = run(balls, tmp_path / "m", resume=True)
    assert (again.step, again.metrics) == (first.step, first.metrics)


def test_resume_without_a_state_starts_anew(balls, straight, tmp_path):
    run(balls, tmp_path / "m", resume=True)
    assert same(weights(tmp_path / "m"), weights(straight[0].folder))


def test_remains_of_killed_trainings_are_removed_when_they_are_a_day_old(balls, tmp_path):
    run(balls, tmp_path / "m")
    names = ("model.json", "training/state.safetensors")
    folder = tmp_path / "m"
    remains = [(folder / n).with_name(f".unfinished-0123abcd-{Path(n).name}") for n in names]
    young = folder / ".unfinished-0123abce-model.json"
    foreign = folder / ".unfinished-thoughts.txt"
    for path in (*remains, young, foreign):
        path.write_bytes(b"half")
    for path in (*remains, foreign):
        os.utime(path, (time.time() - 90_000,) * 2)
    run(balls, tmp_path / "m", resume=True)
    assert not any(path.exists() for path in remains)
    assert young.exists()
    assert foreign.exists()


def test_a_folder_that_is_trained_in_is_refused_and_one_after_a_crash_is_not(balls, tmp_path):
    lock = tmp_path / "m" / "training" / "training.lock"
    lock.parent.mkdir(parents=True)
    own = psutil.Process()
    owner = {"host": socket.gethostname(), "pid": own.pid, "process_started": own.create_time()}
    lock.write_text(json.dumps({**owner, "user": "ana"}))
    with pytest.raises(LockedError, match="ana"):
        run(balls, tmp_path / "m")
    assert [path.name for path in (tmp_path / "m").rglob("*")] == ["training", "training.lock"]
    lock.write_text(json.dumps({**owner, "pid": 2**22 + 1}))
    run(balls, tmp_path / "m")
    assert not lock.exists()


@pytest.mark.parametrize("name", ["model.json", "training/log.jsonl", "training/best.safetensors"])
def test_foreign_files_of_a_name_are_never_replaced(balls, tmp_path, name):
    path = tmp_path / "m" / name
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    for resume in (False, True):
        with pytest.raises(UsageError):
            run(balls, tmp_path / "m", resume=resume)
    assert path.read_text() == "mine"


def test_folder_with_a_model_is_not_overwritten(balls, straight):
    folder = straight[0].folder
    before = weights(folder)
    with pytest.raises(UsageError, match=r"already holds a model.*resume its training"):
        run(balls, folder, job(seed=5))
    assert same(weights(folder), before)


@pytest.mark.parametrize("change", [{"seed": 3}, {"learning_rate": 1e-4}, {"kind": "early-fusion"}])
def test_training_does_not_go_on_with_other_settings(balls, straight, change):
    with pytest.raises(UsageError, match="started with another task, other settings"):
        run(balls, straight[0].folder, job(**change), resume=True)


def test_damaged_state_is_explained(balls, tmp_path):
    run(balls, tmp_path / "m")
    path = tmp_path / "m" / "training" / "state.safetensors"
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ModelError, match=r"state of the training in .* cannot be read"):
        run(balls, tmp_path / "m", resume=True)
    assert load_model(tmp_path / "m").task == PET_CT


def test_no_file_of_a_training_is_a_pickle(straight):
    suffixes = {path.suffix for path in straight[0].folder.rglob("*") if path.is_file()}
    assert suffixes == {".json", ".jsonl", ".safetensors"}


def test_training_stops_when_validation_does_not_get_better(balls, tmp_path, monkeypatch):
    dices = iter([0.5, 0.4, 0.6, 0.5, 0.55, 0.9])
    monkeypatch.setattr(
        training_run, "validate_cases", lambda *_: {"dice": (d := next(dices)), "dice lesion": d}
    )
    todo = job(n_steps=30, validation_interval=1, patience=2)
    outcome = run(balls, tmp_path / "m", todo)
    assert outcome.stopped_early
    assert (outcome.step, outcome.best_step) == (5, 3)
    assert load_model(tmp_path / "m").facts.metrics["dice"] == 0.6
    again = run(balls, tmp_path / "m", todo, resume=True)
    assert again.step == 5


def test_one_patient_alone_is_trained_without_validation(balls, tmp_path):
    reporter = Recorder()
    two = balls.subset(["case 0", "case 1"])
    outcome = run(two, tmp_path / "m", reporter=reporter)
    assert outcome.split.validation == ()
    assert outcome.metrics == {}
    assert "too few patients" in reporter.warnings[0]
    assert load_model(tmp_path / "m").facts.step == QUICK.n_steps


@pytest.mark.parametrize("kind", BASELINES)
def test_baselines_are_trained_the_same_way(balls, tmp_path, kind):
    outcome = run(balls, tmp_path / "m", job(kind=kind))
    assert outcome.network(torch.zeros(1, 2, 8, 8, 8)).messages == {}
    assert not (tmp_path / "m" / "model.json").exists()
    again = run(balls, tmp_path / "m", job(kind=kind), resume=True)
    assert same(outcome.network.state_dict(), again.network.state_dict())


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_accumulation_changes_no_more_than_rounding(balls, tmp_path, optimizer):
    settings = {"batch_size": 4, "n_steps": 2, "beta": 0.0, "optimizer": optimizer}
    # The noise of the messages is drawn part by part; withhold them all to compare the rest.
    settings |= {"absence": 1.0, "learning_rate": 1e-3}
    run(balls, tmp_path / "whole", job(**settings))
    run(balls, tmp_path / "parts", job(accumulation=2, **settings))
    other = weights(tmp_path / "parts")
    for name, values in weights(tmp_path / "whole").items():
        assert torch.allclose(values, other[name], atol=2e-4), name


def test_memory_that_runs_out_makes_parts_smaller_and_says_so(balls, tmp_path, monkeypatch):
    real = training_run.TrainingRun._backward

    def backward(self, part, generator):
        if len(part.images) > 1:
            raise RuntimeError(OUT_OF_MEMORY)
        real(self, part, generator)

    monkeypatch.setattr(training_run.TrainingRun, "_backward", backward)
    reporter = Recorder()
    outcome = run(balls, tmp_path / "m", job(batch_size=4), reporter=reporter)
    assert outcome.step == QUICK.n_steps
    assert [next(t for t in ("2 parts", "4 parts") if t in text) for text in reporter.warnings] == [
        "2 parts",
        "4 parts",
    ]


def test_memory_that_never_suffices_is_explained(balls, tmp_path, monkeypatch):
    def backward(self, part, generator):
        raise RuntimeError(OUT_OF_MEMORY)

    monkeypatch.setattr(training_run.TrainingRun, "_backward", backward)
    with pytest.raises(CrossModalError, match="Use a smaller patch"):
        run(balls, tmp_path / "m")


def test_loss_that_is_not_finite_ends_training_with_a_sentence(balls, tmp_path):
    todo = job(n_steps=10, validation_interval=10, learning_rate=1e30, warmup_steps=0)
    with pytest.raises(CrossModalError, match="no longer a finite number at step 10"):
        run(balls, tmp_path / "m", dataclasses.replace(todo, validation_cases=()))


def test_cases_without_an_auxiliary_or_without_the_primary_are_used(tmp_path):
    cases = [
        bright_ball(tmp_path, 0),
        bright_ball(tmp_path, 2, modalities=("PET",)),
        bright_ball(tmp_path, 4, modalities=("CT",)),
    ]
    todo = job(validation_cases=("case 2", "case 4"))
    outcome = run(TrainingSet(tuple(cases), SPEC), tmp_path / "m", todo)
    assert outcome.metrics["dice"] >= 0
    plan = validation_plan(QUICK.patch_size, CPU)
    assert validate_case(outcome.network, cases[2], plan).dice == {}


FAULTS = {
    "patch": (job(patch_size=(8, 8, 9)), r"multiple of \(2, 2, 2\)"),
    "two dimensions": (job(patch_size=(8, 8)), "3 and 2 spatial dimensions"),
    "nothing left": (job(patch_size=(2, 2, 2)), "Use fewer levels"),
    "batch": (job(batch_size=4, accumulation=4), None),
    "positions": (
        job(dataclasses.replace(TINY, gate="dot-product"), patch_size=(40, 40, 40)),
        "at most 4096 positions",
    ),
    "unknown case": (job(validation_cases=("case 99",)), "got case 99"),
    "patient on both sides": (job(validation_cases=("case 0",)), "Cases case 1 are of patients"),
}


@pytest.mark.parametrize("fault", [name for name, entry in FAULTS.items() if entry[1]])
def test_settings_that_do_not_fit_are_refused_before_anything_is_written(balls, tmp_path, fault):
    todo, message = FAULTS[fault]
    with pytest.raises(UsageError, match=message):
        run(balls, tmp_path / "m", todo)
    assert not (tmp_path / "m").exists()


SCRIPT = """
import sys
sys.path[:0] = {paths}
from pathlib import Path
import torch
torch.set_num_threads(1)
from example_training import PET_CT, QUICK, TINY, bright_balls
from CIMLSegmentLib.config import TrainingJob
from CIMLSegmentLib.training.train import train
from MultimodalImagingLib.jobs.progress import JsonLinesReporter
import dataclasses
config = dataclasses.replace(QUICK, **{changes})
job = TrainingJob(config, TINY, device="cpu", n_workers={n_workers}, state_interval_s=0.0)
cases = bright_balls(Path(sys.argv[2]), 8)
train(cases, PET_CT, job, output=Path(sys.argv[1]), reporter=JsonLinesReporter(), resume=True)
"""


def script(tmp_path, *, n_workers, **changes):
    names = ("MDALSelector", "CIMLSegment", "Helpers")
    paths = [path for path in sys.path if Path(path).name in names]
    path = tmp_path / "script.py"
    path.write_text(
        textwrap.dedent(SCRIPT).format(paths=paths, n_workers=n_workers, changes=changes)
    )
    (tmp_path / "cases").mkdir(exist_ok=True)
    return [str(path), str(tmp_path / "model"), str(tmp_path / "cases")]


def killed_after(command, first_sign, seconds):
    """Run a command, and kill it some time after its first progress."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    for line in process.stdout:
        if first_sign in line:
            break
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL, "The training ended before it was killed."


def test_training_killed_at_random_moments_reaches_the_same_model(tmp_path):
    changes = {"n_steps": 60, "validation_interval": 10}
    command = [sys.executable, *script(tmp_path, n_workers=1, **changes)]
    generator = np.random.default_rng(0)
    for _ in range(2):  # 20 times in test_training_kills.py
        killed_after(command, '"Train"', generator.uniform(0.0, 0.6))
        if (tmp_path / "model" / "model.safetensors").exists():
            load_model(tmp_path / "model")
    cases = bright_balls(tmp_path / "cases", 8)
    todo = dataclasses.replace(job(**changes), n_workers=1)
    run(cases, tmp_path / "model", todo, resume=True)
    undisturbed = run(cases, tmp_path / "undisturbed", todo)
    killed = load_model(tmp_path / "model")
    assert killed.facts.metrics["dice"] == pytest.approx(undisturbed.metrics["dice"], abs=0.02)
    assert killed.facts.step == undisturbed.best_step
    assert same(weights(tmp_path / "model"), undisturbed.network.state_dict())


@pytest.mark.evidence  # two trainings in three processes: a minute
def test_two_processes_give_the_result_of_one(tmp_path):
    changes = {"n_steps": 40, "learning_rate": 0.02, "validation_interval": 20, "batch_size": 4}
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2"]
    command += ["--master-port=0", "--standalone", *script(tmp_path, n_workers=0, **changes)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    alone = run(bright_balls(tmp_path / "cases", 8), tmp_path / "alone", job(**changes))
    together = load_model(tmp_path / "model")
    assert together.facts.metrics["dice"] == pytest.approx(alone.metrics["dice"], abs=0.1)
    entries = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    losses = [entry["loss"] for entry in entries if "loss" in entry]
    expected = [e["loss"] for e in read_log(tmp_path / "alone/training/log.jsonl") if "loss" in e]
    assert losses == pytest.approx(expected, rel=0.15)
