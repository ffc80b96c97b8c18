import pytest
import torch

from CIMLSegmentLib.config import NetworkConfig
from CIMLSegmentLib.network.baselines import BASELINES, build_any, build_baseline, n_parameters
from CIMLSegmentLib.task.task_io import load_task
from MultimodalImagingLib.errors import UsageError

TASKS = [load_task(name) for name in ("brats", "pet-ct", "pet-ct-mr")]
SMALL = NetworkConfig(
    features=(6, 10, 16),
    strides=((1, 1, 1), (2, 2, 2), (2, 2, 2)),
    kernel_sizes=((3, 3, 3),) * 3,
    message_levels=(1, 2),
    message_channels=4,
    gate_channels=6,
)
BRATS = TASKS[0]


def images(seed=0):
    return torch.randn(2, 4, 8, 8, 8, generator=torch.Generator().manual_seed(seed))


def build(kind):
    return build_baseline(kind, BRATS, SMALL, seed=0).eval()


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
@pytest.mark.parametrize("config", [SMALL, NetworkConfig()], ids=["small", "default"])
@pytest.mark.parametrize("kind", BASELINES)
def test_baselines_have_as_many_parameters_as_ciml_within_five_percent(kind, config, task):
    wanted = n_parameters(build_any("ciml", task, config, seed=0))
    assert n_parameters(build_any(kind, task, config, seed=0)) == pytest.approx(wanted, rel=0.05)


@pytest.mark.parametrize("kind", BASELINES)
def test_baselines_answer_as_the_network_but_without_messages(kind):
    output = build(kind)(images())
    assert output.logits["WT"].shape == (2, 1, 8, 8, 8)
    assert output.logits["TC-ET"].shape == (2, 2, 8, 8, 8)
    assert output.messages == output.kl == output.attention == {}


def changed_by(kind, modality, subtask):
    net = build(kind)
    other = images()
    other[:, BRATS.modality_index(modality)] += 1
    return not torch.equal(net(images()).logits[subtask], net(other).logits[subtask])


def test_primary_alone_sees_no_auxiliary():
    assert changed_by("primary-alone", "FLAIR", "WT")
    for modality in ("T1c", "T1", "T2"):
        assert not changed_by("primary-alone", modality, "WT")


@pytest.mark.parametrize("kind", ["early-fusion", "concatenation"])
def test_fusion_sees_every_modality(kind):
    for modality in BRATS.modalities:
        assert changed_by(kind, modality, "WT")


@pytest.mark.parametrize("kind", BASELINES)
def test_absent_auxiliary_is_not_seen(kind):
    net = build(kind)
    present = torch.ones(2, 4, dtype=torch.bool)
    present[:, BRATS.modality_index("T2")] = False
    other = images()
    other[:, BRATS.modality_index("T2")] += 1
    first, second = net(images(), present=present), net(other, present=present)
    for name in first.logits:
        assert torch.equal(first.logits[name], second.logits[name])


@pytest.mark.parametrize("kind", BASELINES)
def test_weights_follow_the_seed(kind):
    again = build(kind).state_dict()
    assert all(
        torch.equal(values, again[name]) for name, values in build(kind).state_dict().items()
    )
    other = build_baseline(kind, BRATS, SMALL, seed=1).state_dict()
    assert any(not torch.equal(values, again[name]) for name, values in other.items())


def test_unknown_baseline_is_refused():
    with pytest.raises(UsageError, match="early-fusion, concatenation, primary-alone, got 'late'"):
        build_baseline("late", BRATS, SMALL, seed=0)


def test_too_narrow_a_network_cannot_be_matched():
    tiny = NetworkConfig(
        features=(2, 2),
        strides=((1, 1, 1), (2, 2, 2)),
        kernel_sizes=((3, 3, 3),) * 2,
        message_levels=(1,),
        gate_channels=1,
        message_channels=1,
    )
    with pytest.raises(UsageError, match="within 5 %"):
        build_baseline("early-fusion", BRATS, tiny, seed=0)


@pytest.mark.parametrize("kind", ["ciml", "late-fusion", ""])
def test_a_kind_that_no_baseline_has_is_refused(kind):
    with pytest.raises(UsageError, match="Expected a baseline of early-fusion"):
        build_baseline(kind, BRATS, SMALL, seed=0)
