import pytest
import torch
from example_training import PET_CT, TINY

from CIMLSegmentLib.network.network import build_network
from CIMLSegmentLib.training import optimization
from MultimodalImagingLib.errors import CancelledError


@pytest.fixture
def calls(monkeypatch):
    """Counts how often a job could have stopped; stops when asked to."""
    state = {"n": 0, "stop": False}

    def check():
        state["n"] += 1
        if state["stop"]:
            raise CancelledError

    monkeypatch.setattr(optimization, "check_cancelled", check)
    return state


def test_job_stops_in_the_forward_pass(calls):
    network = build_network(PET_CT, TINY, seed=0)
    calls["stop"] = True
    with optimization.stopping_within_steps(network), pytest.raises(CancelledError):
        network(torch.zeros(1, 2, 8, 8, 8))
    assert calls["n"] == 1


def test_job_stops_in_the_backward_pass_and_keeps_its_weights(calls):
    network = build_network(PET_CT, TINY, seed=0)
    before = {name: values.clone() for name, values in network.state_dict().items()}
    with optimization.stopping_within_steps(network):
        loss = network(torch.ones(1, 2, 8, 8, 8)).logits["lesion"].sum()
        n_forward = calls["n"]
        calls["stop"] = True
        with pytest.raises(CancelledError):
            loss.backward()
    assert n_forward == 5  # two encoders of two blocks, one block of the decoder
    assert calls["n"] == n_forward + 1
    assert all(torch.equal(values, before[name]) for name, values in network.state_dict().items())


def test_watching_changes_no_gradient_and_leaves_no_trace(calls):
    gradients = []
    for watched in (False, True):
        network = build_network(PET_CT, TINY, seed=0)
        context = optimization.stopping_within_steps(network) if watched else torch.enable_grad()
        with context:
            network(torch.ones(1, 2, 8, 8, 8)).logits["lesion"].sum().backward()
        gradients.append([parameter.grad for parameter in network.parameters()])
        assert not any(m._forward_hooks or m._forward_pre_hooks for m in network.modules())
    assert calls["n"] == 10
    for first, second in zip(*gradients, strict=True):
        assert (first is None and second is None) or torch.equal(first, second)
