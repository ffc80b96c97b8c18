"""What the messages carry, on a toy where it is known: three shapes, each modality shows two."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from shape_composition_toy import (
    BOTH_WAYS,
    Toy,
    dice,
    draw_samples,
    kl_map,
    mean_on_shape,
    near_shape,
    recall,
    run_toy,
    toy_task,
    train_toy,
)
from torch.nn import functional

from CIMLSegmentLib.inference.gradcam import CamTarget, message_gradcam
from CIMLSegmentLib.training.losses import kl_per_input_voxel

FULL = Toy()
# Smaller images and shapes, two levels of which one sends messages: the same
# figures in a fifth of the time.
SMALL = Toy(
    size=36,
    smallest=4,
    largest=5,
    batch=8,
    steps=160,
    features=(8, 16),
    peak=1e-2,
    network={"message_levels": (1,)},
)
# For each primary: its auxiliary, the shape that both show, the shape that only the other shows.
ROLES = {"A": ("B", "square", "triangle"), "B": ("A", "square", "circle")}


def experiment(toy, seed, weak_beta, n_images):
    task = toy_task(BOTH_WAYS)
    samples = draw_samples(toy, task, n_images, np.random.default_rng([seed, 2]))
    network = train_toy(toy, task, beta=0.1, seed=seed)
    weak = train_toy(toy, task, beta=weak_beta, seed=seed)
    alone_task = toy_task({"A": (), "B": ()})
    alone = train_toy(toy, alone_task, beta=0.0, seed=seed)
    return SimpleNamespace(
        toy=toy,
        task=task,
        seed=seed,
        network=network,
        samples=samples,
        output=run_toy(network, samples),
        silent=run_toy(network, samples, with_messages=False),
        weak=run_toy(weak, samples),
        alone=run_toy(alone, samples),
    )


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((SMALL, 0, 0.001, 60), id="small"),
        pytest.param((FULL, 0, 0.01, 200), id="full-0", marks=pytest.mark.evidence),
        pytest.param((FULL, 1, 0.01, 200), id="full-1", marks=pytest.mark.evidence),
    ],
)
def toy(request):
    return experiment(*request.param)


primary_of = pytest.mark.parametrize("primary", ["A", "B"])


def erased(toy, primary, shape):
    """The test images again, without a shape in the auxiliary."""
    n_images = len(toy.samples.images)
    generator = np.random.default_rng([toy.seed, 2])
    auxiliary = ROLES[primary][0]
    return draw_samples(toy.toy, toy.task, n_images, generator, erased=(auxiliary, shape))


def information(toy, primary):
    return kl_map(toy.output, toy.toy.size, subtask=primary, auxiliary=ROLES[primary][0])


@primary_of
def test_messages_suffice_where_the_primary_alone_fails(toy, primary):
    missing = ROLES[primary][2]
    assert dice(toy.output, toy.samples, primary) >= 0.98
    assert recall(toy.output, toy.samples, primary, missing) >= 0.95
    assert dice(toy.alone, toy.samples, primary) <= 0.90
    assert recall(toy.alone, toy.samples, primary, missing) <= 0.05


@primary_of
def test_information_is_on_the_complementary_shape_and_not_on_the_redundant_one(toy, primary):
    _, redundant, complementary = ROLES[primary]
    nats = information(toy, primary)
    on_redundant = mean_on_shape(nats, toy.samples, redundant)
    assert mean_on_shape(nats, toy.samples, complementary) >= 20 * on_redundant
    assert on_redundant <= 0.05


@primary_of
def test_larger_beta_compresses_the_messages(toy, primary):
    n_pixels = toy.toy.size**2
    strong, weak = (
        sum(v for key, v in kl_per_input_voxel(o, n_voxels=n_pixels).items() if key[0] == primary)
        for o in (toy.output, toy.weak)
    )
    assert strong <= weak / 3


@primary_of
def test_messages_carry_only_what_is_missing(toy, primary):
    silent = dice(toy.silent, toy.samples, primary)
    assert silent == pytest.approx(dice(toy.alone, toy.samples, primary), abs=0.02)


@primary_of
def test_erasing_the_redundant_shape_from_the_auxiliary_changes_little(toy, primary):
    samples = erased(toy, primary, ROLES[primary][1])
    assert torch.equal(samples.masks, toy.samples.masks)
    loss = dice(toy.output, toy.samples, primary) - dice(
        run_toy(toy.network, samples), samples, primary
    )
    assert loss <= 0.02


@primary_of
def test_erasing_the_complementary_shape_from_the_auxiliary_loses_it(toy, primary):
    complementary = ROLES[primary][2]
    samples = erased(toy, primary, complementary)
    assert recall(run_toy(toy.network, samples), samples, primary, complementary) <= 0.05


@primary_of
def test_without_messages_the_auxiliary_is_not_seen_bit_for_bit(toy, primary):
    noise = np.random.default_rng(5).normal(size=toy.samples.images[:, 0].shape)
    images = toy.samples.images.clone()
    images[:, toy.task.modality_index(ROLES[primary][0])] = torch.from_numpy(noise).float()
    other = run_toy(toy.network, type(toy.samples)(images, toy.samples.masks), with_messages=False)
    assert torch.equal(other.logits[primary], toy.silent.logits[primary])


@primary_of
def test_gradcam_peaks_on_the_complementary_shape_and_is_near_zero_on_the_redundant_one(
    toy, primary
):
    _, redundant, complementary = ROLES[primary]
    kl = {key: values for key, values in toy.output.kl.items() if key.subtask == primary}
    level = max(kl, key=lambda key: float(kl[key].sum())).level
    maps = message_gradcam(toy.network, toy.samples.images, CamTarget(primary, "shapes", level))
    (found,) = maps.values()
    scaled = found / found.amax(dim=(1, 2), keepdim=True).clamp(min=1e-12)
    values = functional.interpolate(scaled[:, None], size=(toy.toy.size,) * 2, mode="bilinear")[
        :, 0
    ]
    near = near_shape(toy.samples, complementary, n_pixels=2**level)
    peaks = values.flatten(1).argmax(dim=1, keepdim=True)
    assert near.flatten(1).gather(1, peaks).float().mean() >= 0.95
    high = mean_on_shape(values, toy.samples, complementary)
    assert high >= 0.1
    assert mean_on_shape(values, toy.samples, redundant) <= high / 10


@pytest.mark.parametrize(
    ("toy_size", "n_images"),
    [(SMALL, 60), pytest.param(FULL, 200, marks=pytest.mark.evidence)],
    ids=["small", "full"],
)
def test_pure_noise_is_not_asked_for_anything(toy_size, n_images):
    task = toy_task({"A": ("B", "C", "noise")})
    network = train_toy(toy_size, task, beta=0.1)
    samples = draw_samples(toy_size, task, n_images, np.random.default_rng(2))
    output = run_toy(network, samples)
    assert dice(output, samples, "A") >= 0.98
    nats = {
        other: float(kl_map(output, toy_size.size, subtask="A", auxiliary=other).mean())
        for other in ("B", "C", "noise")
    }
    assert nats["noise"] < 0.02
    assert nats["B"] > 0.02
    for shape in ("circle", "square", "triangle"):
        silent = kl_map(output, toy_size.size, subtask="A", auxiliary="noise")
        assert mean_on_shape(silent, samples, shape) < 0.02


def test_dot_product_gate_sends_a_message_that_is_alive():
    toy = replace(SMALL, network={**SMALL.network, "gate": "dot-product"})
    task = toy_task({"A": ("B",)})
    network = train_toy(toy, task, beta=0.1, warmup=0.3)
    samples = draw_samples(toy, task, 60, np.random.default_rng(2))
    output = run_toy(network, samples)
    assert dice(output, samples, "A") >= 0.98
    assert recall(output, samples, "A", "triangle") >= 0.95
    nats = kl_map(output, toy.size, subtask="A", auxiliary="B")
    redundant = mean_on_shape(nats, samples, "square")
    assert mean_on_shape(nats, samples, "triangle") >= 20 * redundant
