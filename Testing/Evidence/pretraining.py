"""Does a start model save labels? Dice from 4, 8 and 16 labels, with it and without it.

python Testing/Evidence/pretraining.py ../shared/data/sts51 --work /tmp/pretraining

The cases fall into three disjoint sets of patients: ten for testing (those that the shipped model
never sees), 24 for training the start model, and a pool of 16 to draw labels from. So the start
model has seen neither the labels of the pool nor the test cases; the shipped model has seen the
pool, and would win for that reason alone. Both arms have the same network, steps, patches,
augmentation and seeds; nothing is chosen by validation, the last step counts. Finished runs are
kept in `--work`, so a killed measurement goes on.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import wilcoxon

sys.path.insert(0, str(Path(__file__).parents[2] / "MDALSelector"))
sys.path.insert(0, str(Path(__file__).parents[2] / "CIMLSegment"))
sys.path.insert(0, str(Path(__file__).parent))

from shipped_model import TASK, unseen_cases, usable_cases

from CIMLSegmentLib.config import InferenceConfig, TrainingConfig, TrainingJob
from CIMLSegmentLib.inference.sliding_window import WindowPlan
from CIMLSegmentLib.model.model import load_model
from CIMLSegmentLib.task.task_io import load_task
from CIMLSegmentLib.training.network_plan import plan_for_cases
from CIMLSegmentLib.training.train import train
from CIMLSegmentLib.training.training_cases import PreparationJob, TrainingSet, prepare_training_set
from CIMLSegmentLib.training.validation import validate_case
from MultimodalImagingLib.jobs.progress import NullReporter
from MultimodalImagingLib.preparation.prepared_case import PreprocessingSpec
from MultimodalImagingLib.record.atomic_files import write_text

CIML = load_task(TASK)
REGION = "GTV"
SPACING_MM = 6.0
N_PRETRAINED, N_LABELS, DRAWS = 24, (4, 8, 16), (0, 1)
START_STEPS, STEPS = 400, 120
POOL_SEED = 2027
START, NEW = "start model", "new weights"
LONG = f"16 labels, draw 0, {NEW}, long"


@dataclass(frozen=True)
class Sets:
    """Case ids of the three disjoint sets."""

    pretraining: list[str]
    pool: list[str]
    test: list[str]


@dataclass(frozen=True)
class Run:
    """One training: which labels, with what it begins, and how long."""

    name: str
    cases: Sequence[str]
    seed: int
    start: Path | None = None
    steps: int = STEPS


def prepared(cohort: Path, work: Path) -> tuple[TrainingSet, Sets]:
    """Prepare all cases and divide them; patients and cases are the same here."""
    cases = usable_cases(cohort)
    test = unseen_cases(cases)
    rest = sorted(case.case_id for case in cases if case.case_id not in test)
    order = [rest[i] for i in np.random.default_rng(POOL_SEED).permutation(len(rest))]
    spec = PreprocessingSpec((SPACING_MM,) * 3, dict(CIML.modalities))
    job = PreparationJob(CIML, spec, cohort, work / "prepared")
    sets = Sets(order[:N_PRETRAINED], order[N_PRETRAINED:], sorted(test))
    return prepare_training_set(cases, job, reporter=NullReporter()), sets


def runs(sets: Sets, work: Path) -> Iterator[Run]:
    """Yield all trainings, the start model first; a larger draw holds the smaller ones."""
    yield Run(START, sets.pretraining, seed=0, steps=START_STEPS)
    for draw in DRAWS:
        drawn = np.random.default_rng(draw).permutation(sets.pool)
        for n in N_LABELS:
            labels = [str(case) for case in drawn[:n]]
            yield Run(f"{n} labels, draw {draw}, {NEW}", labels, draw)
            yield Run(f"{n} labels, draw {draw}, {START}", labels, draw, work / START)
    # What the start model has had beside its labels is steps: as many, on the labels alone.
    yield Run(LONG, sets.pool, 0, steps=START_STEPS + STEPS)


def measured(run: Run, cases: TrainingSet, test: Sequence[str], work: Path) -> dict[str, float]:
    """Train, or find the trained model, and return Dice of every test case."""
    file = work / f"{run.name}.json"
    if file.is_file():
        return dict(json.loads(file.read_text())["dice"])
    plan = plan_for_cases(cases)
    training = TrainingConfig(
        patch_size=plan.patch_size,
        n_steps=run.steps,
        warmup_steps=run.steps // 10,
        validation_share=0.0,
        validation_interval=run.steps,
        seed=run.seed,
    )
    job = TrainingJob(training, plan.network, device="cpu", n_workers=0, start=run.start)
    began = time.monotonic()
    train(
        cases.subset(run.cases),
        CIML,
        job,
        output=work / run.name,
        reporter=NullReporter(),
        resume=True,
    )
    network = load_model(work / run.name).network
    windows = WindowPlan(plan.patch_size, InferenceConfig(), torch.device("cpu"))
    dice = {
        case.case_id: validate_case(network, case, windows).dice[REGION]
        for case in cases.subset(test).cases
    }
    found = {"dice": dice, "took_s": time.monotonic() - began, "cases": list(run.cases)}
    write_text(file, json.dumps(found))
    print(f"{run.name}: {np.mean(list(dice.values())):.3f} in {found['took_s']:.0f} s", flush=True)
    return dice


def report(found: Mapping[str, Mapping[str, float]]) -> str:
    """Return the tables of what is finished; draws are averaged per test case first."""
    lines = ["| labels | new weights | start model | difference | per draw |"]
    lines.append("|---|---|---|---|---|")
    for n in N_LABELS:
        draws = [
            d for d in DRAWS if all(f"{n} labels, draw {d}, {a}" in found for a in (NEW, START))
        ]
        if not draws:
            continue
        arms = {a: [found[f"{n} labels, draw {d}, {a}"] for d in draws] for a in (NEW, START)}
        mean = {arm: over_draws(per) for arm, per in arms.items()}
        apart = [mean[START][case] - mean[NEW][case] for case in mean[NEW]]
        per_draw = ", ".join(
            f"{np.mean(list(new.values())):.3f} → {np.mean(list(begun.values())):.3f}"
            for new, begun in zip(arms[NEW], arms[START], strict=True)
        )
        lines.append(
            f"| {n} | {shown(mean[NEW].values())} | {shown(mean[START].values())} |"
            f" {shown(apart, '+')} (p = {wilcoxon(apart).pvalue:.2g}) | {per_draw} |"
        )
    alone = {
        f"The start model alone ({N_PRETRAINED} other labels, none of the pool)": START,
        f"New weights, 16 labels, {START_STEPS + STEPS} steps": LONG,
    }
    lines += [
        "",
        *(f"{text}: {shown(found[n].values())}." for text, n in alone.items() if n in found),
    ]
    return "\n".join(lines) + "\n"


def over_draws(found: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the mean over draws for every test case."""
    return {case: float(np.mean([dice[case] for dice in found])) for case in found[0]}


def shown(values: Any, sign: str = "") -> str:
    """Return mean ± standard deviation over test cases as text."""
    listed = list(values)
    return f"{np.mean(listed):{sign}.3f} ± {np.std(listed, ddof=1):.3f}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all trainings that are not finished, and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("cohort", type=Path)
    parser.add_argument("--work", type=Path, required=True, help="receives everything")
    parser.add_argument("--so-far", action="store_true", help="train nothing; show what is done")
    options = parser.parse_args(arguments)
    options.work.mkdir(parents=True, exist_ok=True)
    cases, sets = prepared(options.cohort, options.work)
    wanted = [
        run
        for run in runs(sets, options.work)
        if not options.so_far or (options.work / f"{run.name}.json").is_file()
    ]
    found = {run.name: measured(run, cases, sets.test, options.work) for run in wanted}
    text = report(found)
    write_text(options.work / "report.md", text)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
