"""`train --from`: what is kept of a model, what is new and why, and what is said about it."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from example_training import PET_CT, QUICK, SPEC, TINY, bright_balls

from CIMLSegmentLib.config import NetworkConfig, TrainingJob
from CIMLSegmentLib.model.model import TrainedModel, load_model, save_model
from CIMLSegmentLib.model.model_description import ModelDescription, ModelFacts
from CIMLSegmentLib.network.network import CIMLNet, build_network
from CIMLSegmentLib.task.parts import Subtask
from CIMLSegmentLib.task.task import Task
from CIMLSegmentLib.task.task_io import load_task
from CIMLSegmentLib.training.start_model import inherit
from CIMLSegmentLib.training.train import train
from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.jobs.progress import NullReporter
from MultimodalImagingLib.preparation.prepared_case import PreprocessingSpec

PET_CT_MR = load_task("pet-ct-mr")


class Listener(NullReporter):
    def __init__(self):
        self.said, self.warnings = [], []

    def info(self, text):
        self.said.append(text)

    def warning(self, text):
        self.warnings.append(text)


def write_model(folder, task=PET_CT_MR, config=TINY, *, seed=5, facts=None):
    spec = PreprocessingSpec(SPEC.spacing_mm, dict(task.modalities))
    facts = facts or ModelFacts(("a", "b"), ("c",), step=7)
    description = ModelDescription(task, config, QUICK, spec, facts)
    save_model(folder, TrainedModel(build_network(task, config, seed=seed).eval(), description))
    return folder


def begun(folder, task, config=TINY) -> CIMLNet:
    """A network as a training begins with it."""
    network = build_network(task, config, seed=0)
    network.load_state_dict(inherit(folder, task, config).weights, strict=False)
    return network


def same(first, second) -> bool:
    a, b = first.state_dict(), second.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def with_task(**changes) -> Task:
    return dataclasses.replace(PET_CT_MR, **changes)


def test_the_same_task_keeps_every_weight(tmp_path):
    folder = write_model(tmp_path / "start")
    found = inherit(folder, PET_CT_MR, TINY)
    assert same(begun(folder, PET_CT_MR), load_model(folder).network)
    assert found.new == []
    assert list(found.sentences) == [
        "Started from the model start. Kept: the encoder of PET; the encoder of CT; the encoder of"
        " T1; the gate from CT to PET; the gate from T1 to PET; the decoder of GTV; its output for"
        " GTV.",
        "Nothing is new.",
    ]


def test_parts_are_found_by_their_meaning_and_not_by_their_place(tmp_path):
    """PET and T1 change places among the modalities, and CT is left out."""
    task = with_task(
        modalities={"T1": "MR", "PET": "PET"},
        subtasks=(Subtask("GTV", "PET", ("T1",), ("GTV",)),),
    )
    folder = write_model(tmp_path / "start")
    start, network = load_model(folder).network, begun(folder, task)
    assert same(network.encoders[0], start.encoders[2])  # T1
    assert same(network.encoders[1], start.encoders[0])  # PET
    assert same(network.channels[0], start.channels[1])  # from T1 to PET
    assert not same(network.encoders[0], start.encoders[0])
    assert same(network.decoders[0], build_network(task, TINY, seed=0).decoders[0])
    assert inherit(folder, task, TINY).new == [
        "the decoder of GTV (that of the model reads messages of CT and T1)"
    ]


def test_other_regions_need_another_output(tmp_path):
    lesion = dataclasses.replace(PET_CT_MR.regions[0], name="lesion")
    task = with_task(
        regions=(lesion,), subtasks=(Subtask("lesion", "PET", ("CT", "T1"), ("lesion",)),)
    )
    folder = write_model(tmp_path / "start")
    start, network = load_model(folder).network, begun(folder, task)
    assert same(network.decoders[0].levels, start.decoders[0].levels)
    assert same(network.decoders[0].up, start.decoders[0].up)
    assert not same(network.decoders[0].heads, start.decoders[0].heads)
    assert inherit(folder, task, TINY).new == [
        "its output for lesion (that of the model is for GTV)"
    ]


def test_another_primary_keeps_the_encoders_alone(tmp_path):
    task = with_task(subtasks=(Subtask("GTV", "CT", ("PET", "T1"), ("GTV",)),))
    folder = write_model(tmp_path / "start")
    start, network = load_model(folder).network, begun(folder, task)
    assert same(network.encoders, start.encoders)
    assert inherit(folder, task, TINY).new == [
        "the gate from PET to CT (the model sends no such message)",
        "the gate from T1 to CT (the model sends no such message)",
        "the decoder of GTV (CT is primary nowhere in the model)",
    ]


def test_of_two_sub_tasks_with_one_primary_the_one_with_the_same_regions_is_taken(tmp_path):
    first, second = (
        dataclasses.replace(PET_CT_MR.regions[0], name=name, labels=(value,), value=value)
        for name, value in (("core", 1), ("rim", 2))
    )
    core, rim = (Subtask(r.name, "PET", ("CT", "T1"), (r.name,)) for r in (first, second))
    both = with_task(labels={1: "a", 2: "b"}, regions=(first, second), subtasks=(core, rim))
    task = with_task(labels={2: "b"}, regions=(second,), subtasks=(rim,))
    folder = write_model(tmp_path / "start", both)
    start, network = load_model(folder).network, begun(folder, task)
    assert same(network.decoders[0], start.decoders[1])
    assert same(network.channels[1], start.channels[3])  # from T1, for the second sub-task


def test_levels_of_another_shape_are_new_and_finer_ones_are_kept(tmp_path):
    folder = write_model(tmp_path / "start")
    wider = dataclasses.replace(TINY, features=(4, 8))
    start, network = load_model(folder).network, begun(folder, PET_CT_MR, wider)
    for old, new in zip(start.encoders, network.encoders, strict=True):
        assert same(old.levels[0], new.levels[0])
    found = inherit(folder, PET_CT_MR, wider)
    assert "the encoder of CT, its first 1 level" in found.kept
    assert "the encoder of CT from level 2 on (its shape differs)" in found.new
    assert "the decoder of GTV (its shape differs)" in found.new


def test_a_network_of_another_shape_altogether_is_refused(tmp_path):
    folder = write_model(tmp_path / "start")
    other = dataclasses.replace(TINY, features=(5, 8))
    with pytest.raises(UsageError, match="No encoder of the model"):
        inherit(folder, PET_CT_MR, other)


@pytest.mark.parametrize(
    ("task", "absent"),
    [
        (load_task("brats"), r"lacks (\w+ \(MR\), )*FLAIR \(MR\)|lacks FLAIR"),
        (
            with_task(modalities={"PET": "PET", "CT": "CT", "T1": "OTHER"}),
            r"trained with PET \(PET\), CT \(CT\), T1 \(MR\) and lacks T1 \(OTHER\)",
        ),
    ],
    ids=["absent", "of another kind"],
)
def test_a_model_without_a_modality_of_the_task_is_refused_by_name(tmp_path, task, absent):
    folder = write_model(tmp_path / "start")
    with pytest.raises(UsageError, match=absent):
        inherit(folder, task, TINY)


@pytest.fixture(scope="module")
def balls(tmp_path_factory):
    return bright_balls(tmp_path_factory.mktemp("cases"), 8)


def run(cases, folder, start, *, config=QUICK, resume=False, network: NetworkConfig = TINY):
    listener = Listener()
    job = TrainingJob(config, network, device="cpu", n_workers=0, start=start)
    train(cases, PET_CT, job, output=folder, reporter=listener, resume=resume)
    return listener


def test_a_training_begins_with_the_weights_and_the_model_says_so(tmp_path, balls):
    before = ModelFacts(("case 0", "x"), ("y",), seen_before=("z",), step=7)
    start = write_model(tmp_path / "first", facts=before)
    still = dataclasses.replace(QUICK, learning_rate=1e-12, weight_decay=0.0)
    listener = run(balls, tmp_path / "model", start, config=still)
    found, new = load_model(tmp_path / "model"), build_network(PET_CT, TINY, seed=0).state_dict()
    old = load_model(start)
    for name, values in found.network.state_dict().items():
        kept = name.startswith(("encoders", "channels"))  # of PET and CT, which come first in both
        wanted = old.network.state_dict()[name] if kept else new[name]
        assert torch.allclose(values, wanted, atol=1e-6), name
    assert listener.said[0].startswith("Started from the model first. Kept: the encoder of PET;")
    assert "New: the decoder of lesion (that of the model reads messages" in listener.said[1]
    facts = found.facts
    assert facts.started_from is not None
    assert dataclasses.astuple(facts.started_from) == ("first", old.description.model_id, 7)
    assert facts.seen_before == ("case 0", "x", "y", "z")
    assert facts.seen_cases == {*facts.seen_before, *(f"case {n}" for n in range(8))}


def test_validation_cases_that_the_start_model_knows_are_named(tmp_path, balls):
    facts = ModelFacts(tuple(case.case_id for case in balls.cases))
    listener = run(balls, tmp_path / "model", write_model(tmp_path / "first", facts=facts))
    (warning,) = listener.warnings
    assert "2 of 2 validation cases were seen by the model first" in warning
    stranger = write_model(tmp_path / "stranger", facts=ModelFacts(("someone",)))
    assert run(balls, tmp_path / "other", stranger).warnings == []


def test_a_training_that_was_begun_from_a_model_resumes_from_its_state(tmp_path, balls):
    start = write_model(tmp_path / "first")
    run(balls, tmp_path / "model", start)
    before = load_model(tmp_path / "model")
    listener = run(balls, tmp_path / "model", start, resume=True)
    assert listener.said == []  # nothing is taken over a second time
    assert same(before.network, load_model(tmp_path / "model").network)


def test_a_training_resumes_only_with_the_model_that_it_began_with(tmp_path, balls):
    run(balls, tmp_path / "model", write_model(tmp_path / "first"))
    run(balls, tmp_path / "new", None)
    other = write_model(tmp_path / "other", seed=6, facts=ModelFacts(("q",)))
    for folder, start in (("model", other), ("model", None), ("new", other)):
        with pytest.raises(UsageError, match=r"another model \(--from\)"):
            run(balls, tmp_path / folder, start, resume=True)


def test_what_a_training_begins_with_is_kept_unless_steps_make_it_better(tmp_path, balls):
    run(balls, tmp_path / "first", None)
    first = load_model(tmp_path / "first")
    still = dataclasses.replace(QUICK, learning_rate=1e-12, weight_decay=0.0)
    listener = run(balls, tmp_path / "model", tmp_path / "first", config=still)
    kept = load_model(tmp_path / "model")
    assert kept.facts.step == 0
    assert same(kept.network, first.network)
    assert kept.facts.metrics["dice"] == pytest.approx(first.facts.metrics["dice"], abs=1e-6)
    assert f"reaches a validation Dice of {kept.facts.metrics['dice']:.3f}" in listener.said[-1]
