"""Training of the encoders of one fold, stopped by cases that are neither trained nor scored.

Trainings run side by side on the CPU, each on one thread, so that cores cannot change results.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from MDALSelectorLib.estimation.case_embeddings import (
    CaseEmbeddings,
    ViewSource,
    embed_cases,
    embed_views,
)
from MDALSelectorLib.estimation.config import ContrastiveConfig
from MDALSelectorLib.estimation.cross_fitting import IntArray, Split
from MDALSelectorLib.estimation.encoders import ContrastiveModel
from MDALSelectorLib.estimation.pair_estimate import ModalityPair
from MultimodalImagingLib.jobs.environment import core_count
from MultimodalImagingLib.jobs.progress import check_cancelled

MIN_IMPROVEMENT_NATS = 1e-3
# Each training holds the activations of a batch; more of them would only fill the memory.
MAX_WORKERS = 8

JobT = TypeVar("JobT")
ResultT = TypeVar("ResultT")


@dataclass(frozen=True, eq=False)
class TrainedFold:
    """Encoders of one fold.

    Attributes:
        model: The encoders at their best.
        inner: Which cases trained, and which stopped the training (`held_out`).
    """

    model: ContrastiveModel
    inner: Split


def train_fold(
    source: ViewSource,
    pairs: Sequence[ModalityPair],
    split: Split,
    *,
    config: ContrastiveConfig,
    device: torch.device,
) -> TrainedFold:
    """Train one encoder per modality on the cases of a split that may be seen.

    Args:
        source: Views of the cases.
        pairs: Pairs of modalities whose losses are averaged.
        split: Which cases may be seen; a part of them stops the training.
        config: Sizes, steps and patience.
        device: Where to train.
    """
    inner = split.inner(config.stop_share)
    generator = torch.Generator().manual_seed(split.seed)
    model = _new_model(source, inner.fit, config, generator, device)
    optimizer = _optimizer(model, config)
    best = _Best(model, config.patience)
    for step in range(1, config.max_steps + 1):
        check_cancelled()
        batch = _draw_batch(inner.fit, config.batch_cases, generator)
        views = source.sample(batch, n_views=config.views_per_case, generator=generator)
        counts = np.ones((len(batch), config.views_per_case), dtype=bool)
        embedded = embed_views(model.train(), source, batch, views, counts)
        optimizer.zero_grad()
        torch.autograd.backward(_mean_loss(embedded, pairs, split.patients, config))
        optimizer.step()
        if step % config.evaluate_every == 0:
            with torch.no_grad():
                stop_cases = embed_cases(model, source, inner.held_out)
                bound = -float(_mean_loss(stop_cases, pairs, split.patients, config))
            best.update(bound)
            if best.is_exhausted:
                break
    best.restore()
    return TrainedFold(model.eval(), inner)


def _optimizer(model: ContrastiveModel, config: ContrastiveConfig) -> torch.optim.Optimizer:
    """Let the temperature follow the embeddings quickly; a slow one holds everything up."""
    others = [p for name, p in model.named_parameters() if name != "log_scale"]
    scale_rate = config.learning_rate * config.scale_rate_factor
    return torch.optim.AdamW(
        [
            {"params": others, "weight_decay": config.weight_decay},
            {"params": [model.log_scale], "lr": scale_rate, "weight_decay": 0.0},
        ],
        lr=config.learning_rate,
    )


class _Best:
    """Remembers the weights with the highest bound and says when to stop."""

    def __init__(self, model: ContrastiveModel, patience: int) -> None:
        self._model, self._patience, self._n_worse = model, patience, 0
        self._bound_nats = -np.inf
        self._weights = [p.detach().clone() for p in model.parameters()]

    def update(self, bound_nats: float) -> None:
        if bound_nats > self._bound_nats + MIN_IMPROVEMENT_NATS:
            self._bound_nats, self._n_worse = bound_nats, 0
            self._weights = [p.detach().clone() for p in self._model.parameters()]
        else:
            self._n_worse += 1

    @property
    def is_exhausted(self) -> bool:
        return self._n_worse >= self._patience

    def restore(self) -> None:
        with torch.no_grad():
            for parameter, weight in zip(self._model.parameters(), self._weights, strict=True):
                parameter.copy_(weight)


def _new_model(
    source: ViewSource,
    cases: IntArray,
    config: ContrastiveConfig,
    generator: torch.Generator,
    device: torch.device,
) -> ContrastiveModel:
    encoders = [
        source.make_encoder(m, cases[source.available[m][cases]], generator=generator)
        for m in source.available
    ]
    model = ContrastiveModel(encoders, config, generator=generator).to(device).eval()
    views, _ = source.evaluation_views(_draw_batch(cases, config.batch_cases, generator))
    for index, modality in enumerate(source.available):
        model.settle(index, views[modality].flatten(0, 1).to(device))
    return model


def _draw_batch(cases: IntArray, n_cases: int, generator: torch.Generator) -> IntArray:
    if len(cases) <= n_cases:
        return cases
    drawn = torch.randperm(len(cases), generator=generator)[:n_cases]
    return np.asarray(cases[np.sort(drawn.numpy())])


def _mean_loss(
    embedded: CaseEmbeddings,
    pairs: Sequence[ModalityPair],
    patients: IntArray,
    config: ContrastiveConfig,
) -> Tensor:
    """Average the loss over the pairs that cases of at least two patients have."""
    embeddings = [embedded.pair(pair, patients) for pair in pairs]
    losses = [
        e.loss(own_negatives=config.own_negatives)
        for e in embeddings
        if len(torch.unique(e.patients)) > 1
    ]
    if not losses:
        msg = "Expected cases of two patients with both modalities of a pair in a training batch."
        raise ValueError(msg)
    return torch.stack(losses).mean()


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
