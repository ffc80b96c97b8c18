"""Windows: one blending for logits, attention and information, against a plain reference."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from monai.data.utils import compute_importance_map

from CIMLSegmentLib.config import InferenceConfig, NetworkConfig
from CIMLSegmentLib.inference.sliding_window import (
    WindowedOutput,
    WindowPlan,
    predict_windows,
    scan_interval,
)
from CIMLSegmentLib.network.network import CIMLNet, CIMLOutput, MessageKey, build_network
from CIMLSegmentLib.task.task_io import load_task
from MultimodalImagingLib.errors import CancelledError, CrossModalError, UsageError
from MultimodalImagingLib.jobs import progress
from MultimodalImagingLib.jobs.progress import NullReporter

CPU = torch.device("cpu")
SMALL = NetworkConfig(
    features=(4, 6, 8),
    strides=((1, 1, 1), (2, 2, 2), (1, 2, 2)),
    kernel_sizes=((3, 3, 3),) * 3,
    message_levels=(0, 1, 2),
    message_channels=2,
    gate_channels=3,
)


class Recorder(NullReporter):
    """Keeps warnings and counts steps."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.total = 0
        self.done = 0

    def stage(self, name: str, total: int) -> None:
        self.total = total

    def advance(self, n: int = 1) -> None:
        self.done += n
        super().advance(n)

    def warning(self, text: str) -> None:
        self.warnings.append(text)


@pytest.fixture
def network() -> CIMLNet:
    return build_network(load_task("brats"), SMALL, seed=3).eval()


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randn(4, 14, 20, 28, generator=torch.Generator().manual_seed(0))


def plan(**settings: object) -> WindowPlan:
    return WindowPlan((8, 12, 16), InferenceConfig(**settings), CPU)  # type: ignore[arg-type]


def predict(
    network: CIMLNet, images: torch.Tensor, reporter: Recorder | None = None, **settings: object
) -> WindowedOutput:
    reporter = Recorder() if reporter is None else reporter
    return predict_windows(network, images, [True] * 4, plan(**settings), reporter)


def starts(size: int, window: int, step: int) -> list[int]:
    found = list(range(0, size - window, step))
    return [*found, size - window]


def window_corners() -> Iterator[tuple[int, int, int]]:
    for k in starts(14, 8, 4):
        for j in starts(20, 12, 8):
            for i in starts(28, 16, 8):
                yield k, j, i


def naive(network: CIMLNet, images: torch.Tensor) -> tuple[torch.Tensor, dict[MessageKey, list]]:
    """Blend the logits window by window in float64; keep the level maps with their weights."""
    weight = compute_importance_map((8, 12, 16), mode="gaussian", sigma_scale=0.125)
    weight = weight.double()
    total = torch.zeros(3, 14, 20, 28, dtype=torch.float64)
    count = torch.zeros(14, 20, 28, dtype=torch.float64)
    maps: dict[MessageKey, list] = {}
    for k, j, i in window_corners():
        part = (slice(k, k + 8), slice(j, j + 12), slice(i, i + 16))
        with torch.no_grad():
            output = network(images[(slice(None), *part)][None])
        logits = torch.cat(list(output.logits.values()), dim=1)[0].double()
        total[(slice(None), *part)] += logits * weight
        count[part] += weight
        for key, kl in output.kl.items():
            maps.setdefault(key, []).append(((k, j, i), kl[0].double()))
    return total / count, maps


def test_blended_logits_equal_a_naive_weighted_mean(network: CIMLNet, images: torch.Tensor) -> None:
    output = predict(network, images)
    expected, _ = naive(network, images)
    blended = torch.cat(list(output.logits.values()))
    assert torch.allclose(blended.double(), expected, atol=1e-5)


def test_blended_information_equals_a_naive_weighted_mean_at_every_level(
    network: CIMLNet, images: torch.Tensor
) -> None:
    output = predict(network, images)
    _, maps = naive(network, images)
    steps = {0: (1, 1, 1), 1: (2, 2, 2), 2: (2, 4, 4)}
    weights = {0: compute_importance_map((8, 12, 16), mode="gaussian", sigma_scale=0.125)}
    for level, shape in ((1, (4, 6, 8)), (2, (4, 3, 4))):
        finer = weights[level - 1][None, None]
        weights[level] = torch.nn.functional.interpolate(finer, shape, mode="nearest-exact")[0, 0]
    for key, parts in maps.items():
        step, weight = steps[key.level], weights[key.level].double()
        total = torch.zeros(output.kl[key].shape, dtype=torch.float64)
        count = torch.zeros_like(total)
        for corner, kl in parts:
            part = tuple(
                slice(c // s, c // s + n) for c, s, n in zip(corner, step, kl.shape, strict=True)
            )
            total[part] += kl * weight
            count[part] += weight
        assert torch.allclose(output.kl[key].double(), total / count, rtol=1e-4, atol=1e-5), key


def test_attention_stays_within_0_to_1(network: CIMLNet, images: torch.Tensor) -> None:
    for values in predict(network, images).attention.values():
        assert float(values.min()) >= 0
        assert float(values.max()) <= 1


def test_one_window_gives_the_network_itself(network: CIMLNet) -> None:
    images = torch.randn(4, 8, 12, 16, generator=torch.Generator().manual_seed(1))
    output = predict(network, images)
    with torch.no_grad():
        direct = network(images[None])
    for name, logits in direct.logits.items():
        assert torch.allclose(output.logits[name], logits[0], atol=1e-5)
    for key, kl in direct.kl.items():
        assert torch.allclose(output.kl[key], kl[0], rtol=1e-4)
        assert torch.allclose(output.attention[key], direct.attention[key][0], atol=1e-5)


def test_the_batch_size_does_not_change_the_result(network: CIMLNet, images: torch.Tensor) -> None:
    one, five = predict(network, images, batch_size=1), predict(network, images, batch_size=5)
    for name in one.logits:
        assert torch.allclose(one.logits[name], five.logits[name], atol=1e-4)


def test_every_window_is_reported_once(network: CIMLNet, images: torch.Tensor) -> None:
    reporter = Recorder()
    predict(network, images, reporter, batch_size=3)
    assert reporter.done == reporter.total == len(list(window_corners()))


def test_mirrored_averaging_makes_the_result_mirror_symmetric(network: CIMLNet) -> None:
    half = torch.randn(4, 8, 12, 8, generator=torch.Generator().manual_seed(1))
    symmetric = torch.cat([half, half.flip(-1)], dim=-1)
    plain, mirrored = predict(network, symmetric), predict(network, symmetric, mirror=True)
    logits = mirrored.logits["WT"]
    assert torch.allclose(logits, logits.flip(-1), atol=1e-5)
    assert not torch.allclose(plain.logits["WT"], plain.logits["WT"].flip(-1), atol=1e-3)
    for values in mirrored.kl.values():
        assert torch.allclose(values, values.flip(-1), rtol=1e-3, atol=1e-5)


def test_sampled_probabilities_are_seeded_and_differ_from_the_mean_message(
    network: CIMLNet, images: torch.Tensor
) -> None:
    first = predict(network, images, n_samples=2, seed=1)
    again = predict(network, images, n_samples=2, seed=1)
    other = predict(network, images, n_samples=2, seed=2)
    assert torch.equal(first.sampled["WT"], again.sampled["WT"])
    assert not torch.equal(first.sampled["WT"], other.sampled["WT"])
    assert not torch.allclose(first.sampled["WT"], first.logits["WT"].sigmoid())
    assert not predict(network, images).sampled


def test_the_mean_over_samples_equals_a_plain_loop(network: CIMLNet) -> None:
    images = torch.randn(4, 8, 12, 16, generator=torch.Generator().manual_seed(1))
    output = predict(network, images, n_samples=3, seed=7)
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        samples = [
            network(images[None], generator=generator).logits["WT"].sigmoid() for _ in range(3)
        ]
    expected = torch.stack(samples).mean(dim=0)[0]
    assert torch.allclose(output.sampled["WT"], expected, atol=1e-6)


class HungryNetwork(CIMLNet):
    """Runs out of memory for more than `most` windows at a time."""

    most = 1
    seen: list[int]

    def forward(self, images: torch.Tensor, **options: object) -> CIMLOutput:  # type: ignore[override]
        self.seen.append(len(images))
        if len(images) > self.most:
            msg = "CUDA out of memory."
            raise torch.cuda.OutOfMemoryError(msg)
        return super().forward(images, **options)  # type: ignore[arg-type]


def hungry(network: CIMLNet, most: int) -> HungryNetwork:
    copy = HungryNetwork(network.task, network.config)
    copy.load_state_dict(network.state_dict())
    copy.most, copy.seen = most, []
    return copy.eval()


def test_out_of_memory_halves_the_batch_and_says_so(network: CIMLNet, images: torch.Tensor) -> None:
    reporter, small = Recorder(), hungry(network, most=1)
    output = predict(small, images, reporter, batch_size=4)
    assert small.seen[:3] == [4, 2, 1]
    assert set(small.seen[3:]) == {1}  # not tried again with more
    left = [re.search(r"(\d+) windows? at a time", text) for text in reporter.warnings]
    assert [found and found[1] for found in left] == ["2", "1"]
    assert torch.allclose(output.logits["WT"], predict(network, images).logits["WT"], atol=1e-4)
    assert reporter.done == reporter.total


def test_a_window_that_fits_no_memory_is_an_explained_error(
    network: CIMLNet, images: torch.Tensor
) -> None:
    with pytest.raises(CrossModalError, match="8 x 12 x 16 voxels does not fit"):
        predict(hungry(network, most=0), images)


def test_a_gpu_that_is_too_small_is_left_for_the_cpu(
    network: CIMLNet, images: torch.Tensor
) -> None:
    class PickyNetwork(HungryNetwork):
        """Fits the CPU only; `meta` stands in for a GPU."""

        def to(self, device: torch.device) -> PickyNetwork:  # type: ignore[override]
            self.most = 9 if device.type == "cpu" else 0
            return self

    picky = PickyNetwork(network.task, network.config)
    picky.load_state_dict(network.state_dict())
    picky.seen = []
    reporter = Recorder()
    on_gpu = WindowPlan((8, 12, 16), InferenceConfig(batch_size=2), torch.device("meta"))
    output = predict_windows(picky.eval(), images, [True] * 4, on_gpu, reporter)
    assert "CPU" in reporter.warnings[-1]
    assert torch.allclose(output.logits["WT"], predict(network, images).logits["WT"], atol=1e-4)


def test_other_errors_are_not_taken_for_lack_of_memory(images: torch.Tensor) -> None:
    network = build_network(load_task("brats"), SMALL, seed=0)

    def fail(*_: object) -> None:
        msg = "shape mismatch"
        raise RuntimeError(msg)

    network.decoders[0].register_forward_pre_hook(fail)
    with pytest.raises(RuntimeError, match="shape mismatch"):
        predict(network, images)


def test_a_cancelled_job_stops_between_two_layers(
    network: CIMLNet, images: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    layers: list[int] = []

    def cancel_in_the_second_layer(*_: object) -> None:
        layers.append(1)
        if len(layers) == 2:
            progress._cancel_requested.set()

    for module in network.modules():
        module.register_forward_hook(cancel_in_the_second_layer)
    monkeypatch.setattr(progress, "_cancel_requested", progress.threading.Event())
    with pytest.raises(CancelledError):
        predict(network, images)
    assert len(layers) == 2
    progress._cancel_requested.clear()
    n_hooks = sum(len(module._forward_pre_hooks) for module in network.modules())
    assert n_hooks == 0


@pytest.mark.parametrize(
    ("window", "stride", "overlap", "interval"),
    [
        ((96, 96, 96), (16, 16, 16), 0.5, (48, 48, 48)),
        ((96, 64, 40), (16, 16, 8), 0.25, (64, 48, 32)),
        ((16, 16, 16), (16, 16, 16), 0.9, (16, 16, 16)),
        ((32, 32, 32), (4, 4, 4), 0.0, (32, 32, 32)),
    ],
)
def test_windows_step_by_whole_strides(
    window: tuple[int, ...], stride: tuple[int, ...], overlap: float, interval: tuple[int, ...]
) -> None:
    assert scan_interval(window, stride, overlap) == interval


@pytest.mark.parametrize("overlap", [0.0, 0.1, 0.3, 0.5, 0.6, 0.75])
def test_every_overlap_visits_aligned_windows_only(
    network: CIMLNet, images: torch.Tensor, overlap: float
) -> None:
    reporter = Recorder()
    output = predict(network, images, reporter, overlap=overlap)
    assert reporter.done == reporter.total
    assert np.isfinite(output.logits["WT"].numpy()).all()


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"overlap": 1.0}, "overlap"),
        ({"batch_size": 0}, "at least one window"),
        ({"n_samples": 1}, "at least 2 samples"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, float], complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        InferenceConfig(**settings)  # type: ignore[arg-type]


def test_as_many_windows_are_computed_together_as_make_sense() -> None:
    automatic = InferenceConfig()
    assert automatic.windows_at_a_time((96, 96, 96)) == 4
    assert automatic.windows_at_a_time((160, 160, 160)) == 2
    assert automatic.windows_at_a_time((16, 16, 16)) == 16
    assert InferenceConfig(batch_size=3).windows_at_a_time((160, 160, 160)) == 3


def test_a_task_without_auxiliaries_has_no_maps() -> None:
    from CIMLSegmentLib.task.task_io import CohortModalities

    cohort = CohortModalities({"CT": "CT"}, primary="CT")
    network = build_network(load_task("single-target", cohort=cohort), SMALL, seed=0).eval()
    images = torch.randn(1, 8, 12, 16)
    output = predict_windows(network, images, [True], plan(), Recorder())
    assert output.logits["target"].shape == (1, 8, 12, 16)
    assert not output.kl
