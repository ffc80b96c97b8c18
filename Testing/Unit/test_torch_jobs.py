"""Trainings side by side: results, errors, and torch's settings afterwards."""

from __future__ import annotations

import threading

import pytest
import torch

from MDALSelectorLib.estimation.contrastive_training import run_jobs

CPU = torch.device("cpu")


def test_every_job_gets_its_result_once() -> None:
    found = dict(run_jobs(lambda job: job**2, range(20), device=CPU))
    assert found == {job: job**2 for job in range(20)}


def test_each_job_computes_on_one_thread_with_reproducible_algorithms() -> None:
    states = [
        state
        for _, state in run_jobs(
            lambda _: (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()),
            range(4),
            device=CPU,
        )
    ]
    assert states == [(1, True)] * 4


def test_the_settings_of_torch_are_put_back() -> None:
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    list(run_jobs(lambda job: job, range(3), device=CPU))
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == before


def test_an_error_ends_the_jobs_that_have_not_begun() -> None:
    begun = []
    gate = threading.Event()

    def fail_first(job: int) -> int:
        begun.append(job)
        if job == 0:
            raise ValueError(job)
        gate.wait(0.05)
        return job

    def run_all() -> None:
        for _ in run_jobs(fail_first, range(200), device=CPU):
            gate.set()

    with pytest.raises(ValueError, match="0"):
        run_all()
    assert len(begun) < 200
