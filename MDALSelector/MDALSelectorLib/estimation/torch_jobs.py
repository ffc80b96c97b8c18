"""Trainings side by side on the CPU, each on one thread, so that cores cannot change results."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from typing import TypeVar

import torch

from MultimodalImagingLib.jobs.environment import core_count

JobT = TypeVar("JobT")
ResultT = TypeVar("ResultT")

# Each training holds the activations of a batch; more of them would only fill the memory.
MAX_WORKERS = 8


def run_jobs(
    function: Callable[[JobT], ResultT], jobs: Sequence[JobT], *, device: torch.device
) -> Iterator[tuple[JobT, ResultT]]:
    """Run a function for every job and yield results as they come, in no fixed order.

    On the CPU several jobs run at a time, each on one thread; elsewhere one after the other. An
    error or a cancelled job ends the others before they start.

    Args:
        function: What to run; must not share random numbers between jobs.
        jobs: Its arguments.
        device: Where the function computes.
    """
    with _reproducible(device):
        if device.type != "cpu":
            yield from ((job, function(job)) for job in jobs)
            return
        pool = ThreadPoolExecutor(
            max_workers=min(core_count(), MAX_WORKERS),
            initializer=torch.set_num_threads,
            initargs=(1,),
        )
        try:
            running = {pool.submit(function, job): job for job in jobs}
            for future in as_completed(running):
                yield running[future], future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _reproducible(device: torch.device) -> Iterator[None]:
    """Ask torch for the same bytes each time, and put its settings back afterwards."""
    was_deterministic = torch.are_deterministic_algorithms_enabled()
    n_threads = torch.get_num_threads()
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=device.type != "cpu")
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(was_deterministic)
        torch.set_num_threads(n_threads)
