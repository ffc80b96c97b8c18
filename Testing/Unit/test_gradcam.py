import dataclasses

import pytest
import torch

from CIMLSegmentLib.inference.gradcam import (
    CamTarget,
    message_gradcam,
    most_informative_level,
    scale_together,
)
from CIMLSegmentLib.network.config import NetworkConfig
from CIMLSegmentLib.network.network import CIMLOutput, MessageKey, build_network
from CIMLSegmentLib.task.task_io import load_task

CONFIG = NetworkConfig(
    spatial_dims=2,
    features=(4, 6, 8),
    strides=((1, 1), (2, 2), (2, 2)),
    kernel_sizes=((3, 3),) * 3,
    message_levels=(1, 2),
    message_channels=3,
)
NET = build_network(load_task("brats"), CONFIG, seed=0).eval()
IMAGES = torch.randn(2, 4, 16, 16, generator=torch.Generator().manual_seed(0))
TARGET = CamTarget("TC-ET", "ET", 1)
KEYS = [MessageKey("TC-ET", auxiliary, 1) for auxiliary in ("FLAIR", "T1", "T2")]


@pytest.mark.parametrize("kind", ["position", "mean"])
def test_maps_are_those_of_the_formula(kind):
    maps = message_gradcam(NET, IMAGES, dataclasses.replace(TARGET, weights=kind))
    assert list(maps) == KEYS
    output = NET(IMAGES)
    logits = output.logits["TC-ET"][:, 1]
    score = logits[logits > 0].sum()
    for key in KEYS:
        z = output.messages[key]
        weights = torch.autograd.grad(score, z, retain_graph=True)[0]
        if kind == "mean":
            weights = weights.mean(dim=(2, 3), keepdim=True).expand_as(z)
        expected = sum(weights[:, c] * z[:, c] for c in range(3)).clamp(min=0)
        assert maps[key].shape == (2, 8, 8)
        assert torch.allclose(maps[key], expected.detach(), atol=1e-6)


def test_maps_need_no_gradients_from_outside():
    expected = message_gradcam(NET, IMAGES, TARGET)
    with torch.inference_mode():
        inside = message_gradcam(NET, IMAGES, TARGET)
    assert all(torch.equal(expected[key], inside[key]) for key in KEYS)
    assert not any(values.requires_grad for values in expected.values())
    assert all(parameter.grad is None for parameter in NET.parameters())


def test_absent_auxiliary_and_empty_mask_give_zero_maps():
    present = torch.ones(2, 4, dtype=torch.bool)
    present[:, 2] = False
    assert not message_gradcam(NET, IMAGES, TARGET, present=present)[KEYS[1]].any()
    nowhere = CamTarget("TC-ET", "ET", 1, mask=torch.zeros(2, 16, 16, dtype=torch.bool))
    maps = message_gradcam(NET, IMAGES, nowhere)
    assert not any(values.any() for values in scale_together(maps).values())


def test_maps_of_a_subtask_share_one_scale_per_sample():
    maps = {
        KEYS[0]: torch.tensor([[[0.0, 4.0]], [[1.0, 1.0]]]),
        KEYS[1]: torch.tensor([[[1.0, 2.0]], [[0.0, 0.5]]]),
    }
    scaled = scale_together(maps)
    assert torch.equal(scaled[KEYS[0]], torch.tensor([[[0.0, 1.0]], [[1.0, 1.0]]]))
    assert torch.equal(scaled[KEYS[1]], torch.tensor([[[0.25, 0.5]], [[0.0, 0.5]]]))


def test_maps_are_interpolated_to_the_image():
    scaled = scale_together(message_gradcam(NET, IMAGES, TARGET), size=(16, 16))
    for values in scaled.values():
        assert values.shape == (2, 16, 16)
        assert values.min() >= 0
        assert values.max() <= 1


def test_most_informative_level_is_the_one_with_most_nats_in_that_subtask():
    kl = {
        MessageKey("WT", "T1", 1): torch.full((1, 4, 4), 1.0),
        MessageKey("WT", "T2", 2): torch.full((1, 2, 2), 3.0),
        MessageKey("WT", "T1", 2): torch.full((1, 2, 2), 2.0),
        MessageKey("TC-ET", "T1", 1): torch.full((1, 4, 4), 9.0),
    }
    assert most_informative_level(CIMLOutput({}, kl=kl), "WT") == 2
    assert most_informative_level(CIMLOutput({}, kl=kl), "TC-ET") == 1
    with pytest.raises(ValueError, match="no auxiliary"):
        most_informative_level(CIMLOutput({}, kl=kl), "other")
