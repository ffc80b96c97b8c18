"""The symmetric InfoNCE loss against its definition and its limits."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from MDALSelectorLib.estimation.encoders import symmetric_info_nce


def test_a_constant_critic_has_no_loss_and_a_perfect_one_wins_log_n() -> None:
    assert float(symmetric_info_nce(torch.zeros(10, 10))) == pytest.approx(0.0, abs=1e-6)
    assert float(symmetric_info_nce(100 * torch.eye(10))) == pytest.approx(-math.log(10), abs=1e-5)


def test_the_loss_equals_its_definition_with_negatives_of_other_groups_only() -> None:
    critic = torch.randn(9, 9, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    groups = torch.tensor([0, 0, 0, 1, 1, 2, 3, 4, 4])
    values, terms = critic.numpy(), []
    for i in range(9):
        candidates = [j for j in range(9) if j == i or groups[j] != groups[i]]
        of_row = np.exp(values[i, candidates]).mean()
        of_column = np.exp(values[candidates, i]).mean()
        terms.append(0.5 * math.log(of_row * of_column) - values[i, i])
    found = float(symmetric_info_nce(critic, groups))
    assert found == pytest.approx(float(np.mean(terms)), abs=1e-12)


def test_pairs_within_a_group_get_no_gradient() -> None:
    critic = torch.randn(6, 6, generator=torch.Generator().manual_seed(1), requires_grad=True)
    groups = torch.tensor([0, 0, 1, 1, 2, 3])
    symmetric_info_nce(critic, groups).backward()
    assert critic.grad is not None
    assert float(critic.grad[0, 1].abs()) == 0
    assert float(critic.grad[3, 2].abs()) == 0
    assert float(critic.grad[0, 2].abs()) > 0
    assert float(critic.grad[0, 0].abs()) > 0
