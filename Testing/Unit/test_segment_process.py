"""The program `ciml-segmenter segment` as a process: start, events, cancelling, a real model."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from example_segmentation import SMALL, four_sequences, grid, pet_ct, write_case

from CIMLSegmentLib.__main__ import main
from CIMLSegmentLib.config import NetworkConfig, TrainingConfig
from CIMLSegmentLib.model.model import TrainedModel, load_model, save_model
from CIMLSegmentLib.model.model_description import ModelDescription
from CIMLSegmentLib.network.network import build_network
from CIMLSegmentLib.results.segmentation_result import read_result
from CIMLSegmentLib.task.task import Task
from CIMLSegmentLib.task.task_io import load_task
from MultimodalImagingLib.images.geometry import Grid
from MultimodalImagingLib.preparation.prepared_case import PreprocessingSpec

ROOT = Path(__file__).parents[2]
WIDE = NetworkConfig(
    features=(32, 48, 64),
    strides=SMALL.strides,
    kernel_sizes=SMALL.kernel_sizes,
    message_levels=(1, 2),
)
LARGE = Grid((96, 96, 96), (2.0, 2.0, 2.0), (-90.0, -106.0, -55.0), (1, 0, 0, 0, 1, 0, 0, 0, 1.0))


def write_model(folder: Path, task: Task, network: NetworkConfig, patch: int) -> Path:
    description = ModelDescription(
        task,
        network,
        TrainingConfig(patch_size=(patch,) * 3),
        PreprocessingSpec((2.0, 2.0, 2.0), dict(task.modalities)),
    )
    save_model(folder, TrainedModel(build_network(task, network, seed=0), description))
    return folder


def start(*arguments: object) -> subprocess.Popen[str]:
    path = os.pathsep.join([str(ROOT / "MDALSelector"), str(ROOT / "CIMLSegment")])
    return subprocess.Popen(
        [sys.executable, "-m", "CIMLSegmentLib", *map(str, arguments), "--events"],
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_sigterm_cancels_within_seconds_of_computing_and_leaves_whole_files(tmp_path: Path) -> None:
    model = write_model(tmp_path / "model", pet_ct(), WIDE, 64)
    write_case(tmp_path / "case", LARGE)
    output = tmp_path / "out"
    process = start("segment", tmp_path / "case", "--model", model, "--output", output)
    assert process.stdout is not None
    for line in process.stdout:
        event = json.loads(line)
        if event["event"] == "progress" and "part" in event:
            break
    time.sleep(0.3)  # now it is inside the network
    before = sum(psutil.Process(process.pid).cpu_times()[:2])
    children = _seconds_of_children()
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=300)
    computed = _seconds_of_children() - children - before
    assert process.returncode == 130
    assert json.loads(out.splitlines()[-1])["event"] == "error"
    assert not output.exists() or not list(output.iterdir())
    assert computed < 5  # its own time: the clock of a busy computer says little


def _seconds_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def test_two_processes_write_the_same_bytes_but_for_times(tmp_path: Path) -> None:
    model = write_model(tmp_path / "model", load_task("brats"), SMALL, 16)
    four_sequences(tmp_path / "case", without=("T2",))
    arguments = ["segment", tmp_path / "case", "--model", model, "--attention", "--gradcam"]
    arguments += ["--uncertainty", "2", "--seed", "3", "--output"]
    process = start(*arguments, tmp_path / "first")
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, out + err
    assert main([*map(str, arguments), str(tmp_path / "second")]) == 0
    first, second = tmp_path / "first" / "case", tmp_path / "second" / "case"
    names = sorted(path.name for path in first.iterdir())
    assert names == sorted(path.name for path in second.iterdir())
    assert len(names) == 3 + 9 + 9 + 6 + 9 + 3
    for name in set(names) - {"result.json"}:
        assert (first / name).read_bytes() == (second / name).read_bytes(), name
    contents = [json.loads((f / "result.json").read_text()) for f in (first, second)]
    assert contents[0].pop("timings_s").keys() == contents[1].pop("timings_s").keys()
    assert contents[0] == contents[1]
    stored = read_result(first)
    assert stored.missing == ("T2",)
    assert stored.model["task"] == "brats"


def test_a_folder_that_is_no_model_is_refused_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    four_sequences(tmp_path / "case")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights.pkl").write_bytes(b"\x80\x04.")
    arguments = ["segment", tmp_path / "case", "--model", tmp_path / "model", "--events"]
    assert main([*map(str, arguments), "--output", str(tmp_path / "out")]) == 2
    message = json.loads(capsys.readouterr().out.splitlines()[-1])["message"]
    assert "weights.pkl" in message
    assert not (tmp_path / "out").exists()


def test_unseen_leaves_out_what_the_model_was_trained_or_validated_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, case_id in enumerate(("a", "b", "c", "d")):  # equal images are of one patient
        write_case(tmp_path / "cohort" / case_id, grid((24 + number, 26, 22)))
    model = write_model(tmp_path / "model", pet_ct(), SMALL, 16)
    description = load_model(model).description
    facts = replace(
        description.facts, training_cases=("a",), validation_cases=("b",), seen_before=("d",)
    )
    network = build_network(description.task, description.network, seed=0)
    save_model(model, TrainedModel(network, replace(description, facts=facts)))
    arguments = ["segment", tmp_path / "cohort", "--model", model, "--output", tmp_path / "out"]
    assert main([*map(str, arguments), "--device", "cpu", "--unseen", "--events"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert events[-1]["done"] == ["c"]
    assert any("1 of 4 cases are new to the model." in str(e.get("message")) for e in events)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["c"]
    arguments += ["--case", "c", "--case", "d", "--overwrite", "--device", "cpu"]
    assert main([*map(str, arguments)]) == 0
    seen = {name: read_result(tmp_path / "out" / name).is_seen for name in "cd"}
    assert seen == {"c": False, "d": True}
