"""Encoder and decoder in nnU-Net's manner, from MONAI's blocks, in 2-D and 3-D."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from monai.networks.blocks import Convolution
from monai.networks.blocks.dynunet_block import UnetBasicBlock, get_conv_layer
from torch import Tensor, nn

from CIMLSegmentLib.config import NetworkConfig

_NORM = ("instance", {"affine": True})


class Encoder(nn.Module):
    """One image to features at falling resolutions; instance norms share nothing."""

    def __init__(self, config: NetworkConfig, *, in_channels: int = 1, n_levels: int) -> None:
        super().__init__()
        widths = [in_channels, *config.features]
        self.levels = nn.ModuleList(
            UnetBasicBlock(
                config.spatial_dims,
                widths[level],
                widths[level + 1],
                kernel_size=config.kernel_sizes[level],
                stride=config.strides[level],
                norm_name=_NORM,
            )
            for level in range(n_levels)
        )

    def forward(self, image: Tensor) -> list[Tensor]:
        """Return the features of each level, finest first."""
        features = []
        for level in self.levels:
            image = level(image)
            features.append(image)
        return features


class Decoder(nn.Module):
    """Fused features to logits; reads what it is given and nothing else."""

    def __init__(
        self, config: NetworkConfig, *, fused_features: Sequence[int], out_channels: int
    ) -> None:
        super().__init__()
        below = [*config.features[1:-1], fused_features[-1]]
        finer = range(config.n_levels - 1)
        self.up = nn.ModuleList(_transposed(config, below[level], level) for level in finer)
        self.levels = nn.ModuleList(
            UnetBasicBlock(
                config.spatial_dims,
                config.features[level] + fused_features[level],
                config.features[level],
                kernel_size=config.kernel_sizes[level],
                stride=1,
                norm_name=_NORM,
            )
            for level in finer
        )
        n_heads = config.n_levels - 1 if config.deep_supervision else 1
        self.heads = nn.ModuleList(
            Convolution(config.spatial_dims, width, out_channels, kernel_size=1, conv_only=True)
            for width in config.features[:n_heads]
        )

    def forward(self, fused: Sequence[Tensor]) -> list[Tensor]:
        """Return logits `(B, R, …)`, finest first; only those if deep supervision is off."""
        current = fused[-1]
        logits: list[Tensor] = []
        for level in reversed(range(len(self.levels))):
            current = torch.cat([self.up[level](current), fused[level]], dim=1)
            current = self.levels[level](current)
            if level < len(self.heads):
                logits.insert(0, self.heads[level](current))
        return logits


def _transposed(config: NetworkConfig, n_in: int, level: int) -> nn.Module:
    stride = config.strides[level + 1]
    layer: nn.Module = get_conv_layer(
        config.spatial_dims,
        n_in,
        config.features[level],
        kernel_size=stride,
        stride=stride,
        act=None,
        norm=None,
        conv_only=False,
        is_transposed=True,
    )
    return layer
