"""Trainings that are killed at random moments: the folder stays readable, the result the same."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from CIMLSegmentLib.model.model import load_model
from CIMLSegmentLib.training.training_folder import read_log
from CIMLSegmentLib.training.training_state import STATE_NAME
from MDALSelectorLib.synthetic_cohort import write_cohort

N_STEPS = 60
SETTINGS = ["--task", "brats", "--spacing", "6", "--features", "4", "--device", "cpu"]
SETTINGS += ["--steps", str(N_STEPS), "--validate-every", "3", "--events"]


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    folder = tmp_path_factory.mktemp("synthetic")
    write_cohort(folder, n_cases=12, seed=0)
    return folder


def command(cohort, folder):
    """The training of a cohort into `folder / "model"`, with a record of its own."""
    arguments = [sys.executable, "-m", "CIMLSegmentLib", "train", str(cohort / "cohort"), *SETTINGS]
    arguments += ["--labels", str(cohort / "reference"), "--record", str(folder / "record")]
    return [*arguments, "--output", str(folder / "model"), "--resume"]


def start(arguments):
    names = ("MDALSelector", "CIMLSegment")
    paths = [path for path in sys.path if Path(path).name in names]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    )


def kill_at_random(process, generator):
    """Kill a training while it starts, prepares images or trains; tell how far it was."""
    is_early = generator.uniform() < 0.25
    n_lines = int(generator.integers(0, 8))
    step = None
    for line in process.stdout:
        event = json.loads(line)
        if event.get("stage") == "Train":
            step = event["done"]
        if is_early or (step is not None and n_lines == 0):
            break
        n_lines -= step is not None
    time.sleep(generator.uniform(0.0, 1.5))
    assert process.poll() is None, "The training ended before it was killed."
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    return step


def step_of_model(folder):
    """Load the model if there is one yet; its step."""
    has_weights = (folder / "model.safetensors").exists()
    return load_model(folder).facts.step if has_weights else None


@pytest.mark.evidence
def test_training_command_killed_20_times_reaches_the_undisturbed_figures(cohort, tmp_path):
    generator = np.random.default_rng(0)
    disturbed, undisturbed = tmp_path / "disturbed", tmp_path / "undisturbed"
    best_steps = []
    for number in range(20):
        killed_at = kill_at_random(start(command(cohort, disturbed)), generator)
        best_steps.append(step_of_model(disturbed / "model"))
        print(f"kill {number + 1}: step {killed_at}, best network of step {best_steps[-1]}")
    for folder in (disturbed, undisturbed):
        process = start(command(cohort, folder))
        process.communicate()
        assert process.returncode == 0
    known = [step for step in best_steps if step is not None]
    assert known == sorted(known)
    assert known[-1] > known[0], "The killed trainings did not get on."
    killed, whole = (load_model(folder / "model") for folder in (disturbed, undisturbed))
    print("killed     ", killed.facts.step, killed.facts.metrics)
    print("undisturbed", whole.facts.step, whole.facts.metrics)
    assert whole.facts.metrics["dice"] > 0.05
    assert killed.facts.metrics == pytest.approx(whole.facts.metrics, abs=0.02)
    first, second = (read_log(f / "model/training/log.jsonl") for f in (disturbed, undisturbed))
    validations = [[e["dice"] for e in log if "dice" in e] for log in (first, second)]
    assert validations[0] == pytest.approx(validations[1], abs=0.02)
    weights = [model.network.state_dict() for model in (killed, whole)]
    print("weights equal:", all(torch.equal(v, weights[1][n]) for n, v in weights[0].items()))
    assert (disturbed / "model" / "training" / STATE_NAME).is_file()
