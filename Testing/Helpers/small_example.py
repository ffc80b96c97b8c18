"""A small cohort with everything that the commands make of it: a model, a run, results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from phantoms import plain_cohort

from CIMLSegmentLib.__main__ import main as ciml_segmenter
from MDALSelectorLib.__main__ import main as mdal_selector

N_CASES = 5
# Enough to be a model; what it finds in an image does not matter here.
TRAINING = (
    *("--task", "brats", "--device", "cpu", "--steps", "6", "--validate-every", "3"),
    *("--features", "4", "--largest-patch", "16", "--batch-size", "1"),
)


@dataclass(frozen=True)
class SmallExample:
    """Folders that the commands wrote.

    Attributes:
        cohort: Five labelled cases of four MR sequences.
        model: A model of the task `brats`.
        run: A selection run.
        results: Results of two cases, with maps and an evaluation.
    """

    cohort: Path
    model: Path
    run: Path
    results: Path


def train_small_model(folder: Path) -> Path:
    """Train a model on five small cases; returns its folder."""
    cohort = plain_cohort(folder / "cohort", n_cases=N_CASES)
    run = ("train", cohort, "--output", folder / "model", "--record", folder / "record")
    _done(ciml_segmenter, run, TRAINING)
    return folder / "model"


def make_small_example(folder: Path, model: Path) -> SmallExample:
    """Select, segment and evaluate with a trained model."""
    cohort = plain_cohort(folder / "cohort", n_cases=N_CASES)
    run, results = folder / "run", folder / "results"
    select = ("select", cohort, "--budget", "2", "--estimator", "gaussian", "--output", run)
    _done(mdal_selector, select, ("--record", folder / "record"))
    segment = ("segment", cohort, "--model", model, "--output", results, "--attention")
    _done(ciml_segmenter, segment, ("--case", "case00", "--case", "case01", "--device", "cpu"))
    _done(ciml_segmenter, ("evaluate", results, "--reference", cohort))
    return SmallExample(cohort, model, run, results)


def _done(program, *words: Sequence[str | Path]) -> None:
    command = [str(word) for part in words for word in part]
    assert program(command) == 0, command
