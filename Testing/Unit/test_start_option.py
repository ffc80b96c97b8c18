"""`train --from` on the command line: what it takes over from the model, and what it refuses."""

from __future__ import annotations

import json

import pytest
from example_result import write_model
from example_training import bright_balls

from CIMLSegmentLib.__main__ import build_parser, main
from CIMLSegmentLib.commands.train import _spec, _training_job
from CIMLSegmentLib.model.model import load_model
from CIMLSegmentLib.task.task_io import load_task
from MultimodalImagingLib.errors import UsageError

NO_SETTINGS = {"network": {}, "training": {}}


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """A model of PET, CT and T1 on 2 mm, with 3 levels that begin with 4 channels."""
    return write_model(tmp_path_factory.mktemp("models") / "start")


def options(start, *more):
    words = ("train", "cohort", "--task", "pet-ct", "--output", "new", "--from", str(start), *more)
    return build_parser().parse_args(words)


def test_the_network_and_the_spacing_are_those_of_the_model(start, tmp_path):
    model, balls = load_model(start).description, bright_balls(tmp_path, 2)
    job = _training_job(options(start), balls, NO_SETTINGS, model)
    assert (job.network, job.start) == (model.network, start)
    assert all(n % step == 0 for n, step in zip(job.training.patch_size, (4, 4, 4), strict=True))
    planned = _training_job(options(start), balls, NO_SETTINGS, None).network
    assert planned.features[0] == 8  # without a model, the plan's own
    task = load_task("pet-ct")
    assert _spec(options(start), [], task, model).spacing_mm == (2.0, 2.0, 2.0)
    assert _spec(options(start, "--spacing", "5"), [], task, model).spacing_mm == (5.0,) * 3


def test_settings_of_the_network_count_before_the_model(start, tmp_path):
    model, balls = load_model(start).description, bright_balls(tmp_path, 2)
    settings = {"network": {"message_levels": [2]}, "training": {}}
    assert _training_job(options(start), balls, settings, model).network.message_levels == (2,)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--features", "4"), "which --features contradicts"),
        (("--kind", "early-fusion"), "which --kind early-fusion contradicts"),
    ],
)
def test_a_shape_of_its_own_is_refused(start, tmp_path, capsys, more, said):
    words = ["train", str(tmp_path), "--task", "pet-ct", "--from", str(start), *more, "--events"]
    assert main([*words, "--output", str(tmp_path / "new")]) == 2
    assert said in json.loads(capsys.readouterr().out.splitlines()[-1])["message"]


def test_the_model_to_start_from_is_never_written_to(start, tmp_path, capsys):
    words = ["train", str(tmp_path), "--task", "pet-ct", "--from", str(start), "--events"]
    before = {file: file.read_bytes() for file in start.iterdir()}
    for output in (start, start / "inside"):
        assert main([*words, "--resume", "--output", str(output)]) == 2
        message = json.loads(capsys.readouterr().out.splitlines()[-1])["message"]
        assert "holds the model to start from" in message
    assert {file: file.read_bytes() for file in start.iterdir()} == before


def test_a_patch_is_never_smaller_than_the_model_needs(start, tmp_path):
    from CIMLSegmentLib.training.network_plan import patch_for_network

    network, balls = load_model(start).description.network, bright_balls(tmp_path, 2)
    patch = patch_for_network(balls, network, largest_patch=2)
    assert all(n >= step for n, step in zip(patch, network.total_stride, strict=True))


def test_a_model_that_lacks_a_modality_is_refused_before_anything_is_prepared(start):
    from CIMLSegmentLib.commands.start_option import read_start

    with pytest.raises(UsageError, match=r"lacks FLAIR \(MR\)"):
        read_start(options(start), load_task("brats"))
    description = read_start(options(start), load_task("pet-ct"))
    assert description is not None
    assert description.task.name == "pet-ct-mr"
