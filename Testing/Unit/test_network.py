import copy
import dataclasses

import pytest
import torch

from CIMLSegmentLib.config import NetworkConfig
from CIMLSegmentLib.network.gate import DotProductGate, GateShape, SpatialGate
from CIMLSegmentLib.network.network import MessageKey, build_network
from CIMLSegmentLib.task.task_io import CohortModalities, load_task
from MultimodalImagingLib.errors import UsageError

SMALL = NetworkConfig(
    features=(4, 6, 8),
    strides=((1, 1, 1), (2, 2, 2), (2, 2, 2)),
    kernel_sizes=((3, 3, 3),) * 3,
    message_levels=(1, 2),
    message_channels=2,
    gate_channels=4,
)
SMALL_2D = dataclasses.replace(
    SMALL, spatial_dims=2, strides=((1, 1), (2, 2), (2, 2)), kernel_sizes=((3, 3),) * 3
)
BRATS = load_task("brats")


def images(batch=2, size=(8, 12, 16), seed=0):
    return torch.randn(batch, 4, *size, generator=torch.Generator().manual_seed(seed))


def network(config=SMALL, task=BRATS, seed=0):
    return build_network(task, config, seed=seed).eval()


def all_absent(batch):
    return torch.zeros(batch, 4, dtype=torch.bool)


@pytest.mark.parametrize(
    ("config", "size"), [(SMALL, (8, 12, 16)), (SMALL_2D, (12, 16))], ids=["3-D", "2-D"]
)
@pytest.mark.parametrize("gate", ["spatial", "dot-product"])
@pytest.mark.parametrize("fusion", ["concat", "sum"])
def test_every_map_has_the_shape_of_its_level(config, size, gate, fusion):
    output = network(dataclasses.replace(config, gate=gate, fusion=fusion))(images(size=size))
    assert output.logits["WT"].shape == (2, 1, *size)
    assert output.logits["TC-ET"].shape == (2, 2, *size)
    expected = {
        MessageKey(s, a, level)
        for s, auxiliaries in (("WT", ("T1c", "T1", "T2")), ("TC-ET", ("FLAIR", "T1", "T2")))
        for a in auxiliaries
        for level in (1, 2)
    }
    assert set(output.attention) == set(output.kl) == set(output.messages) == expected
    for key in expected:
        level_size = tuple(n // 2**key.level for n in size)
        assert output.attention[key].shape == output.kl[key].shape == (2, *level_size)
        assert output.messages[key].shape == (2, 2, *level_size)
        assert ((output.attention[key] >= 0) & (output.attention[key] <= 1)).all()
        assert (output.kl[key] >= 0).all()


@pytest.mark.parametrize("fusion", ["concat", "sum"])
@pytest.mark.parametrize("gate", ["spatial", "dot-product"])
def test_without_messages_auxiliaries_change_nothing_bit_for_bit(gate, fusion):
    net = network(dataclasses.replace(SMALL, gate=gate, fusion=fusion))
    true, noise = images(), images(seed=1)
    for subtask in BRATS.subtasks:
        other = noise.clone()
        channel = BRATS.modality_index(subtask.primary)
        other[:, channel] = true[:, channel]
        silent = net(true, present=all_absent(2)).logits[subtask.name]
        assert torch.equal(net(other, present=all_absent(2)).logits[subtask.name], silent)
        assert not torch.equal(net(true).logits[subtask.name], silent)


def test_primary_reaches_only_its_own_subtask_without_messages():
    net = network()
    changed = images()
    changed[:, BRATS.modality_index("FLAIR")] += 1
    before = net(images(), present=all_absent(2)).logits
    after = net(changed, present=all_absent(2)).logits
    assert not torch.equal(before["WT"], after["WT"])
    assert torch.equal(before["TC-ET"], after["TC-ET"])


def test_absent_auxiliary_sends_zero_and_costs_nothing_in_its_sample_alone():
    net = network()
    present = torch.ones(2, 4, dtype=torch.bool)
    present[1, BRATS.modality_index("T1")] = False
    full = net(images())
    output = net(images(), present=present)
    for key in output.messages:
        for maps in ("messages", "kl", "attention"):
            values = getattr(output, maps)[key]
            assert torch.equal(values[0], getattr(full, maps)[key][0])
            if key.auxiliary == "T1":
                assert (values[1] == 0).all()
            else:
                assert torch.equal(values[1], getattr(full, maps)[key][1])
    for name in output.logits:
        assert torch.equal(output.logits[name][0], full.logits[name][0])
        assert not torch.equal(output.logits[name][1], full.logits[name][1])


def test_samples_of_a_batch_do_not_influence_each_other():
    net = network()
    batch = net(images())
    for index in (0, 1):
        alone = net(images()[index : index + 1])
        for name in batch.logits:
            assert torch.allclose(batch.logits[name][index], alone.logits[name][0], atol=1e-4)


def test_inference_is_deterministic_and_sampling_follows_its_generator():
    net = network()
    assert torch.equal(net(images()).logits["WT"], net(images()).logits["WT"])
    draws = [
        net(images(), generator=torch.Generator().manual_seed(seed)).logits["WT"]
        for seed in (0, 0, 1)
    ]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_weights_follow_the_seed_and_leave_the_global_generator_alone():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first, again, other = network(seed=1), network(seed=1), network(seed=2)
    assert torch.equal(torch.rand(1), expected)
    for name, values in first.state_dict().items():
        assert torch.equal(values, again.state_dict()[name])
    assert any(
        not torch.equal(values, other.state_dict()[name])
        for name, values in first.state_dict().items()
    )


@pytest.mark.parametrize("gate", ["spatial", "dot-product"])
@pytest.mark.parametrize("fusion", ["concat", "sum"])
def test_gradients_reach_every_parameter(gate, fusion):
    config = dataclasses.replace(SMALL, gate=gate, fusion=fusion, deep_supervision=True)
    net = build_network(BRATS, config, seed=0)
    output = net(images(), generator=torch.Generator().manual_seed(0))
    loss = sum(values.square().mean() for values in output.logits.values())
    loss += sum(v.square().mean() for values in output.coarse_logits.values() for v in values)
    (loss + sum(values.mean() for values in output.kl.values())).backward()
    dead = [name for name, p in net.named_parameters() if p.grad is None or not p.grad.any()]
    assert dead == []


def test_deep_supervision_predicts_at_the_coarser_levels_that_have_a_decoder_block():
    net = network(dataclasses.replace(SMALL, deep_supervision=True))
    coarse = net(images()).coarse_logits["TC-ET"]
    assert [tuple(logits.shape) for logits in coarse] == [(2, 2, 4, 6, 8)]
    assert network()(images()).coarse_logits["TC-ET"] == ()


def test_nothing_is_stored_on_the_modules_by_a_forward_pass():
    net = network()
    before = {name: set(vars(module)) for name, module in net.named_modules()}
    state = copy.deepcopy(net.state_dict())
    net.train()(images(), generator=torch.Generator().manual_seed(0))
    assert {name: set(vars(module)) for name, module in net.named_modules()} == before
    assert all(torch.equal(values, net.state_dict()[name]) for name, values in state.items())


def test_auxiliary_that_is_never_primary_is_encoded_no_deeper_than_its_messages():
    config = dataclasses.replace(SMALL, message_levels=(0, 1))
    net = network(config)
    assert [len(encoder.levels) for encoder in net.encoders] == [3, 3, 2, 2]
    assert net(images()).logits["WT"].shape == (2, 1, 8, 12, 16)


def test_task_without_auxiliaries_has_no_messages():
    task = load_task("single-target", cohort=CohortModalities({"T1": "MR"}, primary="T1"))
    output = network(task=task)(images()[:, :1])
    assert output.messages == {}
    assert output.logits["target"].shape == (2, 1, 8, 12, 16)


def test_anisotropic_strides_and_kernels_are_followed():
    config = dataclasses.replace(
        SMALL,
        strides=((1, 1, 1), (1, 2, 2), (2, 2, 2)),
        kernel_sizes=((1, 3, 3), (1, 3, 3), (3, 3, 3)),
    )
    output = network(config)(images())
    assert output.kl[MessageKey("WT", "T2", 1)].shape == (2, 8, 6, 8)
    assert output.kl[MessageKey("WT", "T2", 2)].shape == (2, 4, 3, 4)


@pytest.mark.parametrize(
    "shape", [(2, 4, 8, 12, 15), (2, 3, 8, 12, 16), (2, 4, 12, 16)], ids=["size", "M", "axes"]
)
def test_images_that_do_not_fit_are_refused(shape):
    with pytest.raises(ValueError, match=r"multiples of \(4, 4, 4\), got"):
        network()(torch.zeros(shape))


def test_dot_product_gate_refuses_more_than_16_cubed_positions():
    gate = DotProductGate(GateShape(3, 2, 2, 2, 2, (3, 3, 3))).eval()
    ok = torch.zeros(1, 2, 16, 16, 16)
    assert gate(ok, ok)[1].shape == (1, 16, 16, 16)
    too_large = torch.zeros(1, 2, 16, 16, 17)
    with pytest.raises(UsageError, match=r"at most 4096 positions .* got 16 x 16 x 17"):
        gate(too_large, too_large)


def test_dot_product_gate_finds_the_matching_position():
    gate = DotProductGate(GateShape(2, 4, 4, 4, 1, (3, 3))).eval()
    for layer in (gate.query, gate.key):
        layer.conv.weight.data = 20 * torch.eye(4).reshape(4, 4, 1, 1)
        layer.conv.bias.data.zero_()
    places = torch.eye(4).reshape(1, 4, 2, 2)
    attention = gate(places, places)[1]
    assert torch.allclose(attention, torch.ones(1, 2, 2))
    lonely = torch.zeros(1, 4, 2, 2)
    lonely[0, 2] = 1
    assert gate(lonely, places)[1].flatten().argmax() == 2


def test_closed_spatial_gate_lets_nothing_of_the_auxiliary_pass():
    gate = SpatialGate(GateShape(2, 3, 3, 4, 2, (3, 3))).eval()
    last = gate.attend[1].conv
    last.weight.data.zero_()
    last.bias.data.fill_(-1e4)
    primary = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    messages = [gate(primary, torch.full((1, 3, 8, 8), value))[0] for value in (0.0, 5.0)]
    assert torch.equal(*messages)


CONFIG_FAULTS = {
    "dims": ({"spatial_dims": 4}, "2 or 3 spatial dimensions"),
    "one level": ({"features": (8,)}, "at least two levels"),
    "huge": ({"features": (8, 8, 10**9)}, "1 to 4096 features"),
    "strides": ({"strides": ((1, 1, 1), (2, 2, 2))}, "strides of 3 levels"),
    "axes": ({"strides": ((1, 1), (2, 2), (2, 2))}, "3 axes"),
    "stride size": ({"strides": ((1, 1, 1), (2, 2, 2), (0, 2, 2))}, "strides of 1 to 7"),
    "first stride": ({"strides": ((2, 2, 2),) * 3}, "stride 1 in front"),
    "even kernel": ({"kernel_sizes": ((2, 3, 3),) * 3}, "odd kernel sizes"),
    "levels order": ({"message_levels": (2, 1)}, "ascending order"),
    "levels range": ({"message_levels": (1, 3)}, "within 0 to 2"),
    "no level": ({"message_levels": ()}, "at least one message level"),
    "Cz": ({"message_channels": 0}, "message_channels of 1"),
    "gate": ({"gate": "G"}, "one of spatial, dot-product"),
    "fusion": ({"fusion": "add"}, "one of concat, sum"),
}


@pytest.mark.parametrize("fault", CONFIG_FAULTS)
def test_network_that_cannot_be_built_is_refused_with_a_sentence(fault):
    change, expected = CONFIG_FAULTS[fault]
    with pytest.raises(UsageError, match=expected):
        dataclasses.replace(SMALL, **change)
