"""Trains the model that comes with CrossModal, and evaluates it on cases that it has never seen.

python Testing/Evidence/shipped_model.py ../shared/data/sts51 --work /tmp/shipped train
python Testing/Evidence/shipped_model.py ../shared/data/sts51 --work /tmp/shipped evaluate

Which ten cases the model never sees is decided by `unseen_cases` alone: a seeded permutation of
the patients, written before the first training. The training is the command `ciml-segmenter train`
with the arguments that `training_arguments` returns; one that was killed resumes.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2] / "MDALSelector"))
sys.path.insert(0, str(Path(__file__).parents[2] / "CIMLSegment"))

from CIMLSegmentLib.__main__ import main as ciml_segmenter
from MultimodalImagingLib.cohorts.cases import Case
from MultimodalImagingLib.cohorts.cohort import find_cohort

TASK = "pet-ct-mr"
LEFT_OUT = ("STS_019",)  # PET and T1 are misaligned
N_UNSEEN = 10
SPLIT_SEED = 2026


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


def training_arguments(manifest: Path, work: Path) -> list[str]:
    """Return the command line of the training."""
    chosen = ["--spacing", "4", "--steps", "1600", "--validate-every", "100", "--device", "cpu"]
    where = ["--output", str(work / "model"), "--record", str(work / "record"), "--resume"]
    return ["train", str(manifest), "--task", TASK, *chosen, *where]


def train(cohort: Path, work: Path) -> int:
    """Train on the cases that are not kept unseen; returns the exit code."""
    cases = usable_cases(cohort)
    unseen = unseen_cases(cases)
    seen = [case for case in cases if case.case_id not in unseen]
    return ciml_segmenter(training_arguments(write_manifest(work / "seen.csv", seen), work))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one part."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("cohort", type=Path)
    parser.add_argument("--work", type=Path, required=True, help="receives everything")
    parser.add_argument("part", choices=["train"])
    options = parser.parse_args(arguments)
    return train(options.cohort, options.work)


if __name__ == "__main__":
    sys.exit(main())
