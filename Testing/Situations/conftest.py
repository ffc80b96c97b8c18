"""The model that situations may ask for."""

from __future__ import annotations

from pathlib import Path

import pytest
from phantoms import plain_cohort
from run_program import PROGRAMS

# Enough to be a model; what it finds in an image does not matter here.
TRAINING = (
    *("--task", "brats", "--device", "cpu", "--steps", "6", "--validate-every", "3"),
    *("--features", "4", "--largest-patch", "16", "--batch-size", "1"),
)


@pytest.fixture(scope="session")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained model of four MR sequences with the task `brats`; do not change it."""
    folder = tmp_path_factory.mktemp("model")
    cohort = plain_cohort(folder / "cohort", n_cases=5)
    command = ("train", str(cohort), "--output", str(folder / "model"), *TRAINING)
    assert PROGRAMS["ciml-segmenter"](command) == 0
    return folder / "model"
