"""Shapley contributions: closed forms, axioms, and a naive reference through the whole network."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from monai.inferers import sliding_window_inference
from torch import Tensor

from CIMLSegmentLib.config import InferenceConfig, NetworkConfig
from CIMLSegmentLib.inference.influence import (
    InfluenceChannel,
    WithheldChannel,
    influence_channels,
    shapley_values,
    window_influence,
)
from CIMLSegmentLib.inference.result_maps import (
    OutputSpace,
    changed_voxels,
    influence_by_region,
    region_probabilities,
)
from CIMLSegmentLib.inference.sliding_window import WindowedOutput, WindowPlan, predict_windows
from CIMLSegmentLib.inference.window_box import WindowBox
from CIMLSegmentLib.network.network import CIMLNet, build_network
from CIMLSegmentLib.results.map_kinds import MapKey
from CIMLSegmentLib.results.segmentation_report import mean_influence
from CIMLSegmentLib.results.segmentation_result import Influence, influences
from CIMLSegmentLib.task.parts import Subtask
from CIMLSegmentLib.task.task import Task
from CIMLSegmentLib.task.task_io import load_task
from MultimodalImagingLib.images.geometry import Grid, Volume
from MultimodalImagingLib.jobs.progress import NullReporter

SMALL = NetworkConfig(
    features=(4, 6, 8),
    strides=((1, 1, 1), (2, 2, 2), (2, 2, 2)),
    kernel_sizes=((3, 3, 3),) * 3,
    message_levels=(1, 2),
    message_channels=2,
    gate_channels=4,
)
EXACT = 1e-6


def brats() -> Task:
    return load_task("brats")


def naive(values: dict[frozenset[int], Tensor], n: int) -> list[Tensor]:
    """The mean over all orders of what a player adds when it joins."""
    total = [torch.zeros_like(values[frozenset()]) for _ in range(n)]
    orders = list(permutations(range(n)))
    for order in orders:
        for place, player in enumerate(order):
            before, after = frozenset(order[:place]), frozenset(order[: place + 1])
            total[player] += (values[after] - values[before]) / len(orders)
    return total


def subsets(n: int) -> list[frozenset[int]]:
    return [frozenset(k for k in range(n) if bits >> k & 1) for bits in range(2**n)]


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_exact_values_are_the_mean_over_all_orders(n: int) -> None:
    generator = torch.Generator().manual_seed(n)
    values = {s: torch.rand(5, generator=generator) for s in subsets(n)}
    for found, wanted in zip(shapley_values(values.get, n), naive(values, n), strict=True):
        torch.testing.assert_close(found, wanted, atol=EXACT, rtol=0)


def test_a_gain_that_needs_two_players_is_halved_between_them() -> None:
    def value(senders: frozenset[int]) -> Tensor:
        return torch.tensor([0.2 + 0.6 * (senders >= {0, 1}) + 0.1 * (2 in senders)])

    found = [float(values) for values in shapley_values(value, 4)]
    assert found == pytest.approx([0.3, 0.3, 0.1, 0.0], abs=EXACT)


def test_sampled_values_of_many_players_add_up_and_are_near_the_exact_ones() -> None:
    n, generator = 6, torch.Generator().manual_seed(1)
    strengths = torch.rand(n, generator=generator)
    values = {
        s: torch.sigmoid(torch.stack([strengths[list(s)].sum() - 2.0, torch.tensor(len(s) - 3.0)]))
        for s in subsets(n)
    }
    found, wanted = shapley_values(values.get, n), naive(values, n)
    everything = values[frozenset(range(n))] - values[frozenset()]
    torch.testing.assert_close(sum(found), everything, atol=EXACT, rtol=0)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, atol=0.03, rtol=0)


def lively(network: CIMLNet) -> CIMLNet:
    """Give the outputs room on both sides, so that some windows are noticed and some not."""
    with torch.no_grad():
        for name, values in network.named_parameters():
            if values.ndim > 1:
                values.mul_(3.0 if "decoders" in name else 1.5)
    return network.eval()


@pytest.fixture(scope="module")
def network() -> CIMLNet:
    return lively(build_network(brats(), SMALL, seed=3))


def images(n: int = 1, side: int = 16) -> Tensor:
    return torch.randn(n, 4, side, side, side, generator=torch.Generator().manual_seed(0))


def computed(network: CIMLNet, batch: Tensor, present: list[bool]) -> dict[tuple, Tensor]:
    mask = torch.tensor([present]).expand(len(batch), -1)
    with torch.no_grad():
        features = network.encode(batch)
        exchange = network.exchange(features, mask)
        output = network.output(features, exchange)
        channels = window_influence(network, features, exchange, output)
    keys = influence_channels(network.task)
    return dict(zip(keys, channels.unbind(dim=1), strict=True))


def predicted(network: CIMLNet, batch: Tensor, present: list[bool], subtask: str) -> Tensor:
    with torch.no_grad():
        mask = torch.tensor([present]).expand(len(batch), -1)
        return network(batch, present=mask).logits[subtask].sigmoid()


@pytest.mark.parametrize("absent", [[], [0], [0, 1]])
def test_contributions_are_those_of_withholding_images_and_absent_ones_have_none(
    network: CIMLNet, absent: list[int]
) -> None:
    """The naive reference runs the whole network for every subset of auxiliaries."""
    task, batch = network.task, images(2)
    present = [index not in absent for index in range(4)]
    found = computed(network, batch, present)
    for subtask in task.subtasks:
        players = [a for a in subtask.auxiliaries if present[task.modality_index(a)]]
        values = {}
        for senders in subsets(len(players)):
            names = {players[number] for number in senders}
            there = [m in names or m not in subtask.auxiliaries for m in task.modalities]
            values[senders] = predicted(network, batch, there, subtask.name)
        wanted = dict(zip(players, naive(values, len(players)), strict=True))
        everything = values[frozenset(range(len(players)))]
        for channel, region in enumerate(subtask.regions):
            nothing = found[subtask.name, region, None]
            torch.testing.assert_close(nothing, values[frozenset()][:, channel], atol=EXACT, rtol=0)
            parts = [found[subtask.name, region, a] for a in subtask.auxiliaries]
            torch.testing.assert_close(
                nothing + sum(parts), everything[:, channel], atol=EXACT, rtol=0
            )
            for name in subtask.auxiliaries:
                left = [
                    m != name and there for m, there in zip(task.modalities, present, strict=True)
                ]
                torch.testing.assert_close(
                    found[WithheldChannel(subtask.name, region, name)].sigmoid(),
                    predicted(network, batch, left, subtask.name)[:, channel],
                    atol=EXACT,
                    rtol=0,
                )
                values_of = found[subtask.name, region, name]
                if name in players:
                    assert values_of.abs().max() > 1e-3  # the test looks at something
                    torch.testing.assert_close(
                        values_of, wanted[name][:, channel], atol=EXACT, rtol=0
                    )
                else:
                    assert not values_of.any()


def test_a_message_that_the_decoder_ignores_has_none(network: CIMLNet) -> None:
    deaf = lively(build_network(brats(), SMALL, seed=3))
    task = deaf.task
    pairs = list(task.pairs())
    with torch.no_grad():
        for module, (_, auxiliary) in zip(deaf.channels, pairs, strict=True):
            if auxiliary == "T1":
                for gate in module.gates:
                    for values in gate.encode[-1].parameters():
                        values.zero_()  # a mean of 0, whatever the image
    found = computed(deaf, images(), [True] * 4)
    changed = {key: v for key, v in found.items() if isinstance(key, InfluenceChannel)}
    for (_, _, auxiliary), values in changed.items():
        if auxiliary == "T1":
            assert values.abs().max() < EXACT
    assert max(float(v.abs().max()) for k, v in changed.items() if k.auxiliary == "T2") > 1e-3


def test_windows_where_nothing_is_found_are_divided_evenly(
    network: CIMLNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("CIMLSegmentLib.inference.influence.NOTICED", 1.1)
    n_decoded = 0
    decode = network.decode

    def counted(*arguments: object, **options: object) -> list[Tensor]:
        nonlocal n_decoded
        n_decoded += 1
        return decode(*arguments, **options)

    monkeypatch.setattr(network, "decode", counted)
    found = computed(network, images(), [True] * 4)
    assert n_decoded == 2 * len(network.task.subtasks)
    subtask = network.task.subtasks[0]
    parts = [found[subtask.name, subtask.regions[0], a] for a in subtask.auxiliaries]
    assert all(torch.equal(part, parts[0]) for part in parts)


def test_blended_windows_still_add_up(network: CIMLNet) -> None:
    config = InferenceConfig(device="cpu", maps=True, overlap=0.5, batch_size=2)
    plan = WindowPlan((16, 16, 16), config, torch.device("cpu"))
    case = images(1, 24)[0]
    output = predict_windows(network, case, [True] * 4, plan, NullReporter())
    bare = WindowPlan(
        (16, 16, 16),
        InferenceConfig(device="cpu", maps=True, no_influence=True, batch_size=2),
        torch.device("cpu"),
    )
    other = predict_windows(network, case, [True] * 4, bare, NullReporter())
    assert not other.influence
    for name, values in output.logits.items():
        torch.testing.assert_close(values, other.logits[name], atol=1e-5, rtol=0)
    for key, values in output.kl.items():
        torch.testing.assert_close(values, other.kl[key], atol=1e-5, rtol=1e-5)
    for name, wanted in (("all", [True] * 4), ("none", None)):
        for subtask in network.task.subtasks:
            there = wanted or [m == subtask.primary for m in network.task.modalities]
            blended = blended_probabilities(network, case, there, subtask.name)
            for channel, region in enumerate(subtask.regions):
                total = output.influence[InfluenceChannel(subtask.name, region, None)].clone()
                for auxiliary in subtask.auxiliaries if name == "all" else ():
                    total += output.influence[InfluenceChannel(subtask.name, region, auxiliary)]
                torch.testing.assert_close(total, blended[channel], atol=1e-5, rtol=0)


def blended_probabilities(
    network: CIMLNet, case: Tensor, present: list[bool], subtask: str
) -> Tensor:
    """MONAI's own blending of the probabilities of windows."""
    blended = sliding_window_inference(
        case[None],
        (16, 16, 16),
        2,
        lambda windows: predicted(network, windows, present, subtask),
        overlap=0.5,
        mode="gaussian",
    )
    return torch.as_tensor(blended)[0]


def test_a_batch_of_windows_with_and_without_findings_is_computed_window_by_window(
    network: CIMLNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = torch.cat([images(1), 0.01 * images(1)])
    largest = {
        subtask.name: [
            float(predicted(network, window[None], [True] * 4, subtask.name).max())
            for window in batch
        ]
        for subtask in network.task.subtasks
    }
    name = network.task.subtasks[0].name
    assert largest[name][0] != largest[name][1]
    monkeypatch.setattr(
        "CIMLSegmentLib.inference.influence.NOTICED", sum(sorted(largest[name])) / 2
    )
    alone = [computed(network, window[None], [True] * 4) for window in batch]
    together = computed(network, batch, [True] * 4)
    for key, values in together.items():
        for number, single in enumerate(alone):
            one, other = values[number], single[key][0]
            if isinstance(key, WithheldChannel):  # logits, of any size: compared as probabilities
                one, other = one.sigmoid(), other.sigmoid()
            torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


# --- figures of regions -------------------------------------------------------------------------

GRID = Grid((4, 3, 2), (1.0, 2.0, 5.0), (0.0, 0.0, 0.0), (1.0, 0, 0, 0, 1, 0, 0, 0, 1))  # 10 mm^3


def test_milliliters_are_those_of_the_voxels_that_a_message_changed() -> None:
    t2, t1 = np.zeros((2, 3, 4), np.float32), np.zeros((2, 3, 4), np.float32)
    t2[0, 0, :3] = 0.5
    t2[1, 2, 3] = -0.25
    t1[0, 1, 1] = 0.25
    changes = {
        MapKey("influence", "FLAIR", "T2", "WT"): Volume(t2, GRID),
        MapKey("influence", "FLAIR", "T1", "WT"): Volume(t1, GRID),
        MapKey("influence", "T1c", "T1", "ET"): Volume(np.zeros_like(t1), GRID),
    }
    first, second, third = influences(changes)
    assert (first.region, first.primary, first.auxiliary) == ("WT", "FLAIR", "T2")
    assert first.added_ml == pytest.approx(1.5 * 0.01)
    assert first.removed_ml == pytest.approx(0.25 * 0.01)
    assert first.share == pytest.approx(1.75 / 2.0)
    assert second.share == pytest.approx(0.25 / 2.0)
    assert third.share is None


def test_a_region_of_two_sub_tasks_has_half_of_the_change_in_each() -> None:
    preset = load_task("pet-ct")
    region = preset.region_names[0]
    one, other = (Subtask(name, "PET", ("CT",), (region,)) for name in ("a", "b"))
    task = replace(preset, subtasks=(one, other))
    box = WindowBox((0, 0, 0), (2, 3, 4), GRID)
    changed = {
        InfluenceChannel("a", region, "CT"): torch.full((2, 3, 4), 0.4),
        InfluenceChannel("b", region, "CT"): torch.full((2, 3, 4), -0.2),
    }
    output = WindowedOutput({}, {}, {}, influence=changed)
    [(key, volume)] = influence_by_region(output, OutputSpace(box, GRID, task)).items()
    assert key == MapKey("influence", "PET", "CT", region)
    np.testing.assert_allclose(volume.array, 0.1, atol=1e-6)


def test_voxels_that_change_label_are_those_of_the_label_without_the_message() -> None:
    task = load_task("pet-ct")
    (subtask,) = task.subtasks
    region = task.region_names[0]
    space = OutputSpace(WindowBox((0, 0, 0), (2, 3, 4), GRID), GRID, task)
    logits = torch.full((1, 2, 3, 4), -4.0)
    logits[0, :, :, :2] = 4.0
    without = logits[0].clone()
    without[0, 0, :] = torch.tensor([-4.0, 4.0, 4.0, 4.0])  # one voxel less, two more
    channels = {
        InfluenceChannel(subtask.name, region, "CT"): torch.zeros(2, 3, 4),
        WithheldChannel(subtask.name, region, "CT"): without,
    }
    output = WindowedOutput({subtask.name: logits}, {}, {}, influence=channels)
    changed = changed_voxels(output, space, region_probabilities(output.logits, space))
    key = MapKey("influence", subtask.primary, "CT", region)
    assert changed == {key: 3}
    (entry,) = influences(influence_by_region(output, space), changed)
    assert entry.changed_voxels == 3
    assert changed_voxels(replace(output, influence={}), space, {}) == {}


def test_the_mean_over_cases_divides_by_the_cases_that_know_their_influence() -> None:
    task = load_task("pet-ct")
    region, subtask = task.region_names[0], task.subtasks[0]
    rows = [(2.0, 1.0), (0.0, 1.0)]
    results = [
        SimpleNamespace(
            task=task,
            influences=(Influence(region, subtask.primary, "CT", added, removed, 1.0),),
        )
        for added, removed in rows
    ]
    results.append(SimpleNamespace(task=task, influences=()))
    [row] = mean_influence(results)
    cell = row.cells[region]
    assert (cell.added_ml, cell.removed_ml, cell.share) == (1.0, 1.0, 1.0)
    assert mean_influence(results[2:]) == ()
