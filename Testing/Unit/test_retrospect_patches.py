"""Patches, loss and thresholds of the network learner of `retrospect`, on values known by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from MDALSelectorLib.retrospect import network_learner
from MDALSelectorLib.retrospect.coarse_cases import (
    CoarseCase,
    HeldOutCase,
    Patches,
    draw_patches,
)
from MDALSelectorLib.retrospect.network_config import NetworkConfig
from MDALSelectorLib.retrospect.network_learner import (
    NetworkJob,
    dice_of_networks,
    patch_loss,
    train_networks,
)

CPU = torch.device("cpu")
SMALL = NetworkConfig(batch_size=2, patch_edge=8, channels=(4, 8))


def test_the_loss_is_that_of_cross_entropy_and_dice_within_the_body() -> None:
    target, body = torch.zeros(2, 4, 4, 4), torch.zeros(2, 4, 4, 4)
    body[:, 1:] = 1.0
    target[:, 2] = 1.0
    undecided = torch.zeros_like(body)
    dice = (2 * 16 + 1) / (48 + 32 + 1)  # half of the 96 voxels of the body, 32 of the target
    expected = np.log(2.0) + 1.0 - dice
    assert patch_loss(undecided, target, body).item() == pytest.approx(expected, rel=1e-5)
    right = 40.0 * (2.0 * target - 1.0)
    assert patch_loss(right, target, body).item() == pytest.approx(0.0, abs=1e-5)
    elsewhere = right.clone()
    elsewhere[:, 0] = 40.0
    torch.testing.assert_close(patch_loss(elsewhere, target, body), patch_loss(right, target, body))


class Given(torch.nn.Module):
    """Takes the first channel for log-odds, moved by a weight."""

    def __init__(self) -> None:
        super().__init__()
        self.shift = torch.nn.Parameter(torch.zeros(()))
        self.down = torch.nn.ModuleList()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images[:, 0] + self.shift


def given_case(log_odds: torch.Tensor, target: torch.Tensor) -> CoarseCase:
    nothing = np.zeros((0, 3), dtype=np.intp)
    body = torch.ones_like(target)
    return CoarseCase(log_odds[None], target, body, (nothing, nothing))


def test_every_network_gets_the_threshold_that_is_best_for_its_own_training_cases(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    target = torch.zeros(4, 4, 4)
    target[0] = 1.0
    low = given_case(torch.where(target > 0, -2.1, -2.4), target)
    high = given_case(torch.where(target > 0, 2.1, 1.9), target)
    monkeypatch.setattr(network_learner, "SmallNetwork", lambda *_, generator: Given())
    monkeypatch.setattr(network_learner, "draw_patches", draw_none)
    jobs = [NetworkJob([low], (0,)), NetworkJob([high], (1,))]
    still = replace(SMALL, n_steps=1, learning_rate=0.0)
    networks = train_networks(jobs, still, device=CPU, on_step=lambda: None)
    assert networks.thresholds.tolist() == [-2.25, 2.0]
    body = np.ones((4, 4, 4), dtype=bool)
    test = HeldOutCase(high, body, target.numpy().reshape(-1) > 0, 16)
    # the first network takes all 64 voxels for target, the second one the 16 that are
    np.testing.assert_allclose(dice_of_networks(networks, test), [2 * 16 / (64 + 16), 1.0])
    with_more = replace(test, n_target=32)  # 16 of them outside of the body
    np.testing.assert_allclose(dice_of_networks(networks, with_more)[1], 2 * 16 / (16 + 32))


def draw_none(cases: object, config: NetworkConfig, generator: object) -> Patches:
    edge = (config.patch_edge,) * 3
    nothing = torch.zeros(config.batch_size, *edge)
    return Patches(nothing[:, None], nothing, nothing)


def test_images_target_and_body_of_a_patch_stay_together_in_every_mirroring() -> None:
    ramp = torch.arange(12.0)
    places = torch.stack(torch.meshgrid(ramp, ramp, ramp, indexing="ij")) + 1.0
    target = (places[0] + 2 * places[1] + 3 * places[2]) / 72.0
    body = torch.ones_like(target)
    everywhere = np.argwhere(body.numpy() > 0)
    case = CoarseCase(torch.cat([places, 0.0 * places + 1.0]), target, body, (everywhere,) * 2)
    plain = replace(SMALL, batch_size=40, gain=0.0, offset=0.0)
    patches = draw_patches([case], plain, np.random.default_rng(0))
    i, j, k = (patches.images[:, axis] for axis in range(3))
    torch.testing.assert_close(patches.target, (i + 2 * j + 3 * k) / 72.0)
    assert (patches.body == patches.images[:, 3]).all()
    for axis in range(3):
        rising = patches.images[:, axis].diff(dim=axis + 1)[patches.body.diff(dim=axis + 1) == 0]
        assert (rising > 0).any()
        assert (rising < 0).any()


def test_the_center_of_a_patch_lies_in_its_middle_half_also_at_the_edge_of_a_case() -> None:
    target = torch.zeros(12, 12, 12)
    target[0, 5, 11] = 1.0
    center = np.argwhere(target.numpy() > 0)
    case = CoarseCase(target[None].repeat(2, 1, 1, 1), target, target, (center, center))
    patches = draw_patches([case], replace(SMALL, batch_size=40), np.random.default_rng(0))
    found = np.argwhere(patches.target.numpy() > 0)[:, 1:]
    assert len(found) == 40
    assert found.min() >= 1
    assert found.max() <= 6  # of 8 voxels, 2 to 6, or mirrored
