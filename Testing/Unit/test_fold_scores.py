"""Who decides about what in a fold of the contrastive estimator."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from MDALSelectorLib.estimation import contrastive_estimator
from MDALSelectorLib.estimation.case_embeddings import PairEmbeddings
from MDALSelectorLib.estimation.config import ContrastiveConfig, NormalizationConfig
from MDALSelectorLib.estimation.contrastive_estimator import (
    CASE_SCALES,
    ContrastiveSettings,
    FoldScores,
    _pair_scores,
)
from MDALSelectorLib.estimation.cross_fitting import Split

N_CASES, N_PLACES, N_FEATURES = 60, 4, 8
FIT, STOPS, HELD_OUT = np.arange(20), np.arange(20, 40), np.arange(40, 60)
SETTINGS = ContrastiveSettings(ContrastiveConfig(), NormalizationConfig(), torch.device("cpu"))


def scores(*, mismatched: np.ndarray) -> FoldScores:
    """Score a fold in which the second images of some cases are those of others."""
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(N_CASES, N_PLACES, N_FEATURES, generator=generator)
    columns = rows + 0.3 * torch.randn(rows.shape, generator=generator)
    columns[mismatched] = columns[np.roll(mismatched, 1)]
    patients = np.arange(N_CASES)
    embeddings = PairEmbeddings(
        cases=patients,
        patients=torch.from_numpy(patients),
        rows=rows,
        columns=columns,
        counts=torch.ones(N_CASES, N_PLACES, dtype=torch.bool),
    )
    seen = np.concatenate([FIT, STOPS])
    fold = SimpleNamespace(inner=Split(FIT, STOPS, patients, seed=0))
    split = Split(seen, HELD_OUT, patients, seed=0)
    return _pair_scores(("CT", "PET"), embeddings, fold, split, SETTINGS, {})


def chosen_scale(monkeypatch: pytest.MonkeyPatch, *, mismatched: np.ndarray) -> float:
    """Return the case scale with which alone the bound is the same."""
    bound = scores(mismatched=mismatched).bound
    for scale in CASE_SCALES:
        with monkeypatch.context() as context:
            context.setattr(contrastive_estimator, "CASE_SCALES", (scale,))
            if scores(mismatched=mismatched).bound == bound:
                return scale
    raise AssertionError


def test_cases_that_stop_the_training_choose_the_scale_and_held_out_ones_do_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    usual = chosen_scale(monkeypatch, mismatched=np.array([], dtype=int))
    assert chosen_scale(monkeypatch, mismatched=HELD_OUT) == usual
    assert chosen_scale(monkeypatch, mismatched=STOPS) < usual


def test_the_bound_is_that_of_the_held_out_cases() -> None:
    usual = scores(mismatched=np.array([], dtype=int))
    assert scores(mismatched=HELD_OUT).bound < 0 < usual.bound
    assert scores(mismatched=FIT).bound == pytest.approx(usual.bound, abs=0.3)
