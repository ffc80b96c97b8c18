import dataclasses

import torch

from CIMLSegmentLib.config import NetworkConfig
from CIMLSegmentLib.inference.gradcam import (
    CamTarget,
    gradcam_keys,
    message_gradcam,
    scaled_together,
    window_cams,
)
from CIMLSegmentLib.network.network import MessageKey, build_network
from CIMLSegmentLib.results.map_kinds import MapKey
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


def test_maps_are_those_of_the_formula():
    maps = message_gradcam(NET, IMAGES, TARGET)
    assert list(maps) == KEYS
    output = NET(IMAGES)
    logits = output.logits["TC-ET"][:, 1]
    score = logits[logits > 0].sum()
    for key in KEYS:
        z = output.messages[key]
        weights = torch.autograd.grad(score, z, retain_graph=True)[0]
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


def test_absent_auxiliary_gives_a_zero_map():
    present = torch.ones(2, 4, dtype=torch.bool)
    present[:, 2] = False
    assert not message_gradcam(NET, IMAGES, TARGET, present=present)[KEYS[1]].any()


def test_region_that_is_predicted_nowhere_gives_zero_maps():
    network = build_network(load_task("brats"), CONFIG, seed=0).eval()
    with torch.no_grad():
        for head in network.decoders[1].heads.modules():
            if getattr(head, "bias", None) is not None:
                head.bias.fill_(-1e3)
    assert not (network(IMAGES).logits["TC-ET"] > 0).any()
    maps = message_gradcam(network, IMAGES, TARGET)
    assert not any(values.any() for values in maps.values())


def test_maps_of_a_region_share_one_scale():
    maps = {
        MapKey("gradcam", "T1c", KEYS[0].auxiliary, "ET"): torch.tensor([[0.0, 4.0]]),
        MapKey("gradcam", "T1c", KEYS[1].auxiliary, "ET"): torch.tensor([[1.0, 2.0]]),
        MapKey("gradcam", "T1c", KEYS[1].auxiliary, "TC"): torch.tensor([[0.0, 0.5]]),
        MapKey("gradcam", "FLAIR", "T1", "WT"): torch.zeros(1, 2),
    }
    scaled = [values.tolist() for values in scaled_together(maps).values()]
    assert scaled == [[[0.0, 1.0]], [[0.25, 0.5]], [[0.0, 1.0]], [[0.0, 0.0]]]


def test_two_subtasks_that_share_primary_and_region_give_one_map_of_each_auxiliary():
    task = load_task("brats")
    doubled = dataclasses.replace(task.subtasks[1], name="again", regions=("ET",))
    task = dataclasses.replace(task, subtasks=(*task.subtasks, doubled))
    keys = gradcam_keys(task)
    assert len(keys) == len(set(keys)) == 9
    network = build_network(task, CONFIG, seed=0).eval()
    present = torch.ones(len(IMAGES), 4, dtype=torch.bool)
    assert window_cams(network, IMAGES, present).shape[1] == 9
