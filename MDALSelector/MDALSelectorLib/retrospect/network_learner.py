"""A small 3-D segmentation network that is trained alike on any set of cases, many at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from MDALSelectorLib.retrospect.coarse_cases import CoarseCase, HeldOutCase, draw_patches
from MDALSelectorLib.retrospect.network_config import NetworkConfig
from MultimodalImagingLib.errors import CrossModalError
from MultimodalImagingLib.images.arrays import Float64Array

SLOPE = 0.01
# Log-odds of a voxel before training: targets are small.
FIRST_LOG_ODDS = -2.0
# Log-odds above which a voxel may belong to the target; the best for the training cases is taken.
THRESHOLDS = tuple(np.linspace(-4.0, 4.0, 33).tolist())
WARM_UP = 0.1
WEIGHT_DECAY = 1e-4


class SmallNetwork(nn.Module):
    """Convolutions on a few levels of resolution; what is coarse is added to what is fine.

    Nothing is normalized, so that a patch and a whole body are treated alike.
    """

    def __init__(
        self, n_channels: int, widths: Sequence[int], *, generator: torch.Generator
    ) -> None:
        """Draw all weights.

        Args:
            n_channels: Channels of the images.
            widths: Features per level, the finest first.
            generator: Source of the weights; on the CPU.
        """
        super().__init__()
        ways = list(pairwise(widths))
        self.first = nn.Conv3d(n_channels, widths[0], 3, padding=1)
        self.down = nn.ModuleList(nn.Conv3d(a, b, 3, stride=2, padding=1) for a, b in ways)
        self.deep = nn.ModuleList(nn.Conv3d(b, b, 3, padding=1) for _, b in ways)
        self.narrow = nn.ModuleList(nn.Conv3d(b, a, 1) for a, b in ways)
        self.up = nn.ModuleList(nn.Conv3d(a, a, 3, padding=1) for a, _ in ways)
        self.head = nn.Conv3d(widths[0], 1, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, a=SLOPE, generator=generator)
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]
        nn.init.normal_(self.head.weight, std=0.01, generator=generator)
        nn.init.constant_(self.head.bias, FIRST_LOG_ODDS)  # type: ignore[arg-type]

    def forward(self, images: Tensor) -> Tensor:
        """Return log-odds `(n, K, J, I)` of images `(n, n_channels, K, J, I)`.

        Every length must be a multiple of two to the number of halvings.
        """
        features = F.leaky_relu(self.first(images), SLOPE)
        skipped = []
        for down, deep in zip(self.down, self.deep, strict=True):
            skipped.append(features)
            features = F.leaky_relu(down(features), SLOPE)
            features = F.leaky_relu(deep(features), SLOPE)
        for narrow, up in zip(reversed(self.narrow), reversed(self.up), strict=True):
            coarse = F.interpolate(narrow(features), scale_factor=2.0)
            features = F.leaky_relu(up(coarse + skipped.pop()), SLOPE)
        log_odds: Tensor = self.head(features)[:, 0]
        return log_odds


@dataclass(frozen=True, eq=False)
class NetworkJob:
    """A training.

    Attributes:
        cases: The cases to train on.
        seed: Key of all its randomness, whatever is trained beside it.
    """

    cases: Sequence[CoarseCase]
    seed: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class TrainedNetworks:
    """Networks that were trained side by side.

    Attributes:
        network: One of them, for its structure.
        weights: Weights by name, the first axis is that of the networks.
        thresholds: Log-odds above which a voxel belongs to the target, `(n_networks,)`.
        device: Where the weights lie.
    """

    network: SmallNetwork
    weights: Mapping[str, Tensor]
    thresholds: Tensor
    device: torch.device

    def log_odds(self, case: CoarseCase) -> Tensor:
        """Return what every network says of a whole case, `(n_networks, K, J, I)`."""
        return _of_case(self.network, self.weights, case, self.device)


def train_networks(
    jobs: Sequence[NetworkJob],
    config: NetworkConfig,
    *,
    device: torch.device,
    on_step: Callable[[], None],
) -> TrainedNetworks:
    """Train one network per job, all at once; each is what it would be if trained alone.

    The loss is cross-entropy and soft Dice over the body; shares of a voxel count as shares.

    Args:
        jobs: What to train on, at least one.
        config: Network, steps, patches, rate.
        device: Where to train.
        on_step: Called before every step; may raise to stop.

    Raises:
        CrossModalError: If a training does not converge to finite numbers.
    """
    network, weights = _new_networks(jobs, config, device)
    optimizer = torch.optim.AdamW(
        weights.values(), lr=config.learning_rate, weight_decay=WEIGHT_DECAY
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda n: _rate(n, config.n_steps))
    generators = [np.random.default_rng([*job.seed, 1]) for job in jobs]
    losses = vmap(
        lambda own, images, target, body: patch_loss(
            functional_call(network, own, (images,)), target, body
        )
    )
    for _ in range(config.n_steps):
        on_step()
        drawn = [draw_patches(j.cases, config, g) for j, g in zip(jobs, generators, strict=True)]
        patches = [torch.stack(parts).to(device) for parts in zip(*drawn, strict=True)]
        optimizer.zero_grad()
        torch.autograd.backward(losses(weights, *patches).sum())
        optimizer.step()
        schedule.step()
    frozen = {name: weight.detach() for name, weight in weights.items()}
    thresholds = _best_thresholds(network, frozen, jobs, device)
    return TrainedNetworks(network, frozen, thresholds, device)


def dice_of_networks(networks: TrainedNetworks, case: HeldOutCase) -> Float64Array:
    """Return the Dice of every network on all voxels of the body of a case, `(n_networks,)`.

    Log-odds are interpolated to the case's own grid; outside the body nothing is predicted.
    """
    with torch.no_grad():
        coarse = networks.log_odds(case.coarse)
        fine = F.interpolate(coarse[None], size=case.body.shape, mode="trilinear")[0]
        is_above = fine > networks.thresholds[:, None, None, None]
    inside = is_above.cpu().numpy()[:, case.body]
    n_hit = inside[:, case.is_target].sum(axis=1)
    total = np.maximum(inside.sum(axis=1) + case.n_target, 1)
    return np.asarray(2.0 * n_hit / total, dtype=np.float64)


def _new_networks(
    jobs: Sequence[NetworkJob], config: NetworkConfig, device: torch.device
) -> tuple[SmallNetwork, dict[str, Tensor]]:
    networks = []
    for job in jobs:
        drawn = np.random.SeedSequence(job.seed).generate_state(1, np.uint64)[0]
        generator = torch.Generator().manual_seed(int(drawn) >> 1)
        n_channels = len(job.cases[0].images)
        networks.append(SmallNetwork(n_channels, config.channels, generator=generator).to(device))
    weights, _ = stack_module_state(networks)
    return networks[0], {name: weight.detach().requires_grad_() for name, weight in weights.items()}


def _rate(step: int, n_steps: int) -> float:
    """Return the share of the largest rate: it rises linearly and falls as half a cosine."""
    done = (step + 1) / n_steps
    falling = max(0.0, (done - WARM_UP) / (1.0 - WARM_UP))
    return float(min(1.0, done / WARM_UP) * 0.5 * (1.0 + np.cos(np.pi * min(1.0, falling))))


def patch_loss(log_odds: Tensor, target: Tensor, body: Tensor) -> Tensor:
    """Return the mean cross-entropy within the body plus one minus the soft Dice of a batch.

    Args:
        log_odds: Of every voxel, `(n, edge, edge, edge)`.
        target: Share of each voxel that belongs to the target, same shape.
        body: Share of each voxel that is body, same shape; nothing is predicted outside.
    """
    entropy = F.binary_cross_entropy_with_logits(log_odds, target, reduction="none")
    mean_entropy = (entropy * body).sum() / body.sum().clamp(min=1.0)
    predicted = log_odds.sigmoid() * body
    overlap = 2.0 * (predicted * target).sum() + 1.0
    return mean_entropy + 1.0 - overlap / (predicted.sum() + target.sum() + 1.0)


def _of_case(
    network: SmallNetwork, weights: Mapping[str, Tensor], case: CoarseCase, device: torch.device
) -> Tensor:
    factor = 2 ** len(network.down)
    shape = case.target.shape
    padding = [part for n in reversed(shape) for part in (0, -n % factor)]
    images = F.pad(case.images, padding)[None].to(device)
    found: Tensor = vmap(
        lambda own: functional_call(network, own, (images,)), in_dims=(dict.fromkeys(weights, 0),)
    )(dict(weights))
    return found[:, 0, : shape[0], : shape[1], : shape[2]]


def _best_thresholds(
    network: SmallNetwork,
    weights: Mapping[str, Tensor],
    jobs: Sequence[NetworkJob],
    device: torch.device,
) -> Tensor:
    """Return the threshold of every network with the best mean Dice on its training cases."""
    grid = torch.tensor(THRESHOLDS)
    best = []
    for number, job in enumerate(jobs):
        own = {name: weight[number : number + 1] for name, weight in weights.items()}
        dice = torch.zeros(len(grid))
        for case in job.cases:
            with torch.no_grad():
                log_odds = _of_case(network, own, case, device)[0].cpu()
            dice += _dice_at(grid, log_odds, case)
        if not torch.isfinite(log_odds).all():
            msg = (
                "The training of the network ended in numbers that are not finite. Give more"
                " --steps, or look for cases whose intensities are far from those of the others."
            )
            raise CrossModalError(msg)
        best.append(grid[dice.argmax()])
    return torch.stack(best).to(device)


def _dice_at(grid: Tensor, log_odds: Tensor, case: CoarseCase) -> Tensor:
    """Return the Dice at every threshold; a voxel counts by its shares of target and body."""
    order = log_odds.flatten().argsort()
    first_above = torch.searchsorted(log_odds.flatten()[order], grid, right=True)
    n_above, n_hit = (
        F.pad(share.flatten()[order].flip(0).cumsum(0).flip(0), (0, 1))[first_above]
        for share in (case.body, case.target)
    )
    return 2.0 * n_hit / (n_above + case.target.sum()).clamp(min=1e-6)
