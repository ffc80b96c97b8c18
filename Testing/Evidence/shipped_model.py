"""Trains the model that comes with CrossModal, and evaluates it on cases that it has never seen.

python Testing/Evidence/shipped_model.py ../shared/data/sts51 --work /tmp/shipped PART

with PART `first` and `second` (the two stages of the training), `ship`, `evaluate`.

Which ten cases the model never sees is decided by `unseen_cases` alone: a seeded permutation of
the patients, written before the first training. A stage is the command `ciml-segmenter train` with
the arguments that `training_arguments` returns; one that was killed resumes. The second begins with
the best network of the first, has the same cases for training and for validation, and lets the
learning rate fall to zero within the time that was left. `ship` stores its best network as float16
in the folder of the models, where `model-card.md` is written by hand. `evaluate` uses the shipped
files, as `ciml-segmenter segment` and `evaluate` do, and writes `sarcoma-pet-ct-mr.json`, which the
card has to agree with (a test compares).
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import ndimage

sys.path.insert(0, str(Path(__file__).parents[2] / "MDALSelector"))
sys.path.insert(0, str(Path(__file__).parents[2] / "CIMLSegment"))

from CIMLSegmentLib.__main__ import main as ciml_segmenter
from CIMLSegmentLib.config import InferenceConfig
from CIMLSegmentLib.inference.result_maps import OutputSpace, region_probabilities
from CIMLSegmentLib.inference.segment_case import predict_prepared
from CIMLSegmentLib.model.model import TrainedModel, load_model, save_model
from MultimodalImagingLib.cohorts.cases import Case
from MultimodalImagingLib.cohorts.cohort import find_cohort
from MultimodalImagingLib.images.overlap import dice
from MultimodalImagingLib.images.volume_io import read_volume
from MultimodalImagingLib.jobs.progress import NullReporter
from MultimodalImagingLib.preparation.case_preparation import prepare_case
from MultimodalImagingLib.record.atomic_files import write_json

TASK = "pet-ct-mr"
LEFT_OUT = ("STS_019",)  # PET and T1 are misaligned
N_UNSEEN = 10
STAGES = {
    "first": ["--spacing", "4", "--steps", "1600"],
    "second": ["--spacing", "5", "--steps", "700"],
}
SPLIT_SEED = 2026
NAME, REGION, PRIMARY = "sarcoma-pet-ct-mr", "GTV", "PET"
SHIPPED = Path(__file__).parents[2] / "CIMLSegment" / "Resources" / "Models" / NAME
FOUND = Path(__file__).with_name(f"{NAME}.json")
BAND_MM = 20.0  # reliability is asked within this distance of the tumor: far voxels are all easy
N_BINS = 10


def usable_cases(cohort: Path) -> list[Case]:
    """Return the cases of the cohort but the misaligned one, sorted."""
    return [case for case in find_cohort(cohort).cases if case.case_id not in LEFT_OUT]


def unseen_cases(cases: Sequence[Case]) -> set[str]:
    """Return the ids of all cases of ten patients that a seeded permutation draws."""
    patients = sorted({case.patient_id for case in cases})
    order = np.random.default_rng(SPLIT_SEED).permutation(len(patients))
    drawn = {patients[index] for index in order[:N_UNSEEN]}
    return {case.case_id for case in cases if case.patient_id in drawn}


def write_manifest(path: Path, cases: Sequence[Case]) -> Path:
    """Write a CSV manifest of cases with their labels; returns its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    modalities = sorted({modality for case in cases for modality in case.images})
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["case", *modalities, "label"])
        for case in cases:
            images = [case.images[modality].path.resolve() for modality in modalities]
            rows.writerow([case.case_id, *images, case.label and case.label.path.resolve()])
    return path


def training_arguments(manifest: Path, work: Path, stage: str) -> list[str]:
    """Return the command line of a stage of the training."""
    chosen = ["--task", TASK, "--validate-every", "100", "--device", "cpu", *STAGES[stage]]
    start = ["--from", str(work / "first")] if stage == "second" else []
    where = ["--output", str(work / stage), "--record", str(work / "record"), "--resume"]
    return ["train", str(manifest), *chosen, *start, *where]


def train(cohort: Path, work: Path, stage: str) -> int:
    """Train on the cases that are not kept unseen; returns the exit code."""
    cases = usable_cases(cohort)
    unseen = unseen_cases(cases)
    seen = [case for case in cases if case.case_id not in unseen]
    manifest = write_manifest(work / "seen.csv", seen)
    return ciml_segmenter(training_arguments(manifest, work, stage))


def ship(work: Path) -> int:
    """Store the best network so far as float16 where the program looks for its models."""
    save_model(SHIPPED, load_model(work / "second"), dtype=torch.float16)
    return 0


def evaluate(cohort: Path, work: Path) -> int:
    """Measure the shipped model on the cases that it has never seen; returns the exit code."""
    cases = usable_cases(cohort)
    unseen = [case for case in cases if case.case_id in unseen_cases(cases)]
    model = load_model(SHIPPED)
    if model.facts.seen_cases & {case.case_id for case in unseen}:
        sys.exit("The model has seen cases that it must not have seen.")
    scores = segmented(write_manifest(work / "unseen.csv", unseen), SHIPPED, work / "half")
    before = segmented(work / "unseen.csv", work / "second", work / "whole")
    bins = np.zeros((N_BINS, 3))
    found: dict[str, dict[str, float]] = {}
    for case in unseen:
        truth, spacing_mm = reference(case)
        probability = probabilities(case, model)
        bins += reliability_counts(probability, truth, spacing_mm)
        score = scores[case.case_id]
        if abs(dice(probability > 0.5, truth) - score["dice"]) > 1e-4:
            sys.exit(f"The probabilities of {case.case_id} are not those of its segmentation.")
        found[case.case_id] = {
            **{name: score[name] for name in ("dice", "hd95_mm", "predicted_ml", "reference_ml")},
            **false_islands(probability > 0.5, truth, spacing_mm),
            "dice_float32": before[case.case_id]["dice"],
            **{f"dice_without_{m}": without(case, model, m) for m in ("CT", "T1")},
        }
    content = {
        "model": {"model_id": model.description.model_id, "step": model.facts.step},
        "stages": {stage: trained(work / stage) for stage in STAGES},
        "cases": found,
        "mean": {name: mean_of(found, name) for name in next(iter(found.values()))},
        "reliability": reliability_table(bins),
        "expected_calibration_error": calibration_error(bins),
    }
    write_json(FOUND, content)
    print("\n".join(tables(content)))
    return 0


def segmented(manifest: Path, model: Path, output: Path) -> dict[str, dict[str, Any]]:
    """Segment and evaluate as a user does; return the scores of every case."""
    here = [str(manifest), "--model", str(model), "--output", str(output), "--device", "cpu"]
    codes = [
        ciml_segmenter(["segment", *here, "--unseen", "--overwrite"]),
        ciml_segmenter(["evaluate", str(output), "--reference", str(manifest)]),
    ]
    if any(codes):
        sys.exit("The cases could not be segmented or evaluated.")
    content = json.loads((output / "evaluation.json").read_text(encoding="utf-8"))
    return {score["case_id"]: score for score in content["scores"]}


def reference(case: Case) -> tuple[np.ndarray, tuple[float, ...]]:
    """Return the label, bool `(K, J, I)`, and its spacing `(K, J, I)` in mm; the grid is PET's."""
    label = read_volume(case.label)
    return label.array > 0, tuple(reversed(label.grid.spacing_mm))


def probabilities(case: Case, model: TrainedModel) -> np.ndarray:
    """Return the tumor's probability on the grid of the PET image, `(K, J, I)`."""
    prepared = prepare_case(case, model.preprocessing, reference=PRIMARY, crop="reference")
    config = InferenceConfig(device="cpu")
    box, output = predict_prepared(prepared, model, config, reporter=NullReporter())
    space = OutputSpace(box, read_volume(case.images[PRIMARY]).grid, model.task)
    return np.asarray(region_probabilities(output.logits, space)[REGION])


def without(case: Case, model: TrainedModel, modality: str) -> float:
    """Return Dice of a case that lacks an auxiliary."""
    images = {name: file for name, file in case.images.items() if name != modality}
    probability = probabilities(replace(case, images=images), model)
    return dice(probability > 0.5, reference(case)[0])


def reliability_counts(
    probability: np.ndarray, truth: np.ndarray, spacing_mm: Sequence[float]
) -> np.ndarray:
    """Count voxels by probability, near the tumor and inside it.

    Returns:
        Per bin of probability `(N_BINS, 3)`: voxels, sum of probabilities, voxels of the tumor.
    """
    near = ndimage.distance_transform_edt(~truth, sampling=spacing_mm) <= BAND_MM
    values, is_tumor = probability[near], truth[near]
    number = np.minimum((values * N_BINS).astype(int), N_BINS - 1)
    columns = (np.ones_like(values), values, is_tumor)
    return np.stack([np.bincount(number, c, minlength=N_BINS) for c in columns], axis=1)


def reliability_table(bins: np.ndarray) -> list[dict[str, float]]:
    """Return, per bin, how probable the network said it was and how often it was so."""
    return [
        {
            "from": number / N_BINS,
            "voxels": int(n),
            "mean_probability": total / max(n, 1),
            "share_tumor": tumor / max(n, 1),
        }
        for number, (n, total, tumor) in enumerate(bins.tolist())
    ]


def calibration_error(bins: np.ndarray) -> float:
    """Return the expected calibration error: the gaps of the bins, weighted by their voxels."""
    return float(np.abs(bins[:, 1] - bins[:, 2]).sum() / bins[:, 0].sum())


def false_islands(
    found: np.ndarray, truth: np.ndarray, spacing_mm: Sequence[float]
) -> dict[str, float]:
    """Return number and volume of the connected parts of a prediction that touch no tumor."""
    parts, n_parts = ndimage.label(found, np.ones((3, 3, 3)))
    touching = set(np.unique(parts[truth & found]).tolist())
    alone = [number for number in range(1, n_parts + 1) if number not in touching]
    volume_ml = np.isin(parts, alone).sum() * np.prod(spacing_mm) / 1000.0
    return {"n_islands": len(alone), "islands_ml": float(volume_ml)}


def trained(folder: Path) -> dict[str, Any]:
    """Return how far a stage of the training came, and what chose its network."""
    log = (folder / "training" / "log.jsonl").read_text(encoding="utf-8").splitlines()
    entries = [json.loads(line) for line in log]
    facts = load_model(folder).facts
    return {
        "steps_made": max(entry["step"] for entry in entries),
        "best_step": facts.step,
        "n_training_cases": len(facts.training_cases),
        "n_validation_cases": len(facts.validation_cases),
        "validation_dice": {str(e["step"]): e["dice"] for e in entries if "dice" in e},
    }


def tables(content: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of the card's tables."""
    rows = {**content["cases"], "mean": content["mean"]}
    yield "| case | Dice | HD95, mm | volume found, ml | true volume, ml | false islands, ml |"
    yield "|---|---|---|---|---|---|"
    for name, row in rows.items():
        volumes = (row[key] for key in ("predicted_ml", "reference_ml", "islands_ml"))
        shown = " | ".join(f"{volume:.0f}" for volume in volumes)
        yield f"| {name} | {row['dice']:.3f} | {row['hd95_mm']:.1f} | {shown} |"
    mean = content["mean"]
    yield ""
    yield ", ".join(f"without {m} {mean[f'dice_without_{m}']:.3f}" for m in ("CT", "T1"))
    yield ""
    yield "| probability | mean of it | share that is tumor | voxels |"
    yield "|---|---|---|---|"
    for row in content["reliability"]:
        said, so = row["mean_probability"], row["share_tumor"]
        span = f"{row['from']:.1f} to {row['from'] + 1 / N_BINS:.1f}"
        yield f"| {span} | {said:.2f} | {so:.2f} | {row['voxels']:,} |"
    yield ""
    yield f"expected calibration error {content['expected_calibration_error']:.3f}"


def mean_of(found: Mapping[str, Mapping[str, float]], name: str) -> float:
    """Return the mean of a figure over cases."""
    return float(np.mean([case[name] for case in found.values()]))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one part."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("cohort", type=Path)
    parser.add_argument("--work", type=Path, required=True, help="receives what is not shipped")
    parser.add_argument("part", choices=[*STAGES, "ship", "evaluate"])
    options = parser.parse_args(arguments)
    if options.part == "ship":
        return ship(options.work)
    if options.part == "evaluate":
        return evaluate(options.cohort, options.work)
    return train(options.cohort, options.work, options.part)


if __name__ == "__main__":
    sys.exit(main())
