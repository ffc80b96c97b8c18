"""Every model that comes with the program is small, says what it is, and segments a phantom."""

from __future__ import annotations

import json
import re
from pathlib import Path

import example_result as example
import pytest
import safetensors.torch
import torch

from CIMLSegmentLib.__main__ import main
from CIMLSegmentLib.model.model import load_model
from CIMLSegmentLib.model.model_description import WEIGHTS_NAME
from CIMLSegmentLib.model.shipped_models import CARD_NAME, shipped_models
from CIMLSegmentLib.results.segmentation_result import read_results
from MultimodalImagingLib.images.volume_io import write_volume

ROOT = Path(__file__).parents[2]
MODELS = dict(shipped_models())
SARCOMA = "sarcoma-pet-ct-mr"
MOST_BYTES = 8_000_000
HEADINGS = (
    *("Data and license", "How it was made", "Accuracy on cases never seen", "Reliability"),
    *("Known failures", "Research only"),
)


def test_the_models_are_there():
    assert SARCOMA in MODELS


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_small(name):
    assert sum(file.stat().st_size for file in MODELS[name].iterdir()) <= MOST_BYTES


def test_the_sarcoma_model_is_stored_in_half_precision():
    weights = safetensors.torch.load_file(MODELS[SARCOMA] / WEIGHTS_NAME)
    assert {values.dtype for values in weights.values()} == {torch.float16}


@pytest.mark.parametrize("name", MODELS)
def test_a_card_has_all_that_a_user_must_know(name):
    text = (MODELS[name] / CARD_NAME).read_text(encoding="utf-8")
    found = re.findall(r"^## (.+)$", text, flags=re.MULTILINE)
    assert [heading for heading in found if heading in HEADINGS] == list(HEADINGS)
    assert f"# {name}\n" in text
    assert "ciml-segmenter train" in text
    assert not re.search(r"/(work|root|home|tmp)/", text)


@pytest.mark.parametrize("name", MODELS)
def test_a_model_segments_a_phantom_by_its_name(name, tmp_path):
    on, task = example.grid(), load_model(MODELS[name]).task
    words = ["segment", "--model", name, "--output", str(tmp_path / "out"), "--device", "cpu"]
    for modality in task.modalities:
        path = tmp_path / f"{modality}.nii.gz"
        write_volume(path, example.image(modality, on))
        words += ["--image", f"{modality}={path}"]
    assert main([*words, "--case-id", "phantom", "--attention"]) == 0
    (result,) = read_results(tmp_path / "out")
    assert result.task == task
    assert set(result.volumes_ml) == set(task.region_names)
    assert not result.is_seen
    assert {item.key.auxiliary for item in result.maps} == {a for _, a in task.pairs()}


def test_the_card_of_the_sarcoma_model_has_the_numbers_that_were_measured():
    text = (MODELS[SARCOMA] / CARD_NAME).read_text(encoding="utf-8")
    evidence = ROOT / "Testing" / "Evidence" / f"{SARCOMA}.json"
    found = json.loads(evidence.read_text(encoding="utf-8"))
    model = load_model(MODELS[SARCOMA])
    assert found["model"] == {"model_id": model.description.model_id, "step": model.facts.step}
    for case, score in found["cases"].items():
        assert case not in model.facts.seen_cases
        assert abs(score["dice"] - score["dice_float32"]) <= 0.001
        numbers = f"{score['dice']:.3f} | {score['hd95_mm']:.1f}"
        assert f"\n| {case} | {numbers} |" in text
    mean = found["mean"]
    assert f"\n| mean | {mean['dice']:.3f} | {mean['hd95_mm']:.1f} |" in text
    assert (
        f"without CT {mean['dice_without_CT']:.3f}, without T1 {mean['dice_without_T1']:.3f}"
        in text
    )
    for row in found["reliability"]:
        shown = f"{row['mean_probability']:.2f} | {row['share_tumor']:.2f} | {row['voxels']:,} |"
        assert shown in text
    assert f"expected calibration error {found['expected_calibration_error']:.3f}" in text
    assert len(found["cases"]) == 10
