"""The models that come with the program are found by name, small, described, and usable."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from example_training import PET_CT, QUICK, SPEC, TINY

from CIMLSegmentLib.model import shipped_models as shipped
from CIMLSegmentLib.model.model import TrainedModel, load_model, save_model
from CIMLSegmentLib.model.model_description import WEIGHTS_NAME, ModelDescription
from CIMLSegmentLib.model.shipped_models import model_folder, shipped_models
from CIMLSegmentLib.network.network import build_network
from MultimodalImagingLib.errors import ModelError


def tiny_model(seed: int = 0) -> TrainedModel:
    description = ModelDescription(PET_CT, TINY, QUICK, SPEC)
    return TrainedModel(build_network(PET_CT, TINY, seed=seed).eval(), description)


@pytest.fixture
def two_models(tmp_path, monkeypatch):
    """Two models come with the program, one in each of its places."""
    places = (tmp_path / "beside", tmp_path / "inside")
    monkeypatch.setattr(shipped, "_PLACES", places)
    folders = {"pears": places[0] / "pears", "apples": places[1] / "apples"}
    for folder in folders.values():
        save_model(folder, tiny_model())
    (places[0] / "no model").mkdir()
    return folders


def test_models_are_listed_by_name_wherever_they_were_installed(two_models):
    assert dict(shipped_models()) == two_models


def test_a_name_counts_before_a_path_and_anything_else_is_a_path(two_models):
    assert model_folder("pears") == two_models["pears"]
    for path in ("./pears", "other", "/somewhere/pears"):
        assert model_folder(path) == Path(path)


def test_a_wrong_name_is_answered_with_the_right_ones(two_models):
    with pytest.raises(ModelError, match=r"comes with CrossModal: apples, pears\."):
        load_model(model_folder("pairs"))
    assert two_models


def test_models_are_listed_without_torch():
    code = (
        "import sys; from CIMLSegmentLib.model.shipped_models import shipped_models;"
        " shipped_models(); sys.exit('torch' in sys.modules)"
    )
    path = [str(Path(shipped.__file__).parents[2]), *sys.path]
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {path!r}; {code}"], check=False
    )
    assert done.returncode == 0


def test_half_precision_halves_the_file_and_is_read_as_float32(tmp_path):
    model = tiny_model()
    save_model(tmp_path / "whole", model)
    save_model(tmp_path / "half", model, dtype=torch.float16)
    sizes = [(tmp_path / n / WEIGHTS_NAME).stat().st_size for n in ("half", "whole")]
    n_values = sum(v.numel() for v in model.network.state_dict().values())
    assert sizes[1] - sizes[0] == pytest.approx(2 * n_values, rel=0.05)
    read = load_model(tmp_path / "half")
    assert read.description == model.description
    weights = model.network.state_dict()
    for name, values in read.network.state_dict().items():
        assert values.dtype == torch.float32
        assert torch.equal(values, weights[name].half().float())


def test_weights_beyond_half_precision_are_refused_when_they_are_read(tmp_path):
    model = tiny_model()
    next(iter(model.network.parameters())).data.view(-1)[0] = 1e6  # float16 ends at 65,504
    save_model(tmp_path / "half", model, dtype=torch.float16)
    with pytest.raises(ModelError, match="not finite"):
        load_model(tmp_path / "half")


def test_other_number_formats_are_refused(tmp_path):
    save_model(tmp_path / "model", tiny_model(), dtype=torch.float64)
    with pytest.raises(ModelError, match=r"torch\.float64 instead of torch\.float32"):
        load_model(tmp_path / "model")
