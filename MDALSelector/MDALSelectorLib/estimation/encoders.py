"""One encoder per modality, its heads, the critic that compares embeddings, and its loss."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from monai.networks.blocks import Convolution
from torch import Tensor, nn

from MDALSelectorLib.estimation.config import ContrastiveConfig


class VolumeEncoder(nn.Sequential):
    """Strided 3-D convolutions and the mean over what is left of the crop.

    The last convolution is not normalized: the mean of an instance-normalized map says little.
    """

    def __init__(self, channels: Sequence[int]) -> None:
        """Build the layers.

        Args:
            channels: Outputs of each convolution; every one halves the crop.
        """
        widths = (1, *channels)
        norms = ["INSTANCE"] * (len(channels) - 1) + [None]
        blocks = [
            Convolution(3, n_in, n_out, strides=2, act="LEAKYRELU", norm=norm)
            for (n_in, n_out), norm in zip(pairwise(widths), norms, strict=True)
        ]
        super().__init__(*blocks, _SpatialMean())


class _SpatialMean(nn.Module):
    def forward(self, features: Tensor) -> Tensor:
        """Average `(n, channels, K, J, I)` over its voxels."""
        return features.mean(dim=(2, 3, 4))


@dataclass(frozen=True, eq=False)
class Encoded:
    """What is compared of some views of one modality.

    Attributes:
        embeddings: Of length 1, `(n_views, n_features)`.
        unary: Own part of the critic with each other modality, nats, `(n_views, n_modalities)`.
    """

    embeddings: Tensor
    unary: Tensor

    def __getitem__(self, views: Tensor) -> Encoded:
        """Return some of the views."""
        return Encoded(self.embeddings[views], self.unary[views])


class ContrastiveModel(nn.Module):
    """Encoders with heads; the critic of modalities a and b is `scale * cosine + u(x) + v(y)`.

    Without the unary heads `u`, `v` a cosine cannot become a PMI, whose own terms they are; they
    leave the normalized score alone.
    """

    def __init__(
        self,
        encoders: Sequence[tuple[nn.Module, int]],
        config: ContrastiveConfig,
        *,
        generator: torch.Generator,
    ) -> None:
        """Add heads to the encoders and draw all weights.

        Args:
            encoders: Encoder and number of its outputs per modality.
            config: Sizes of the heads, first and largest scale.
            generator: Source of the weights; on the CPU.
        """
        super().__init__()
        n_modalities, hidden = len(encoders), config.hidden_size
        self.encoders = nn.ModuleList(encoder for encoder, _ in encoders)
        self.projections = nn.ModuleList(nn.Linear(n, config.embedding_size) for _, n in encoders)
        self.unary_hidden = nn.ModuleList(nn.Linear(n, hidden) for _, n in encoders)
        unary = [nn.Linear(hidden, n_modalities) for _ in encoders]
        self.unary_heads = nn.ModuleList(unary)
        _draw_weights(self, generator)
        for head in unary:
            nn.init.zeros_(head.weight)
        first = math.log(config.initial_scale)
        self.log_scale = nn.Parameter(torch.full((n_modalities, n_modalities), first))
        self._max_log_scale = math.log(config.max_scale)

    def settle(self, modality: int, views: Tensor) -> None:
        """Start the heads on centered features of unit spread, as some training views give them.

        Untrained convolutions give all crops nearly the same features; without this the first
        steps only remove what they have in common.
        """
        with torch.no_grad():
            features = self.encoders[modality](views)
            center = features.mean(dim=0)
            spread = (features - center).square().mean().sqrt()
            for layer in (self.projections[modality], self.unary_hidden[modality]):
                layer.weight /= spread.clamp(min=1e-6)
                layer.bias -= layer.weight @ center

    def encode(self, modality: int, views: Tensor) -> Encoded:
        """Encode views of one modality, `(n_views, ...)`."""
        features = self.encoders[modality](views)
        embeddings = F.normalize(self.projections[modality](features), dim=1)
        hidden = F.gelu(self.unary_hidden[modality](features))
        return Encoded(embeddings, self.unary_heads[modality](hidden))

    def scale(self, pair: tuple[int, int]) -> Tensor:
        """Return the learned scale of the cosine of two modalities."""
        return self.log_scale[pair].clamp(max=self._max_log_scale).exp()

    def factors(
        self, pair: tuple[int, int], first: Encoded, second: Encoded
    ) -> tuple[Tensor, Tensor]:
        """Return two matrices whose product `rows @ columns.T` is the critic of all views, nats."""
        a, b = pair
        scale = self.scale(pair)
        one = torch.ones_like(first.unary[:, :1])
        u, v = first.unary[:, b, None], second.unary[:, a, None]
        rows = torch.cat([scale * first.embeddings, u, one], dim=1)
        return rows, torch.cat([second.embeddings, torch.ones_like(v), v], dim=1)


def _draw_weights(model: nn.Module, generator: torch.Generator) -> None:
    """Draw He-normal weights and zero biases from an explicit source."""
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv3d):
            fan_in = module.weight[0].numel()
            drawn = torch.randn(module.weight.shape, generator=generator) / math.sqrt(fan_in)
            with torch.no_grad():
                module.weight.copy_(drawn)
                if module.bias is not None:
                    module.bias.zero_()


def symmetric_info_nce(critic: Tensor, groups: Tensor | None = None) -> Tensor:
    """Return the mean negative log-odds of matched pairs against chance, both directions.

    A row's candidates are its matched column and the columns of other groups; the loss of a
    constant critic is 0 whatever their number. Minus the loss is a lower bound of the mutual
    information, nats, if the critic never saw the pairs; it is at most the log of the number of
    candidates.

    Args:
        critic: Critic of every row with every column, `(n, n)`; matched pairs on the diagonal.
        groups: Patient of each row, integers `(n,)`; all different by default.

    Returns:
        Scalar, nats.

    References:
        van den Oord et al., Representation learning with contrastive predictive coding, 2018.
    """
    matched = critic.diagonal()
    if groups is not None:
        is_own = groups[:, None] == groups[None, :]
        is_own.fill_diagonal_(False)
        critic = critic.masked_fill(is_own, -torch.inf)
        log_candidates = torch.log((len(critic) - is_own.sum(dim=1)).to(critic.dtype))
    else:
        log_candidates = torch.log(torch.tensor(float(len(critic)), dtype=critic.dtype))
    of_row = critic.logsumexp(dim=1) - matched
    of_column = critic.logsumexp(dim=0) - matched
    return (0.5 * (of_row + of_column) - log_candidates).mean()
