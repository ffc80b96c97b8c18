import math

import pytest
import torch

from CIMLSegmentLib.config import TrainingConfig
from CIMLSegmentLib.training.optimization import (
    choose_precision,
    learning_rate,
    make_optimizer,
    set_learning_rate,
)

CONFIG = TrainingConfig(n_steps=110, warmup_steps=10, learning_rate=0.5)


def test_learning_rate_grows_linearly_and_falls_as_a_cosine_to_zero():
    assert learning_rate(0, CONFIG) == pytest.approx(0.05)
    assert learning_rate(9, CONFIG) == pytest.approx(0.5)
    assert learning_rate(60, CONFIG) == pytest.approx(0.25)
    assert learning_rate(85, CONFIG) == pytest.approx(0.25 * (1 + math.cos(0.75 * math.pi)))
    assert learning_rate(110, CONFIG) == pytest.approx(0, abs=1e-12)


def test_training_shorter_than_its_warmup_still_learns():
    short = TrainingConfig(n_steps=4, warmup_steps=100, learning_rate=1.0)
    assert [learning_rate(step, short) for step in range(4)] == [0.25, 0.5, 0.75, 1.0]


def test_no_warmup_starts_at_the_full_rate():
    assert learning_rate(0, TrainingConfig(warmup_steps=0, learning_rate=0.3)) == 0.3


@pytest.mark.parametrize(("name", "kind"), [("adamw", torch.optim.AdamW), ("sgd", torch.optim.SGD)])
def test_optimizer_is_the_one_asked_for(name, kind):
    network = torch.nn.Linear(2, 2)
    optimizer = make_optimizer(network, TrainingConfig(optimizer=name, weight_decay=0.1))
    assert type(optimizer) is kind
    set_learning_rate(optimizer, 0.125)
    assert {group["lr"] for group in optimizer.param_groups} == {0.125}
    assert {group["weight_decay"] for group in optimizer.param_groups} == {0.1}


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("auto", torch.float32),
        ("fp32", torch.float32),
        ("bf16", torch.bfloat16),
        ("fp16", torch.bfloat16),
    ],
)
def test_precision_on_the_cpu(name, dtype):
    precision = choose_precision(name, torch.device("cpu"))
    assert precision.dtype == dtype
    assert not precision.scaler().is_enabled()
    with precision.autocast():
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == dtype
