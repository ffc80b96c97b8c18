"""Trainings of a plan: its folds, and the thirds of the patients that repeatability comes from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import torch

from MDALSelectorLib.estimation.cross_fitting import CrossFitPlan, IntArray, Split
from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.jobs.progress import Reporter

ResultT = TypeVar("ResultT")


@dataclass(frozen=True, eq=False)
class FoldJob:
    """One training: of a fold that is scored, or of a third of the patients.

    Attributes:
        split: Which cases may be seen.
        repeat: Repeat of the plan.
        fold: Which fold it scores; `None` for a third.
        third: Which third of the patients it sees; `None` for a fold.
    """

    split: Split
    repeat: int
    fold: int | None = None
    third: int | None = None

    def chance(self, exchanges: Mapping[str, ResultT]) -> Mapping[str, ResultT]:
        """Return what to exchange patients by, if this is a fold of the first repeat."""
        return exchanges if self.third is None and self.repeat == 0 else {}

    def half_of(self, cases: IntArray, plan: CrossFitPlan) -> IntArray:
        """Return which of the two models of the other thirds this one is for each case."""
        third_of_case = plan.thirds(self.repeat)[0][cases]
        return (third_of_case - (self.third or 0)) % 3 - 1


def fold_jobs(plan: CrossFitPlan, *, n_repeats: int, n_thirds: int) -> list[FoldJob]:
    """Return the trainings of the first repeats of a plan.

    Args:
        plan: Which cases are held out when.
        n_repeats: Repeats whose folds are scored.
        n_thirds: Repeats whose thirds score each other.
    """
    jobs = []
    for repeat in range(n_repeats):
        for fold, split in enumerate(plan.splits(repeat)):
            jobs.append(FoldJob(split, repeat, fold=fold))
        if repeat < n_thirds:
            for third, split in enumerate(plan.thirds(repeat)[1]):
                jobs.append(FoldJob(split, repeat, third=third))
    return jobs


def chosen_device(name: str | None) -> torch.device:
    """Return a torch device by name; `None` for the GPU when there is one, else the CPU.

    Raises:
        UsageError: If the device does not exist here.
    """
    name = name or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        msg = f"The device '{name}' cannot be used here. Choose 'cpu', or leave the device open."
        raise UsageError(msg) from error


def retried_on_cpu(
    function: Callable[[torch.device], ResultT], device: torch.device, reporter: Reporter
) -> ResultT:
    """Run on a device, and all over on the CPU if a GPU does not have enough memory.

    Args:
        function: What to run.
        device: Where to run it first.
        reporter: Told of the second run.
    """
    try:
        return function(device)
    except torch.cuda.OutOfMemoryError:
        reporter.warning("The GPU does not have enough memory; the CPU is used instead.")
    return function(torch.device("cpu"))
