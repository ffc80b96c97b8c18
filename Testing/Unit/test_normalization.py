"""Two-sided normalization in blocks, against a dense reference and against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from gaussian_toys import CORRELATIONS, make_toy
from torch import Tensor

from MDALSelectorLib.estimation.config import NormalizationConfig
from MDALSelectorLib.estimation.normalization import two_sided_scores

TIGHT = NormalizationConfig(tolerance_nats=1e-9, max_passes=400, block_rows=32)


def dense_scores(rows: Tensor, columns: Tensor, groups: Tensor, n_passes: int = 3000) -> Tensor:
    critic = rows @ columns.T
    matched = critic.diagonal().clone()
    critic = critic.masked_fill(groups[:, None] == groups[None, :], -math.inf)
    log_n = (groups[:, None] != groups[None, :]).sum(1).double().log()
    a, b = torch.zeros(len(rows)).double(), torch.zeros(len(rows)).double()
    for _ in range(n_passes):
        a = (critic - b).logsumexp(1) - log_n
        b = (critic - a[:, None]).logsumexp(0) - log_n
    return matched - a - b


def make_factors(n: int = 150, n_features: int = 6, scale: float = 1.0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    rows = scale * torch.randn(n, n_features, generator=generator, dtype=torch.float64)
    noise = torch.randn(n, n_features, generator=generator, dtype=torch.float64)
    return rows, 0.7 * rows / scale + 0.7 * noise


@pytest.mark.parametrize("n_groups", [150, 40, 3])
def test_scores_in_blocks_equal_those_of_the_dense_matrix(n_groups: int) -> None:
    rows, columns = make_factors()
    groups = torch.arange(150) % n_groups
    found = two_sided_scores(rows, columns, groups=groups, config=TIGHT)
    expected = dense_scores(rows, columns, groups)
    assert found.error_nats <= 1e-9
    torch.testing.assert_close(found.pmi, expected, rtol=0, atol=1e-6)


def test_both_marginals_of_the_normalized_critic_are_one() -> None:
    rows, columns = make_factors()
    found = two_sided_scores(rows, columns, config=TIGHT)
    ratio = (rows @ columns.T - found.row_constants[:, None] - found.column_constants).exp()
    ratio.fill_diagonal_(0)
    one = torch.ones(150, dtype=torch.float64)
    torch.testing.assert_close(ratio.sum(0) / 149, one, rtol=0, atol=1e-7)
    torch.testing.assert_close(ratio.sum(1) / 149, one, rtol=0, atol=1e-7)


def test_constants_added_per_row_and_per_column_change_nothing() -> None:
    rows, columns = make_factors()
    of_row, of_column, one = 5 * torch.randn(150, 1), 5 * torch.randn(150, 1), torch.ones(150, 1)
    found = two_sided_scores(
        torch.cat([rows, of_row.double(), one.double()], 1),
        torch.cat([columns, one.double(), of_column.double()], 1),
        config=TIGHT,
    )
    expected = two_sided_scores(rows, columns, config=TIGHT)
    torch.testing.assert_close(found.pmi, expected.pmi, rtol=0, atol=1e-7)


def test_permuting_cases_permutes_scores() -> None:
    rows, columns = make_factors()
    groups = torch.arange(150) // 2
    order = torch.randperm(150, generator=torch.Generator().manual_seed(0))
    found = two_sided_scores(rows[order], columns[order], groups=groups[order], config=TIGHT)
    expected = two_sided_scores(rows, columns, groups=groups, config=TIGHT)
    torch.testing.assert_close(found.pmi, expected.pmi[order], rtol=0, atol=1e-8)


@pytest.mark.parametrize("block_rows", [1, 7, 150, 1000])
def test_the_size_of_blocks_changes_nothing(block_rows: int) -> None:
    rows, columns = make_factors()
    config = NormalizationConfig(tolerance_nats=1e-9, max_passes=400, block_rows=block_rows)
    found = two_sided_scores(rows, columns, groups=torch.arange(150) // 3, config=config)
    expected = two_sided_scores(rows, columns, groups=torch.arange(150) // 3, config=TIGHT)
    torch.testing.assert_close(found.pmi, expected.pmi, rtol=0, atol=1e-8)


@pytest.mark.parametrize("scale", [0.3, 1.0, 3.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_stated_error_holds(scale: float, dtype: torch.dtype) -> None:
    rows, columns = make_factors(scale=scale)
    found = two_sided_scores(rows.to(dtype), columns.to(dtype))
    expected = dense_scores(rows, columns, torch.arange(150))
    assert found.error_nats <= 1e-3
    assert found.n_passes <= 20
    assert float((found.pmi.double() - expected).abs().max()) <= 1e-3


def test_acceleration_saves_passes_and_changes_no_score() -> None:
    rows, columns = make_factors(scale=3.0)
    plain = NormalizationConfig(tolerance_nats=1e-7, max_passes=2000, n_mixed=0)
    slow = two_sided_scores(rows, columns, config=plain)
    fast = two_sided_scores(rows, columns, config=NormalizationConfig(tolerance_nats=1e-7))
    assert fast.n_passes < slow.n_passes / 2
    torch.testing.assert_close(fast.pmi, slow.pmi, rtol=0, atol=1e-5)


def test_a_start_at_the_solution_needs_one_pass() -> None:
    rows, columns = make_factors()
    first = two_sided_scores(rows, columns, config=TIGHT)
    again = two_sided_scores(rows, columns, start=first.column_constants)
    assert again.n_passes == 1
    torch.testing.assert_close(again.pmi, first.pmi, rtol=0, atol=1e-6)


def test_the_limit_of_passes_is_kept_and_the_remaining_error_is_told() -> None:
    rows, columns = make_factors(scale=3.0)
    found = two_sided_scores(rows, columns, config=NormalizationConfig(max_passes=2))
    assert found.n_passes == 2
    assert found.error_nats > 1e-3


def test_the_pmi_of_gaussians_comes_back_from_its_bilinear_part() -> None:
    toy = make_toy(3000, seed=0)
    weights = CORRELATIONS / (1 - CORRELATIONS**2)
    found = two_sided_scores(torch.tensor(toy.first * weights), torch.tensor(toy.second))
    difference = found.pmi.numpy() - toy.pmi
    assert np.corrcoef(found.pmi.numpy(), toy.pmi)[0, 1] > 0.97
    assert abs(np.median(difference)) < 0.25


def test_single_precision_gives_way_to_double_where_its_range_ends() -> None:
    rows, columns = (factor.float() for factor in make_factors())
    far = torch.zeros(150, 1)
    far[4] = -200.0
    found = two_sided_scores(torch.cat([rows, torch.ones(150, 1)], 1), torch.cat([columns, far], 1))
    expected = two_sided_scores(rows.double(), columns.double(), config=TIGHT)
    assert found.pmi.dtype == torch.float64
    torch.testing.assert_close(found.pmi, expected.pmi, rtol=0, atol=1e-3)


def test_values_that_are_not_finite_are_refused_with_their_row() -> None:
    rows, columns = make_factors()
    columns[7, 2] = math.nan
    with pytest.raises(ValueError, match=r"columns, indices \[7\]"):
        two_sided_scores(rows, columns)


def test_factors_of_different_shape_and_cohorts_of_one_case_are_refused() -> None:
    rows, columns = make_factors()
    with pytest.raises(ValueError, match=r"\(150, 6\) and \(149, 6\)"):
        two_sided_scores(rows, columns[1:])
    with pytest.raises(ValueError, match="at least two groups, got 1"):
        two_sided_scores(rows, columns, groups=torch.zeros(150, dtype=torch.long))
