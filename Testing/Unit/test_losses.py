import math

import pytest
import torch
from torch.nn import functional as F

from CIMLSegmentLib.config import TrainingConfig
from CIMLSegmentLib.network.network import CIMLOutput, MessageKey
from CIMLSegmentLib.task.task_io import load_task
from CIMLSegmentLib.training.losses import CIMLLoss, beta_share, kl_per_input_voxel

BRATS = load_task("brats")
FINE, COARSE = MessageKey("WT", "T1", 1), MessageKey("WT", "T1", 2)


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def output(**changes):
    values = {
        "logits": {"WT": random(2, 1, 4, 4, 4), "TC-ET": random(2, 2, 4, 4, 4, seed=1)},
        "kl": {FINE: torch.full((2, 2, 2, 2), 3.0), COARSE: torch.full((2, 1, 1, 1), 8.0)},
    }
    return CIMLOutput(**{**values, **changes})


def targets():
    return (random(2, 3, 4, 4, 4, seed=2) > 0).float()


def test_kl_is_the_sum_over_positions_divided_by_the_input_voxels():
    kl = kl_per_input_voxel(output(), n_voxels=64)
    assert kl[FINE].item() == pytest.approx(8 * 3 / 64)
    assert kl[COARSE].item() == pytest.approx(8 / 64)


def test_total_is_cross_entropy_plus_dice_plus_beta_times_kl():
    config = TrainingConfig(beta=0.5, n_steps=100, beta_warmup=0.2)
    terms = CIMLLoss(BRATS, config)(output(), targets(), step=5)
    expected = sum(terms.cross_entropy.values()) + sum(terms.dice.values())
    expected += 0.5 * 0.25 * (24 + 8) / 64
    assert terms.total.item() == pytest.approx(expected.item())


def test_cross_entropy_is_the_mean_over_voxels_and_regions_of_a_subtask():
    terms = CIMLLoss(BRATS, TrainingConfig(beta=0))(output(), targets())
    wanted = {"WT": targets()[:, :1], "TC-ET": targets()[:, 1:]}
    for name, values in wanted.items():
        expected = F.binary_cross_entropy_with_logits(output().logits[name], values)
        assert terms.cross_entropy[name].item() == pytest.approx(expected.item())


def test_dice_is_one_minus_the_mean_soft_dice_of_samples_and_regions():
    terms = CIMLLoss(BRATS, TrainingConfig(beta=0))(output(), targets())
    p, t = output().logits["TC-ET"].sigmoid().flatten(2), targets()[:, 1:].flatten(2)
    soft = 2 * (p * t).sum(2) / (p.sum(2) + t.sum(2))
    assert terms.dice["TC-ET"].item() == pytest.approx(1 - soft.mean().item(), abs=1e-4)


def test_dice_can_be_left_out():
    terms = CIMLLoss(BRATS, TrainingConfig(beta=0, dice=False))(output(), targets())
    assert terms.dice == {}
    assert terms.total.item() == pytest.approx(sum(terms.cross_entropy.values()).item())


def test_perfect_prediction_costs_nothing_but_its_messages():
    sure = {"WT": 60 * targets()[:, :1] - 30, "TC-ET": 60 * targets()[:, 1:] - 30}
    terms = CIMLLoss(BRATS, TrainingConfig(beta=0))(output(logits=sure), targets())
    assert terms.total.item() == pytest.approx(0, abs=1e-4)


def test_sample_without_the_primary_counts_only_for_the_other_subtask():
    usable = torch.ones(2, 4, dtype=torch.bool)
    usable[1, BRATS.modality_index("FLAIR")] = False
    loss = CIMLLoss(BRATS, TrainingConfig(beta=0))
    masked, full = loss(output(), targets(), usable=usable), loss(output(), targets())
    alone = F.binary_cross_entropy_with_logits(output().logits["WT"][:1], targets()[:1, :1])
    assert masked.cross_entropy["WT"].item() == pytest.approx(alone.item())
    assert torch.equal(masked.cross_entropy["TC-ET"], full.cross_entropy["TC-ET"])
    none_usable = loss(output(), targets(), usable=torch.zeros(2, 4, dtype=torch.bool))
    assert none_usable.total.item() == 0


def test_deep_supervision_weighs_levels_by_halves_that_add_up_to_one():
    constant = {"WT": torch.zeros(2, 1, 4, 4, 4), "TC-ET": torch.zeros(2, 2, 4, 4, 4)}
    coarse = {
        "WT": (torch.zeros(2, 1, 2, 2, 2), torch.zeros(2, 1, 1, 1, 1)),
        "TC-ET": (torch.full((2, 2, 2, 2, 2), 100.0),),
    }
    half = torch.full((2, 3, 4, 4, 4), 0.5)
    terms = CIMLLoss(BRATS, TrainingConfig(beta=0))(
        output(logits=constant, coarse_logits=coarse), half
    )
    assert terms.cross_entropy["WT"].item() == pytest.approx(math.log(2))
    expected = 2 / 3 * math.log(2) + 1 / 3 * 50
    assert terms.cross_entropy["TC-ET"].item() == pytest.approx(expected)


def test_beta_grows_linearly_over_its_warmup():
    shares = [beta_share(step, n_steps=100, warmup=0.2) for step in (0, 5, 10, 20, 99)]
    assert shares == pytest.approx([0, 0.25, 0.5, 1, 1])
    assert beta_share(0, n_steps=100, warmup=0) == 1
