"""The variational bottleneck that every message passes: diagonal Gaussian, prior N(0, I)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

_SOFTPLUS_SHIFT = 0.5413  # softplus(0.5413) = 1: a raw scale of 0 starts at the prior's
_SMALLEST_SIGMA = 1e-4


def gaussian_message(
    statistics: Tensor, *, generator: torch.Generator | None = None
) -> tuple[Tensor, Tensor]:
    """Turn raw statistics into a message and its cost.

    Args:
        statistics: Mean and raw scale along channels, `(B, 2 Cz, …)`.
        generator: Source of the noise on any device; without it the message is its mean.

    Returns:
        Message `(B, Cz, …)` in the type of the statistics, and its KL divergence to N(0, I),
        nats, summed over channels, `(B, …)`, float32.
    """
    mean, raw = statistics.float().chunk(2, dim=1)
    sigma = F.softplus(raw + _SOFTPLUS_SHIFT) + _SMALLEST_SIGMA
    kl = kl_to_standard_normal(mean, sigma).sum(dim=1)
    if generator is None:
        return mean.to(statistics.dtype), kl
    noise = torch.randn(mean.shape, generator=generator, device=generator.device)
    return (mean + sigma * noise.to(mean.device)).to(statistics.dtype), kl


def kl_to_standard_normal(mean: Tensor, sigma: Tensor) -> Tensor:
    """Return KL(N(mean, sigma^2) || N(0, 1)) of each element, nats."""
    variance = sigma.square()
    return 0.5 * (mean.square() + variance - 1 - variance.log())
