import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from CIMLSegmentLib.network.gate import gaussian_message, kl_to_standard_normal


def statistics(mean, raw, shape=(1, 1, 4)):
    return torch.cat([torch.full(shape, mean), torch.full(shape, raw)], dim=1)


def test_kl_is_the_closed_form_of_two_gaussians():
    mean = torch.tensor([0.0, 0.7, -2.0, 0.3])
    sigma = torch.tensor([1.0, 0.2, 1.8, 1e-4])
    expected = kl_divergence(Normal(mean, sigma), Normal(0.0, 1.0))
    assert torch.allclose(kl_to_standard_normal(mean, sigma), expected, atol=1e-5)


def test_kl_agrees_with_a_monte_carlo_estimate():
    mean, sigma, generator = 0.8, 0.5, torch.Generator().manual_seed(3)
    z = mean + sigma * torch.randn(400_000, generator=generator)
    estimate = (Normal(mean, sigma).log_prob(z) - Normal(0.0, 1.0).log_prob(z)).mean()
    exact = kl_to_standard_normal(torch.tensor(mean), torch.tensor(sigma))
    assert estimate.item() == pytest.approx(exact.item(), abs=0.005)


def test_kl_is_zero_at_the_prior_and_positive_elsewhere():
    assert kl_to_standard_normal(torch.zeros(1), torch.ones(1)).item() == 0
    mean, sigma = torch.randn(2, 100, generator=torch.Generator().manual_seed(0))
    assert (kl_to_standard_normal(mean, sigma.abs() + 0.01) >= 0).all()


def test_raw_scale_of_zero_starts_at_the_prior():
    _, kl = gaussian_message(statistics(0.0, 0.0))
    assert kl.max().item() < 1e-6


def test_kl_is_summed_over_channels_only():
    stats = statistics(1.0, 0.0, shape=(2, 5, 3, 3))
    _, kl = gaussian_message(stats)
    assert kl.shape == (2, 3, 3)
    assert torch.allclose(kl, torch.full((2, 3, 3), 5 * 0.5), atol=1e-4)


def test_message_is_the_mean_without_a_generator():
    z, _ = gaussian_message(statistics(0.25, 3.0))
    assert torch.equal(z, torch.full((1, 1, 4), 0.25))


def test_sampled_message_has_the_stated_mean_and_scale():
    stats = statistics(0.25, 1.0, shape=(1, 1, 200_000))
    z, _ = gaussian_message(stats, generator=torch.Generator().manual_seed(0))
    sigma = math.log1p(math.exp(1.5413)) + 1e-4
    assert z.mean().item() == pytest.approx(0.25, abs=0.02)
    assert z.std().item() == pytest.approx(sigma, rel=0.01)


def test_same_generator_state_gives_the_same_message():
    draws = [
        gaussian_message(statistics(0.0, 0.0), generator=torch.Generator().manual_seed(7))[0]
        for _ in range(2)
    ]
    assert torch.equal(*draws)


def test_gradients_of_message_and_kl_reach_mean_and_scale():
    for pick in (0, 1):
        stats = torch.full((1, 4, 8), 0.3, requires_grad=True)
        output = gaussian_message(stats, generator=torch.Generator().manual_seed(1))[pick]
        output.sum().backward()
        assert (stats.grad[:, :2] != 0).all()
        assert (stats.grad[:, 2:] != 0).all()


def test_kl_is_float32_in_mixed_precision():
    z, kl = gaussian_message(statistics(8.0, 0.0).to(torch.bfloat16))
    assert z.dtype == torch.bfloat16
    assert kl.dtype == torch.float32
    assert torch.allclose(kl, torch.full_like(kl, 32.0), rtol=1e-3)
