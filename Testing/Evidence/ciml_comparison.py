"""CIML against networks without gates on a real cohort, also where images are missing.

python Testing/Evidence/ciml_comparison.py ../shared/data/sts51 --work /tmp/comparison

Five folds of patients. Every arm is trained on the other folds with the same steps, patches,
augmentation, random absences and seed, and has the number of parameters of CIML's network within
5 %. A fifth of the training patients chooses the best state; `--variants` compares settings by
those patients alone, so that the test folds stay untouched. `--unprepared` trains all arms without
random absences, so that a missing image is new to them. Runs that are finished are kept in
`--work`, so a killed comparison goes on; only folds that all arms finished are compared.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import wilcoxon

sys.path.insert(0, str(Path(__file__).parents[2] / "MDALSelector"))
sys.path.insert(0, str(Path(__file__).parents[2] / "CIMLSegment"))

from CIMLSegmentLib.config import InferenceConfig, TrainingConfig, TrainingJob
from CIMLSegmentLib.inference.devices import choose_device
from CIMLSegmentLib.inference.sliding_window import WindowPlan
from CIMLSegmentLib.network.baselines import n_parameters
from CIMLSegmentLib.task.task_io import load_task
from CIMLSegmentLib.training.network_plan import plan_for_cases, training_spacing
from CIMLSegmentLib.training.train import train
from CIMLSegmentLib.training.training_cases import PreparationJob, TrainingSet, prepare_training_set
from CIMLSegmentLib.training.training_folder import read_log
from CIMLSegmentLib.training.validation import validate_case
from MultimodalImagingLib.cohorts.cohort import find_cohort
from MultimodalImagingLib.jobs.progress import NullReporter
from MultimodalImagingLib.preparation.prepared_case import PreprocessingSpec
from MultimodalImagingLib.record.atomic_files import write_text

TASK = load_task("pet-ct-mr")
REGION = "GTV"
AUXILIARIES = TASK.subtasks[0].auxiliaries
LEFT_OUT = ("STS_019",)  # PET and T1 are misaligned
N_FOLDS = 5
N_VALIDATIONS = 4


@dataclass(frozen=True)
class Arm:
    """A network to train: its kind, and what differs from the default."""

    kind: str
    network: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)


ARMS = {
    "CIML": Arm("ciml"),
    "early fusion": Arm("early-fusion"),
    "concatenation": Arm("concatenation"),
    "PET alone": Arm("primary-alone"),
}
UNPREPARED = {
    f"{name}, none withheld": replace(arm, training={"absence": 0.0})
    for name, arm in ARMS.items()
    if arm.kind != "primary-alone"
}
VARIANTS = {
    "beta 0": Arm("ciml", training={"beta": 0.0}),
    "beta 0.001": Arm("ciml", training={"beta": 1e-3}),
    "beta 0.1": Arm("ciml", training={"beta": 1e-1}),
    "beta from the start": Arm("ciml", training={"beta_warmup": 0.0}),
    "messages at the deepest level": Arm("ciml", {"message_levels": (4,)}),
    "messages at four levels": Arm("ciml", {"message_levels": (1, 2, 3, 4)}),
    "messages at all levels": Arm("ciml", {"message_levels": (0, 1, 2, 3, 4)}),
    "messages of 16 channels": Arm("ciml", {"message_channels": 16, "gate_channels": 32}),
    "deep supervision": Arm("ciml", {"deep_supervision": True}),
}
KNOWN = ARMS | UNPREPARED | VARIANTS


@dataclass(frozen=True)
class Bench:
    """What all runs have in common."""

    cohort: Path
    work: Path
    steps: int
    batch_size: int
    device: str
    seed: int

    def cases(self) -> TrainingSet:
        """Prepare the cohort, or find it prepared."""
        cohort = find_cohort(self.cohort)
        chosen = [case for case in cohort.cases if case.case_id not in LEFT_OUT]
        spec = PreprocessingSpec(training_spacing(chosen, TASK), dict(TASK.modalities))
        job = PreparationJob(TASK, spec, self.cohort, self.work / "prepared")
        return prepare_training_set(chosen, job, reporter=NullReporter())

    def job(self, arm: Arm, cases: TrainingSet) -> TrainingJob:
        """Return the training of an arm, planned as the `train` command does."""
        plan = plan_for_cases(cases)
        training = TrainingConfig(
            patch_size=plan.patch_size,
            batch_size=self.batch_size,
            n_steps=self.steps,
            warmup_steps=min(100, max(self.steps // 10, 1)),
            validation_interval=max(self.steps // N_VALIDATIONS, 1),
            patience=N_VALIDATIONS,
            seed=self.seed,
        )
        return TrainingJob(
            replace(training, **arm.training),
            replace(plan.network, **arm.network),
            kind=arm.kind,
            device=self.device,
            n_workers=1,
        )


def folds(cases: TrainingSet) -> list[set[str]]:
    """Return five seeded folds of patients, as case ids."""
    patients = sorted({case.patient_id for case in cases.cases})
    order = np.random.default_rng(0).permutation(len(patients))
    parts = [{patients[i] for i in part} for part in np.array_split(order, N_FOLDS)]
    return [{c.case_id for c in cases.cases if c.patient_id in part} for part in parts]


def run(bench: Bench, name: str, fold: int) -> dict[str, Any]:
    """Train an arm without one fold and segment that fold; or read what an earlier run found."""
    file = bench.work / "runs" / f"{name}, fold {fold}, seed {bench.seed}.json"
    if file.is_file():
        return dict(json.loads(file.read_text()))
    torch.set_num_threads(1)
    cases = bench.cases()
    tested = folds(cases)[fold]
    rest = cases.subset([case.case_id for case in cases.cases if case.case_id not in tested])
    job = bench.job(KNOWN[name], cases)
    began = time.monotonic()
    result = train(
        rest, TASK, job, output=file.with_suffix(""), reporter=NullReporter(), resume=True
    )
    trained_s = time.monotonic() - began
    plan = WindowPlan(job.training.patch_size, InferenceConfig(), choose_device(bench.device))
    scores = {
        withheld or "nothing": {
            case.case_id: asdict(
                validate_case(result.network, case, plan, withheld=[withheld] if withheld else [])
            )
            for case in cases.subset(list(tested)).cases
        }
        for withheld in ("", *AUXILIARIES)
    }
    found = {
        "arm": name,
        "fold": fold,
        "seed": bench.seed,
        "machine": f"{machine_name(plan.device)}, PyTorch {torch.__version__}",
        "n_parameters": n_parameters(result.network),
        "best_step": result.best_step,
        "validation": {"dice": result.metrics["dice"], "n_cases": len(result.split.validation)},
        "log": read_log(result.folder / "training" / "log.jsonl")[-2:],
        "trained_s": trained_s,
        "scores": scores,
    }
    write_text(file, json.dumps(found))
    return found


def machine_name(device: torch.device) -> str:
    """Return the name of a GPU, or CPU."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"


def run_all(bench: Bench, names: Sequence[str], *, n_parallel: int) -> list[dict[str, Any]]:
    """Make all runs, several at a time, each in a process of its own."""
    (bench.work / "runs").mkdir(parents=True, exist_ok=True)
    bench.cases()
    found = []
    with ProcessPoolExecutor(n_parallel, mp_context=get_context("spawn")) as pool:
        pairs = [(name, fold) for fold in range(N_FOLDS) for name in names if name not in VARIANTS]
        pairs += [(name, fold) for name in names if name in VARIANTS for fold in range(N_FOLDS)]
        tasks = [pool.submit(run, bench, *pair) for pair in pairs]
        for finished in as_completed(tasks):
            done = finished.result()
            found.append(done)
            print(
                f"{done['arm']}, fold {done['fold']}: validation Dice"
                f" {done['validation']['dice']:.3f} at step {done['best_step']}, test Dice"
                f" {np.mean(list(dice_of([done], 'nothing').values())):.3f},"
                f" {done['trained_s']:.0f} s",
                flush=True,
            )
    return found


def dice_of(runs: Sequence[Mapping[str, Any]], withheld: str) -> dict[str, float]:
    """Return Dice per case of an arm's runs."""
    return {
        case: score["dice"][REGION]
        for one in runs
        for case, score in one["scores"][withheld].items()
    }


def mean_and_error(values: Sequence[float]) -> tuple[float, float]:
    """Return mean and standard error over cases."""
    return float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(len(values)))


def shown(values: Sequence[float], *, sign: str = "") -> str:
    """Return mean ± standard error as text."""
    mean, error = mean_and_error(values)
    return f"{mean:{sign}.3f} ± {error:.3f}"


def difference(first: Mapping[str, float], second: Mapping[str, float]) -> str:
    """Return the paired difference over cases, with the p value of Wilcoxon's test."""
    values = [first[case] - second[case] for case in sorted(first)]
    return f"{shown(values, sign='+')} (p = {wilcoxon(values).pvalue:.2g})"


def arms_table(by_arm: Mapping[str, Sequence[Mapping[str, Any]]]) -> Iterator[str]:
    """Yield the rows of the comparison on the test folds; the first arm is CIML."""
    yield "| arm | parameters | Dice | CIML minus this | HD95, mm |"
    yield "|---|---|---|---|---|"
    first = next(iter(by_arm))
    own = dice_of(by_arm[first], "nothing")
    for name, runs in by_arm.items():
        dice = dice_of(runs, "nothing")
        hd95 = [
            score["hd95_mm"][REGION] for one in runs for score in one["scores"]["nothing"].values()
        ]
        other = "" if name == first else difference(own, dice)
        mean, error = mean_and_error(hd95)
        yield (
            f"| {name} | {runs[0]['n_parameters']:,} | {shown(list(dice.values()))} | {other} |"
            f" {mean:.1f} ± {error:.1f} |"
        )


def missing_table(
    by_arm: Mapping[str, Sequence[Mapping[str, Any]]], auxiliary: str
) -> Iterator[str]:
    """Yield what happens when an auxiliary is missing at test time; the first arm is CIML."""
    yield f"| without {auxiliary} | Dice | CIML minus this | Dice falls by | CIML falls less by |"
    yield "|---|---|---|---|---|"
    first = next(iter(by_arm))
    own, own_fall = dice_of(by_arm[first], auxiliary), fall(by_arm[first], auxiliary)
    for name, runs in by_arm.items():
        dice, lost = dice_of(runs, auxiliary), fall(runs, auxiliary)
        others = ["", ""] if name == first else [difference(own, dice), difference(lost, own_fall)]
        texts = [shown(list(dice.values())), others[0], shown(list(lost.values()), sign="+")]
        yield f"| {name} | {' | '.join([*texts, others[1]])} |"


def fall(runs: Sequence[Mapping[str, Any]], auxiliary: str) -> dict[str, float]:
    """Return by how much Dice of each case falls without an auxiliary."""
    whole, without = dice_of(runs, "nothing"), dice_of(runs, auxiliary)
    return {case: whole[case] - without[case] for case in whole}


def validation_table(runs: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the settings' Dice on the patients that choose among states."""
    yield "| setting | validation Dice, mean over folds | per fold | information, nats per voxel |"
    yield "|---|---|---|---|"
    for name in KNOWN:
        found = sorted((r for r in runs if r["arm"] == name), key=lambda r: r["fold"])
        if len(found) == N_FOLDS:
            dice = [one["validation"]["dice"] for one in found]
            per_fold = " ".join(f"{value:.3f}" for value in dice)
            yield f"| {name} | {shown(dice)} | {per_fold} | {information(found)} |"


def information(runs: Sequence[Mapping[str, Any]]) -> str:
    """Return the information of the auxiliaries at the end of training, mean over folds."""
    if KNOWN[runs[0]["arm"]].kind != "ciml":
        return ""
    sums: dict[str, list[float]] = {auxiliary: [] for auxiliary in AUXILIARIES}
    for one in runs:
        last: dict[str, float] = {name: v for entry in one["log"] for name, v in entry.items()}
        for auxiliary, values in sums.items():
            nats = [v for name, v in last.items() if name.startswith(f"KL {auxiliary} to ")]
            values.append(sum(nats))
    return ", ".join(f"{name} {np.mean(values):.4f}" for name, values in sums.items())


def report(bench: Bench, runs: Sequence[Mapping[str, Any]]) -> str:
    """Return the page with all tables."""
    machines = ", ".join(sorted({one["machine"] for one in runs}))
    lines = [
        f"{bench.steps} steps of {bench.batch_size} patches, seed {bench.seed}, {machines}."
        " Mean ± standard error over cases; p: Wilcoxon's signed-rank test, two-sided."
    ]
    for group in (ARMS, UNPREPARED):
        by_arm = finished(runs, list(group))
        if by_arm:
            n_cases = len(dice_of(next(iter(by_arm.values())), "nothing"))
            lines += ["", f"{n_cases} cases of the test folds:", "", *arms_table(by_arm)]
            by_arm.pop("PET alone", None)  # nothing can be missing there
            for auxiliary in AUXILIARIES:
                lines += ["", *missing_table(by_arm, auxiliary)]
    lines += ["", "Patients that choose among the states:", "", *validation_table(runs)]
    return "\n".join(lines) + "\n"


def finished(
    runs: Sequence[Mapping[str, Any]], names: Sequence[str]
) -> dict[str, list[Mapping[str, Any]]]:
    """Return the runs of arms in the folds that all of them finished; none if there are none."""
    done = {name: {r["fold"] for r in runs if r["arm"] == name} for name in names}
    common = set.intersection(*done.values())
    if not common:
        return {}
    return {name: [r for r in runs if r["arm"] == name and r["fold"] in common] for name in names}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the comparison."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("cohort", type=Path)
    parser.add_argument("--work", type=Path, required=True, help="folder for models and results")
    parser.add_argument("--report", type=Path, help="receives the tables (Markdown)")
    parser.add_argument("--arms", nargs="*", default=list(ARMS), choices=list(ARMS), metavar="ARM")
    parser.add_argument(
        "--unprepared", action="store_true", help="also without random absences in training"
    )
    parser.add_argument(
        "--variants", nargs="*", default=[], choices=list(VARIANTS), metavar="SETTING"
    )
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--parallel", type=int, default=1, help="trainings at a time")
    options = parser.parse_args(arguments)
    logging.getLogger("torch").setLevel(logging.ERROR)
    bench = Bench(
        options.cohort,
        options.work,
        options.steps,
        options.batch_size,
        options.device,
        options.seed,
    )
    names = [*options.arms, *(UNPREPARED if options.unprepared else ()), *options.variants]
    runs = run_all(bench, names, n_parallel=options.parallel)
    text = report(bench, runs)
    print(text)
    if options.report is not None:
        write_text(options.report, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
