import itertools
import math

import pytest
import torch
from example_training import bright_balls

from CIMLSegmentLib.network.network import build_network
from CIMLSegmentLib.task.task_io import load_task
from CIMLSegmentLib.training.network_plan import plan_for_cases, plan_network


def test_isotropic_brain_gets_the_default_network():
    plan = plan_network((155, 240, 240), (1.0, 1.0, 1.0))
    assert plan.patch_size == (96, 96, 96)
    assert plan.network.features == (8, 16, 32, 64, 128)
    assert plan.network.strides == ((1, 1, 1), *(((2, 2, 2),) * 4))
    assert plan.network.message_levels == (2, 3, 4)


def test_thick_slices_are_not_mixed_before_the_others_are_as_coarse():
    plan = plan_network((24, 256, 256), (5.0, 0.7, 0.7))
    assert plan.network.kernel_sizes[0] == (1, 3, 3)
    assert plan.network.strides[1] == (1, 2, 2)
    assert plan.network.strides[2] == (1, 2, 2)
    assert (2, 2, 2) in plan.network.strides
    assert plan.network.kernel_sizes[-1] == (3, 3, 3)


def test_small_images_get_small_patches_and_few_levels():
    plan = plan_network((20, 33, 41), (3.0, 3.0, 3.0))
    assert plan.patch_size == (20, 40, 48)
    assert plan.network.total_stride == (4, 8, 8)
    assert plan.network.message_levels == (1, 2, 3)


def test_two_dimensions():
    plan = plan_network((64, 64), (1.0, 1.0))
    assert plan.network.spatial_dims == 2
    assert plan.patch_size == (64, 64)


sizes = (5, 17, 60, 130, 400)


@pytest.mark.parametrize("spacing", [(1, 1, 1), (3, 1, 1), (0.5, 2, 9)])
def test_every_plan_can_be_built_and_holds_its_own_patch(spacing):
    for size in itertools.product(sizes, repeat=3):
        plan = plan_network(size, spacing)
        stride = plan.network.total_stride
        assert all(n % step == 0 for n, step in zip(plan.patch_size, stride, strict=True))
        assert all(n // step >= 3 for n, step in zip(plan.patch_size, stride, strict=True))
        assert 0 not in plan.network.message_levels
        assert math.prod(plan.patch_size) <= 1.6 * 96**3


@pytest.mark.parametrize("spacing", [(1, 1, 1), (3, 1, 1), (0.5, 2, 9)])
@pytest.mark.parametrize("side", [16, 32])
def test_patches_can_be_kept_small(spacing, side):
    for size in itertools.product(sizes, repeat=3):
        plan = plan_network(size, spacing, largest_patch=side)
        stride = plan.network.total_stride
        assert all(n % step == 0 for n, step in zip(plan.patch_size, stride, strict=True))
        assert math.prod(plan.patch_size) <= max(1.6 * side**3, 8**3)
        assert 0 not in plan.network.message_levels
    assert plan_network((48, 64, 56), (3, 3, 3), largest_patch=32).patch_size == (32, 32, 32)


def test_planned_network_runs(tmp_path):
    cases = bright_balls(tmp_path, 2)
    plan = plan_for_cases(cases)
    assert plan.patch_size == (12, 14, 16)
    network = build_network(load_task("pet-ct"), plan.network, seed=0)
    logits = network(torch.zeros(1, 2, *plan.patch_size)).logits["lesion"]
    assert logits.shape == (1, 1, *plan.patch_size)
