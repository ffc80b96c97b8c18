"""Trains the model for four MR sequences that comes with CrossModal, on synthetic heads alone.

python Testing/Evidence/demonstration_model.py --work /tmp/demonstration train
python Testing/Evidence/demonstration_model.py --work /tmp/demonstration ship
python Testing/Evidence/demonstration_model.py --work /tmp/demonstration evaluate

The cohort has another seed than those of `Testing/demo.sh` and of the sample cohort, so that their
cases are never seen. Training and evaluation are the commands of a user; a training that was killed
resumes, and one that was stopped keeps its best network. The last cases are kept unseen.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / name) for name in ("MDALSelector", "CIMLSegment")]

from CIMLSegmentLib.__main__ import main as ciml_segmenter  # noqa: E402
from CIMLSegmentLib.model.model import load_model, save_model  # noqa: E402
from MDALSelectorLib.synthetic_cohort import write_cohort  # noqa: E402
from MultimodalImagingLib.cohorts.cohort import find_cohort  # noqa: E402
from MultimodalImagingLib.record.atomic_files import write_json  # noqa: E402

NAME = "brain-mr-demonstration"
SHIPPED = ROOT / "CIMLSegment" / "Resources" / "Models" / NAME
FOUND = Path(__file__).with_name(f"{NAME}.json")
N_CASES, N_UNSEEN, SEED = 96, 20, 2026
VALIDATION = tuple(f"case-{number:03d}" for number in range(72, 77))
SETTINGS = {
    "network": {"message_levels": [2, 3]},
    "training": {"augmentation": 0.3, "warmup_steps": 50, "patience": 20},
}


def cohort_folder(work: Path) -> Path:
    """Return the folder of the cohort, which is made where it is not there."""
    folder = work / "brain"
    if not (folder / "factors.csv").is_file():
        write_cohort(folder, n_cases=N_CASES, seed=SEED)
    return folder


def training_labels(folder: Path, labels: Path) -> Path:
    """Copy the labels of the cases to train on: without known faults of images, and not unseen."""
    with (folder / "factors.csv").open(encoding="utf-8") as file:
        fault = {row["case"]: row["known fault"] for row in csv.DictReader(file)}
    labels.mkdir(parents=True, exist_ok=True)
    for case in sorted(fault)[:-N_UNSEEN]:
        if fault[case] in ("", "lacks T1"):
            shutil.copyfile(folder / "reference" / f"{case}.nii.gz", labels / f"{case}.nii.gz")
    return labels


def train(work: Path) -> int:
    """Train, or go on training; returns the exit code."""
    folder = cohort_folder(work)
    write_json(work / "settings.json", SETTINGS)
    words = ["train", str(folder / "cohort"), "--task", "brats", "--device", "cpu", "--resume"]
    words += ["--labels", str(training_labels(folder, work / "labels"))]
    words += ["--output", str(work / "model"), "--record", str(work / "record")]
    words += ["--features", "6", "--largest-patch", "40", "--settings", str(work / "settings.json")]
    words += ["--steps", "1000", "--validate-every", "200"]
    for case in VALIDATION:
        words += ["--validation-case", case]
    return ciml_segmenter(words)


def full_name(case_id: str) -> str:
    """Name a case with its cohort: every synthetic cohort has a `case-001`.

    Otherwise `--unseen` would leave out cases of other cohorts that the model has never seen.
    """
    return f"seed-{SEED}_{case_id}"


def ship(work: Path) -> int:
    """Store the best network so far as float16 where the program looks for its models."""
    model = load_model(work / "model")
    facts = replace(
        model.facts,
        training_cases=tuple(map(full_name, model.facts.training_cases)),
        validation_cases=tuple(map(full_name, model.facts.validation_cases)),
    )
    described = replace(model, description=replace(model.description, facts=facts))
    save_model(SHIPPED, described, dtype=torch.float16)
    return 0


def evaluate(work: Path) -> int:
    """Measure the shipped model on the cases that it has never seen; returns the exit code."""
    folder, model = cohort_folder(work), load_model(SHIPPED)
    cases = find_cohort(folder / "cohort").cases[-N_UNSEEN:]
    if model.facts.seen_cases & {full_name(case.case_id) for case in cases}:
        sys.exit("The model has seen cases that it must not have seen.")
    results, cohort = work / "results", str(folder / "cohort")
    where = ["--model", str(SHIPPED), "--output", str(results), "--device", "cpu", "--overwrite"]
    chosen = [word for case in cases for word in ("--case", case.case_id)]
    codes = [
        ciml_segmenter(["segment", cohort, *where, *chosen]),
        ciml_segmenter(["evaluate", str(results), "--reference", str(folder / "reference")]),
    ]
    if any(codes):
        return max(codes)
    content = json.loads((results / "evaluation.json").read_text(encoding="utf-8"))
    write_json(FOUND, measured(content["scores"], model.description.model_id, model.facts.step))
    return 0


def measured(scores: Sequence[dict[str, object]], model_id: str, step: int) -> dict[str, object]:
    """Return the scores of every case and region, and the means of every region."""
    kept = ("case_id", "region", "dice", "hd95_mm", "predicted_ml", "reference_ml")
    regions = dict.fromkeys(str(score["region"]) for score in scores)
    return {
        "model": {"model_id": model_id, "step": step},
        "mean": {
            region: {
                name: float(np.mean([s[name] for s in scores if s["region"] == region]))  # type: ignore[arg-type]
                for name in ("dice", "hd95_mm")
            }
            for region in regions
        },
        "scores": [
            {**{name: score[name] for name in kept}, "case_id": full_name(str(score["case_id"]))}
            for score in scores
        ],
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one part."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="receives what is not shipped")
    parser.add_argument("part", choices=["train", "ship", "evaluate"])
    options = parser.parse_args(arguments)
    return {"train": train, "ship": ship, "evaluate": evaluate}[options.part](options.work)


if __name__ == "__main__":
    sys.exit(main())
