"""The card of the demonstration model has the numbers that were measured, and hides nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from CIMLSegmentLib.model.model import load_model
from CIMLSegmentLib.model.shipped_models import CARD_NAME, shipped_models

ROOT = Path(__file__).parents[2]
NAME = "brain-mr-demonstration"
N_UNSEEN = 20


@pytest.fixture(scope="module")
def found():
    path = ROOT / "Testing" / "Evidence" / f"{NAME}.json"
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def card():
    return (shipped_models()[NAME] / CARD_NAME).read_text(encoding="utf-8")


def test_the_numbers_are_those_of_the_network_that_is_shipped(found):
    model = load_model(shipped_models()[NAME])
    assert found["model"] == {"model_id": model.description.model_id, "step": model.facts.step}
    cases = {score["case_id"] for score in found["scores"]}
    assert len(cases) == N_UNSEEN
    assert cases.isdisjoint(model.facts.seen_cases)


def test_the_card_has_the_means_and_the_worst_case_of_every_region(found, card):
    for region, mean in found["mean"].items():
        worst = min(s["dice"] for s in found["scores"] if s["region"] == region)
        row = f"| {region} | {mean['dice']:.3f} | {worst:.3f} | {mean['hd95_mm']:.1f} |"
        assert row in card


def test_the_card_says_first_that_the_images_are_synthetic(card):
    assert card.splitlines()[2].startswith("**Synthetic images only, for demonstration only.**")
