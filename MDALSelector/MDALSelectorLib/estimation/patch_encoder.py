"""What a network makes of a position: a fully convolutional encoder that sees two scales.

One branch sees the voxels within 3 of the position (7 in each direction), the other one averages
within 9 of it (19 in each direction) at every third voxel. Neither is padded nor normalized, so
that an encoder gives the same for a patch as for the same position of a whole volume.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Voxels of a patch along each axis: what three unpadded convolutions of three leave one of.
PATCH_EDGE = 7
# Voxels between neighbors in the patches of the two scales.
STEPS = (1, 3)
REACH = max(STEPS) * (PATCH_EDGE // 2)
# Inputs farther from the mean than so many standard deviations count as that far.
MAX_DEVIATIONS = 5.0
# Slices of a volume that are encoded at a time.
SLAB = 16


class PatchEncoder(nn.Module):
    """Two branches of three convolutions and a layer that mixes what they see."""

    center: Tensor
    spread: Tensor

    def __init__(self, channels: Sequence[int], n_outputs: int) -> None:
        """Build the layers; weights are drawn later.

        Args:
            channels: Outputs of the three convolutions of a branch.
            n_outputs: Outputs for a position.
        """
        super().__init__()
        widths = (1, *channels)
        self.branches = nn.ModuleList(
            nn.ModuleList(nn.Conv3d(n_in, n_out, 3) for n_in, n_out in itertools.pairwise(widths))
            for _ in STEPS
        )
        self.mix = nn.Linear(len(STEPS) * channels[-1], n_outputs)
        self.register_buffer("center", torch.zeros(len(STEPS)))
        self.register_buffer("spread", torch.ones(len(STEPS)))

    def standardize(self, center: Tensor, spread: Tensor) -> None:
        """Set the mean and standard deviation of the inputs of each branch, `(2,)`."""
        self.center.copy_(center)
        self.spread.copy_(spread.clamp(min=1e-6))

    def forward(self, patches: Tensor) -> Tensor:
        """Encode patches `(n, 2, 7, 7, 7)`, whose voxels are `STEPS` apart, to `(n, n_outputs)`."""
        found = [
            self._branch(branch, patches[:, b : b + 1], b, step=1).flatten(1)
            for b, branch in enumerate(self.branches)
        ]
        return self._mixed(torch.cat(found, dim=1))

    def volume(self, channels: Tensor) -> Tensor:
        """Encode every position of a volume `(2, K, J, I)` to `(K, J, I, n_outputs)`.

        Beyond its border the volume counts as zero.
        """
        padded = F.pad(channels, (REACH,) * 6)
        slabs = [
            self._slab(padded[:, start : min(start + SLAB, channels.shape[1]) + 2 * REACH])
            for start in range(0, channels.shape[1], SLAB)
        ]
        return torch.cat(slabs)

    def _slab(self, padded: Tensor) -> Tensor:
        found = []
        for b, (branch, step) in enumerate(zip(self.branches, STEPS, strict=True)):
            cut = REACH - step * (PATCH_EDGE // 2)
            inner = tuple(slice(cut, n - cut) for n in padded.shape[1:])
            seen = self._branch(branch, padded[b][inner][None, None], b, step=step)
            found.append(seen[0].movedim(0, -1))
        return self._mixed(torch.cat(found, dim=-1))

    def _branch(self, branch: nn.Module, inputs: Tensor, index: int, *, step: int) -> Tensor:
        values = (inputs - self.center[index]) / self.spread[index]
        values = values.clamp(-MAX_DEVIATIONS, MAX_DEVIATIONS)
        for layer in branch.children():
            values = F.leaky_relu(_convolved(values, layer, step), 0.1)
        return values

    def _mixed(self, features: Tensor) -> Tensor:
        mixed: Tensor = F.gelu(self.mix(features))
        return mixed


def _convolved(values: Tensor, layer: nn.Module, step: int) -> Tensor:
    weight, bias = layer.get_parameter("weight"), layer.get_parameter("bias")
    return F.conv3d(values, weight, bias, dilation=step)


class PositionEncoder(nn.Module):
    """A trained encoder and the projection whose outputs are compared, scaled to length 1."""

    def __init__(self, encoder: PatchEncoder, projection: nn.Linear) -> None:
        """Join the two."""
        super().__init__()
        self.encoder = encoder
        self.projection = projection

    def forward(self, patches: Tensor) -> Tensor:
        """Embed patches `(n, 2, 7, 7, 7)`, `(n, n_features)`."""
        return F.normalize(self.projection(self.encoder(patches)), dim=-1)

    def volume(self, channels: Tensor) -> Tensor:
        """Embed every position of a volume `(2, K, J, I)`, `(K, J, I, n_features)`."""
        return F.normalize(self.projection(self.encoder.volume(channels)), dim=-1)


def position_encoder_of(weights: Mapping[str, Tensor]) -> PositionEncoder:
    """Rebuild an encoder from its weights, by whose shapes it is known.

    Raises:
        KeyError, RuntimeError: If weights are missing or do not fit each other.
    """
    first = "encoder.branches.0"
    n_layers = sum(name.startswith(first) and name.endswith("weight") for name in weights)
    channels = [len(weights[f"{first}.{n}.weight"]) for n in range(n_layers)]
    n_features, n_outputs = weights["projection.weight"].shape
    made = PositionEncoder(PatchEncoder(channels, n_outputs), nn.Linear(n_outputs, n_features))
    made.load_state_dict(dict(weights))
    return made.eval()
