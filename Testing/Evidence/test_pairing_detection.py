"""The figures of `pairing_detection.py` that the project promises."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).with_name("pairing_detection.py")


@pytest.fixture(scope="module")
def result(real_cohorts: Path, tmp_path_factory: pytest.TempPathFactory) -> dict:
    work = tmp_path_factory.mktemp("pairing")
    output = work / "result.json"
    command = [sys.executable, str(SCRIPT), str(real_cohorts / "sts51"), "--work", str(work)]
    subprocess.run([*command, "--draws", "10", "--output", str(output)], check=True)
    return json.loads(output.read_text())


@pytest.mark.evidence
@pytest.mark.cohort
def test_the_known_case_is_flagged_and_at_most_a_tenth_of_the_untouched(result: dict) -> None:
    assert "STS_019" in result["untouched"]["flagged"]
    assert len(set(result["untouched"]["with_pmi"]) - {"STS_019"}) <= 5


@pytest.mark.evidence
@pytest.mark.cohort
def test_five_of_six_swapped_images_are_found_in_every_draw(result: dict) -> None:
    assert min(draw["found"] for draw in result["draws"]) >= 5
    assert max(len(draw["others"]) for draw in result["draws"]) <= 4


@pytest.mark.evidence
@pytest.mark.cohort
def test_larger_shifts_are_found_more_often(result: dict) -> None:
    share = {
        mm: np.mean([row["found_at_5_percent"] for row in result["shifts"] if row["mm"] == mm])
        for mm in (5.0, 10.0, 20.0)
    }
    assert share[5.0] > 0.15
    assert share[10.0] > 0.6
    assert share[20.0] > 0.9


@pytest.mark.evidence
@pytest.mark.cohort
def test_mirrored_turned_and_copied_images_are_found_at_the_price_of_no_other(result: dict) -> None:
    for row in result["planted"]:
        assert row["found"] >= 2, row
        assert row["others"] <= 1, row
