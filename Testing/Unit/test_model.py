import dataclasses
import hashlib
import json
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from CIMLSegmentLib.config import NetworkConfig, TrainingConfig
from CIMLSegmentLib.model import model_files
from CIMLSegmentLib.model.model import TrainedModel, load_model, save_model
from CIMLSegmentLib.model.model_description import (
    PACKAGES,
    Intensities,
    ModelDescription,
    ModelFacts,
    description_from_json,
    description_to_json,
)
from CIMLSegmentLib.network.network import build_network
from CIMLSegmentLib.task.task_io import load_task
from MultimodalImagingLib.errors import ModelError, UsageError
from MultimodalImagingLib.preparation.prepared_case import PreprocessingSpec
from MultimodalImagingLib.version import current_versions

TASK = load_task("pet-ct")
NETWORK = NetworkConfig(
    spatial_dims=2,
    features=(2, 3),
    strides=((1, 1), (2, 2)),
    kernel_sizes=((3, 3),) * 2,
    message_levels=(1,),
    message_channels=1,
    gate_channels=2,
)


def example(*, step=10, seed=0, cases=("a", "b")):
    facts = ModelFacts(
        training_cases=cases,
        validation_cases=("c",),
        intensities={"PET": Intensities(0.5, 1.0, 0.0, 3.0), "CT": Intensities(0, 1, -1, 2)},
        metrics={"dice": 0.75},
        step=step,
        versions=current_versions(PACKAGES),
    )
    description = ModelDescription(
        TASK,
        NETWORK,
        TrainingConfig(patch_size=(16, 16), seed=seed),
        PreprocessingSpec((2.0, 2.5, 3.0), {"PET": "PET", "CT": "CT"}),
        facts,
    )
    network = build_network(TASK, NETWORK, seed=seed + step)
    return TrainedModel(network.eval(), description)


def logits(model):
    image = torch.randn(1, 2, 16, 16, generator=torch.Generator().manual_seed(0))
    return model.network(image).logits["lesion"]


@pytest.fixture
def folder(tmp_path):
    save_model(tmp_path / "modèle 1", example())
    return tmp_path / "modèle 1"


def test_model_comes_back_as_it_was_saved(folder):
    model = load_model(folder)
    assert model.description == example().description
    assert torch.equal(logits(model), logits(example()))
    assert not model.network.training
    assert model.patch_size == (16, 16)
    assert model.preprocessing.modalities == ("PET", "CT")
    assert json.loads(json.dumps(model.identity))["model_id"] == example().description.model_id


def test_folder_holds_the_two_files_and_nothing_else(folder):
    assert sorted(path.name for path in folder.iterdir()) == ["model.json", "model.safetensors"]
    content = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    assert content["weights_sha256"] == digest
    assert content["preprocessing"]["spacing_mm"] == [2.0, 2.5, 3.0]
    assert content["training_cases"] == ["a", "b"]


def test_same_model_gives_the_same_bytes(folder, tmp_path):
    save_model(tmp_path / "again", example())
    for name in ("model.json", "model.safetensors"):
        assert (folder / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_model_id_names_the_training_and_not_the_state():
    name = example().description.model_id
    assert example(step=99).description.model_id == name
    assert example(seed=1).description.model_id != name
    assert example(cases=("a",)).description.model_id != name


def interrupted(monkeypatch, folder, model, *, after):
    """Save, but die after a number of files."""
    n_written = 0

    def counted(real):
        def write(*arguments):
            nonlocal n_written
            if n_written == after:
                raise KeyboardInterrupt
            n_written += 1
            real(*arguments)

        return write

    with monkeypatch.context() as patch:
        for name in ("write_bytes", "write_json"):
            patch.setattr(model_files, name, counted(getattr(model_files, name)))
        with pytest.raises(KeyboardInterrupt):
            save_model(folder, model)


NEXT_STATES = {
    "later state": example(step=20),
    "earlier state": example(step=5),
    "same step of another training": example(seed=1),
}


@pytest.mark.parametrize("name", NEXT_STATES)
@pytest.mark.parametrize("after", [0, 1])
def test_interrupted_save_leaves_the_old_or_the_new_model(monkeypatch, folder, name, after):
    new = NEXT_STATES[name]
    interrupted(monkeypatch, folder, new, after=after)
    expected = new if after else example()
    assert torch.equal(logits(load_model(folder)), logits(expected))
    assert load_model(folder).description == expected.description
    save_model(folder, new)
    assert torch.equal(logits(load_model(folder)), logits(new))


def test_model_that_training_replaces_while_it_is_read_is_read(monkeypatch, folder):
    read, later = model_files._bytes, [example(step=20)]

    def read_and_replace(path):
        data = read(path)
        if later:
            save_model(folder, later.pop())
        return data

    monkeypatch.setattr(model_files, "_bytes", read_and_replace)
    assert load_model(folder).facts.step == 20
    assert torch.equal(logits(load_model(folder)), logits(example(step=20)))


def test_weights_of_another_model_are_refused(folder, tmp_path):
    save_model(tmp_path / "other", example(cases=("x",), step=50))
    (tmp_path / "other" / "model.safetensors").replace(folder / "model.safetensors")
    with pytest.raises(ModelError, match="incomplete or has been changed"):
        load_model(folder)


class Trap:
    """Leaves a file where it is unpickled."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return Path.touch, (self.trace,)


@pytest.fixture
def trace(tmp_path):
    """A file that is there after any pickle of these tests was executed."""
    path = tmp_path / "executed"
    pickle.loads(pickle.dumps(Trap(path)))
    assert path.exists()
    path.unlink()
    return path


@pytest.mark.parametrize("name", ["a.pt", "sub/weights.PTH", "x.pkl", "last.ckpt", "y.joblib"])
def test_folder_with_a_file_that_could_execute_code_is_refused(folder, trace, name):
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(pickle.dumps(Trap(trace)))
    with pytest.raises(ModelError, match=rf"holds {name}\. Files of this kind can execute"):
        load_model(folder)
    assert not trace.exists()


@pytest.mark.parametrize("with_description", [True, False])
@pytest.mark.parametrize("save", [torch.save, lambda o, p: p.write_bytes(pickle.dumps(o))])
def test_pickle_named_as_weights_is_refused_and_not_executed(folder, trace, save, with_description):
    save({"w": Trap(trace)}, folder / "model.safetensors")
    if not with_description:
        (folder / "model.json").unlink()
    with pytest.raises(ModelError, match="incomplete or has been changed"):
        load_model(folder)
    assert not trace.exists()


def test_pickle_named_as_description_is_refused_and_not_executed(folder, trace):
    (folder / "model.json").write_bytes(pickle.dumps(Trap(trace)))
    with pytest.raises(ModelError, match=r"model\.json is not valid JSON"):
        load_model(folder)
    assert not trace.exists()


@pytest.mark.parametrize("with_description", [True, False])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.9, 0.999])
def test_truncated_weights_are_refused(folder, share, with_description):
    path = folder / "model.safetensors"
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    if not with_description:
        (folder / "model.json").unlink()
    with pytest.raises(ModelError, match="incomplete or has been changed"):
        load_model(folder)


@pytest.mark.parametrize("with_description", [True, False])
def test_weights_with_a_changed_byte_are_refused(folder, with_description):
    path = folder / "model.safetensors"
    data = path.read_bytes()
    if not with_description:
        (folder / "model.json").unlink()
    assert load_model(folder).facts.step == 10
    header = 8 + int.from_bytes(data[:8], "little")
    places = [*range(9), *np.random.default_rng(0).integers(9, header, 60), len(data) - 1]
    for place in places:
        changed = bytearray(data)
        changed[place] ^= 0x15
        path.write_bytes(bytes(changed))
        with pytest.raises(ModelError):
            load_model(folder)


@pytest.mark.parametrize("version", [0, 2, "1", None])
def test_unknown_version_is_refused(folder, version):
    path = folder / "model.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "format_version": version}))
    with pytest.raises(ModelError, match=r"format version 1 .* got .*Use the version"):
        load_model(folder)


def edited(folder, change):
    path = folder / "model.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


EDITS = {
    "unknown key": (lambda c: c.update(code="import os"), "Unknown key 'code'"),
    "missing key": (lambda c: c.pop("task"), "'task' is missing"),
    "wider network": (lambda c: c["network"].update(features=[2, 4]), "instead of"),
    "huge network": (lambda c: c["network"].update(features=[4096, 4096]), "instead of"),
    "impossible network": (lambda c: c["network"].update(gate="open"), "the gate"),
    "other task": (lambda c: c["task"]["subtasks"][0].update(auxiliaries=[]), "No sub-task uses"),
    "spacing": (lambda c: c["preprocessing"].update(spacing_mm=[0, 1, 1]), "positive spacings"),
    "intensities": (lambda c: c["intensities"].update(PET=3), "a JSON object"),
    "metric": (lambda c: c["metrics"].update(dice="good"), "a number, got 'good'"),
}


@pytest.mark.parametrize("edit", EDITS)
def test_description_that_does_not_fit_is_refused_with_a_sentence(folder, edit):
    change, message = EDITS[edit]
    edited(folder, change)
    with pytest.raises(ModelError, match=message) as caught:
        load_model(folder)
    assert "model.json" in str(caught.value) or "task" in str(caught.value) or edit.endswith("work")


def rewritten(folder, change):
    """Replace the weights consistently, as only an attacker would."""
    weights = safetensors.torch.load_file(folder / "model.safetensors")
    change(weights)
    model_files.write_model_files(folder, weights, example().description)


WEIGHTS = {
    "missing": (lambda w: w.pop(next(iter(w))), "is missing"),
    "surplus": (lambda w: w.update(extra=torch.zeros(1)), "extra is not part of it"),
    "shape": (
        lambda w: w.update({next(iter(w)): torch.zeros(7)}),
        r"has shape \(7,\) instead of",
    ),
    "type": (
        lambda w: w.update({name: v.double() for name, v in w.items()}),
        r"torch.float64 instead of torch.float32.* more",
    ),
    "not finite": (lambda w: next(iter(w.values())).fill_(float("nan")), "not finite"),
}


@pytest.mark.parametrize("kind", WEIGHTS)
def test_weights_that_do_not_fit_are_refused_with_a_sentence(folder, kind):
    change, message = WEIGHTS[kind]
    rewritten(folder, change)
    with pytest.raises(ModelError, match=message):
        load_model(folder)


def test_missing_folder_and_missing_weights_are_explained(tmp_path):
    with pytest.raises(ModelError, match=r"Expected a model folder, but .*nothing is not a folder"):
        load_model(tmp_path / "nothing")
    with pytest.raises(ModelError, match="Choose the folder that training wrote"):
        load_model(tmp_path)


def test_description_survives_sorted_json():
    description = example().description
    text = json.dumps(description_to_json(description), sort_keys=True)
    content = json.loads(text)
    del content["model_id"]
    restored = description_from_json({**content, "model_id": "x"}, where="here")
    assert restored == description
    assert restored.model_id == description.model_id


SAVER = """
import dataclasses, sys
from pathlib import Path
sys.path[:0] = {paths}
from CIMLSegmentLib.model.model import load_model, save_model
folder = Path(sys.argv[1])
model = load_model(folder)
for step in range(11, 10**6):
    facts = dataclasses.replace(model.facts, step=step)
    description = dataclasses.replace(model.description, facts=facts)
    for parameter in model.network.parameters():
        parameter.data.fill_(float(step))
    save_model(folder, dataclasses.replace(model, description=description))
    print(step, flush=True)
"""


@pytest.mark.parametrize("n_kills", [2, pytest.param(20, marks=pytest.mark.evidence)])
def test_killed_saver_leaves_a_model_whose_weights_and_description_agree(folder, n_kills):
    paths = [path for path in sys.path if path.endswith(("MDALSelector", "CIMLSegment"))]
    generator = np.random.default_rng(0)
    for _ in range(n_kills):
        process = subprocess.Popen(
            [sys.executable, "-c", SAVER.format(paths=paths), str(folder)],
            stdout=subprocess.PIPE,
            text=True,
        )
        process.stdout.readline()
        time.sleep(generator.uniform(0.0, 0.2))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        model = load_model(folder)
        values = torch.cat([p.flatten() for p in model.network.parameters()])
        assert (values == model.facts.step).all()
        facts = dataclasses.replace(model.facts, step=10)
        description = dataclasses.replace(model.description, facts=facts)
        save_model(folder, dataclasses.replace(model, description=description))


@pytest.mark.parametrize(
    ("part", "value", "found"),
    [
        ("training", TrainingConfig(patch_size=(16, 16, 16)), "patch size of 2 axes"),
        ("preprocessing", PreprocessingSpec((2.0,) * 3, {"PET": "PET"}), "images prepared as"),
        ("preprocessing", PreprocessingSpec((2.0,) * 3, {"PET": "CT", "CT": "PET"}), "prepared as"),
    ],
)
def test_parts_of_a_model_that_contradict_each_other_are_refused(part, value, found):
    with pytest.raises(UsageError, match=found):
        dataclasses.replace(example().description, **{part: value})
