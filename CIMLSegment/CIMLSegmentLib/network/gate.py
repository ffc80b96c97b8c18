"""Cross-modality information gates: the only way from an auxiliary to a decoder.

Both forms reduce the two modalities to a few channels first, so that a gate costs little beside
the encoders. That reduction, and where the gate's noise enters, are choices of this project.
Every message passes a variational bottleneck: diagonal Gaussian, prior N(0, I).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod, sqrt

import torch
from monai.networks.blocks import Convolution
from torch import Tensor, nn
from torch.nn import functional as F

from MultimodalImagingLib.errors import UsageError

MOST_POSITIONS = 16**3
_SOFTPLUS_SHIFT = 0.5413  # softplus(0.5413) = 1: a raw scale of 0 starts at the prior's
_SMALLEST_SIGMA = 1e-4


@dataclass(frozen=True)
class GateShape:
    """Sizes of a gate.

    Attributes:
        spatial_dims: 2 or 3.
        primary_features: Channels of the primary at this level.
        auxiliary_features: Channels of the auxiliary at this level.
        reduced: Channels inside the gate.
        message_channels: Channels of the message (Cz).
        kernel_size: Kernel of the level.
    """

    spatial_dims: int
    primary_features: int
    auxiliary_features: int
    reduced: int
    message_channels: int
    kernel_size: tuple[int, ...]


class SpatialGate(nn.Module):
    """Form G: a sigmoid map decides where the auxiliary's features pass."""

    def __init__(self, shape: GateShape) -> None:
        super().__init__()
        self.reduce_primary = _plain(shape, shape.primary_features, shape.reduced)
        self.reduce_auxiliary = _plain(shape, shape.auxiliary_features, shape.reduced)
        self.attend = nn.Sequential(
            _block(shape, 2 * shape.reduced, shape.reduced),
            _plain(shape, shape.reduced, 1, shape.kernel_size),
        )
        self.encode = _statistics_head(shape)

    def forward(self, primary: Tensor, auxiliary: Tensor) -> tuple[Tensor, Tensor]:
        """Return message statistics `(B, 2 Cz, …)` and the attention map `(B, …)`, 0 to 1."""
        primary = self.reduce_primary(primary)
        auxiliary = self.reduce_auxiliary(auxiliary)
        attention = self.attend(torch.cat([primary, auxiliary], dim=1)).sigmoid()
        gated = attention * auxiliary
        return self.encode(torch.cat([gated, primary], dim=1)), attention[:, 0]


class DotProductGate(nn.Module):
    """Form D: each position of the primary asks all positions of the auxiliary.

    The residual path from the auxiliary is there because without it the attention did not learn
    to match positions in our tests. For at most 16^3 positions.
    """

    def __init__(self, shape: GateShape) -> None:
        super().__init__()
        self.query = _plain(shape, shape.primary_features, shape.reduced)
        self.key = _plain(shape, shape.auxiliary_features, shape.reduced)
        self.value = _plain(shape, shape.auxiliary_features, shape.reduced)
        self.residual = _plain(shape, shape.auxiliary_features, shape.reduced)
        self.reduce_primary = _plain(shape, shape.primary_features, shape.reduced)
        self.encode = _statistics_head(shape)

    def forward(self, primary: Tensor, auxiliary: Tensor) -> tuple[Tensor, Tensor]:
        """Return message statistics `(B, 2 Cz, …)` and the attention map `(B, …)`, 0 to 1.

        The map holds, for each position of the auxiliary, the largest weight that any position of
        the primary gives it.

        Raises:
            UsageError: If the level has more than 16^3 positions.
        """
        spatial = primary.shape[2:]
        check_positions(tuple(spatial))
        query = self.query(primary).flatten(2).transpose(1, 2)
        key = self.key(auxiliary).flatten(2)
        weights = torch.softmax(query @ key / sqrt(key.shape[1]), dim=-1)
        value = self.value(auxiliary).flatten(2)
        found = (value @ weights.transpose(1, 2)).reshape(*value.shape[:2], *spatial)
        joined = torch.cat([found + self.residual(auxiliary), self.reduce_primary(primary)], dim=1)
        return self.encode(joined), weights.amax(dim=1).reshape(-1, *spatial)


def check_positions(spatial: tuple[int, ...]) -> None:
    """Refuse a level that is too large for dot products.

    Raises:
        UsageError: If it has more than 16^3 positions.
    """
    if prod(spatial) > MOST_POSITIONS:
        msg = (
            f"The dot-product gate needs at most {MOST_POSITIONS} positions (16 x 16 x 16), got"
            f" {' x '.join(map(str, spatial))}. Use deeper message levels, a smaller patch, or the"
            " spatial gate."
        )
        raise UsageError(msg)


def _statistics_head(shape: GateShape) -> nn.Sequential:
    return nn.Sequential(
        _block(shape, 2 * shape.reduced, shape.reduced),
        _plain(shape, shape.reduced, 2 * shape.message_channels),
    )


def _block(shape: GateShape, n_in: int, n_out: int) -> nn.Module:
    block: nn.Module = Convolution(
        shape.spatial_dims,
        n_in,
        n_out,
        kernel_size=shape.kernel_size,
        act=("leakyrelu", {"negative_slope": 0.01, "inplace": True}),
        norm=("instance", {"affine": True}),
        bias=False,
        adn_ordering="NA",
    )
    return block


def _plain(shape: GateShape, n_in: int, n_out: int, kernel: int | tuple[int, ...] = 1) -> nn.Module:
    layer: nn.Module = Convolution(
        shape.spatial_dims, n_in, n_out, kernel_size=kernel, conv_only=True
    )
    return layer


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
