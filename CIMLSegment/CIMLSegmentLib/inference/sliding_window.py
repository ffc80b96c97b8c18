"""One pass of overlapping windows over a case: logits, attention and information together.

MONAI's `sliding_window_inference` blends all outputs with one Gaussian; the maps stay at the
resolution of their level until the end. That works without interpolation because windows start at
multiples of the network's total stride. MONAI shrinks the Gaussian from one output to the next, so
they go from fine to coarse.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import combinations

import torch
from monai.inferers import sliding_window_inference
from torch import Tensor, nn

from CIMLSegmentLib.config import InferenceConfig
from CIMLSegmentLib.inference.devices import is_out_of_memory
from CIMLSegmentLib.inference.gradcam import gradcam_keys, window_cams
from CIMLSegmentLib.inference.influence import (
    Channel,
    influence_channels,
    window_influence,
)
from CIMLSegmentLib.network.network import CIMLNet, CIMLOutput, MessageKey
from CIMLSegmentLib.results.map_kinds import MapKey
from MultimodalImagingLib.errors import CrossModalError
from MultimodalImagingLib.jobs.progress import Reporter, check_cancelled
from MultimodalImagingLib.jobs.texts import counted


@dataclass(frozen=True)
class WindowedOutput:
    """What the windows of a case add up to.

    Attributes:
        logits: Sub-task name to logits `(R, K, J, I)`, float32.
        attention: Attention maps at the message's level, `(k, j, i)`, unitless, 0 to 1.
        kl: Information per position of the message's level, `(k, j, i)`, nats.
        gradcam: Grad-CAM maps `(k, j, i)`, not scaled; empty unless asked for.
        sampled: Sub-task name to mean probabilities over sampled messages `(R, K, J, I)`; empty
            unless asked for.
        influence: Contributions `(K, J, I)`, changes of probability, the probabilities without any
            message, and logits without one; empty unless asked for. See `inference/influence.py`.
    """

    logits: Mapping[str, Tensor]
    attention: Mapping[MessageKey, Tensor]
    kl: Mapping[MessageKey, Tensor]
    gradcam: Mapping[MapKey, Tensor] = field(default_factory=dict)
    sampled: Mapping[str, Tensor] = field(default_factory=dict)
    influence: Mapping[Channel, Tensor] = field(default_factory=dict)


def predict_windows(
    network: CIMLNet, images: Tensor, present: Sequence[bool], plan: WindowPlan, reporter: Reporter
) -> WindowedOutput:
    """Segment an array of any size in overlapping windows.

    Results are gathered in float32 on the CPU, so that a GPU holds no more than its windows.

    Args:
        network: The network in evaluation mode; moved to the device of the plan.
        images: Prepared images `(M, K, J, I)`, each axis a multiple of the total stride and at
            least as long as a window.
        present: Which modalities may send messages, per modality.
        plan: Windows and settings.
        reporter: Notified of every finished window; cancels between layers.

    Raises:
        CrossModalError: If even one window on the CPU does not fit the memory.
        CancelledError: If the user asked to stop.
    """
    stride = network.config.total_stride
    interval = scan_interval(plan.window, stride, plan.config.overlap)
    n_windows = [
        -(-(size - window) // step) + 1
        for size, window, step in zip(images.shape[1:], plan.window, interval, strict=True)
    ]
    reporter.stage("segment", int(torch.tensor(n_windows).prod()))
    predictor = WindowPredictor(network, present, plan, reporter)
    with torch.no_grad(), stopping_between_layers(network):
        blended = sliding_window_inference(
            images[None],
            plan.window,
            predictor.batch_size,
            predictor,
            # MONAI truncates to whole voxels; half a voxel keeps rounding from taking one away.
            overlap=[
                max(1 - (s + 0.5) / w, 0.0) for s, w in zip(interval, plan.window, strict=True)
            ],
            mode="gaussian",
        )
    outputs = (blended,) if isinstance(blended, Tensor) else blended
    return _unpacked(outputs, network, plan)


def scan_interval(window: Sequence[int], stride: Sequence[int], overlap: float) -> tuple[int, ...]:
    """Return the steps between windows: multiples of the stride, nearest to the overlap."""
    return tuple(
        min(max(round(size * (1 - overlap) / step), 1) * step, size)
        for size, step in zip(window, stride, strict=True)
    )


def _unpacked(outputs: Sequence[Tensor], network: CIMLNet, plan: WindowPlan) -> WindowedOutput:
    rest = list(outputs)
    logits = _by_subtask(rest.pop(0), network)
    sampled = _by_subtask(rest.pop(0), network) if plan.config.n_samples else {}
    pairs = [(subtask.name, auxiliary) for subtask, auxiliary in network.task.pairs()]
    if not pairs or not rest:  # the baselines of an evaluation send no messages
        return WindowedOutput(logits, {}, {}, {}, sampled)
    influence: dict[Channel, Tensor] = {}
    if plan.config.wants_influence:
        channels = influence_channels(network.task)
        influence = dict(zip(channels, rest.pop(0)[0], strict=True))
    cams: dict[MapKey, Tensor] = {}
    if plan.config.gradcam:
        cams = dict(zip(gradcam_keys(network.task), rest.pop(0)[0], strict=True))
    attention: dict[MessageKey, Tensor] = {}
    kl: dict[MessageKey, Tensor] = {}
    for level, maps in zip(network.config.message_levels, rest, strict=True):
        keys = [MessageKey(*pair, level) for pair in pairs]
        attention |= zip(keys, maps[0, : len(pairs)], strict=True)
        kl |= zip(keys, maps[0, len(pairs) :], strict=True)
    return WindowedOutput(logits, attention, kl, cams, sampled, influence)


def _by_subtask(channels: Tensor, network: CIMLNet) -> dict[str, Tensor]:
    subtasks = network.task.subtasks
    parts = torch.split(channels[0], [len(subtask.regions) for subtask in subtasks])
    return {subtask.name: part for subtask, part in zip(subtasks, parts, strict=True)}


@dataclass(frozen=True)
class WindowPlan:
    """Settings of the windows.

    Attributes:
        window: Voxels of a window along `(K, J, I)`, multiples of the network's total stride.
        config: The settings of the user.
        device: Where the network computes.
    """

    window: tuple[int, ...]
    config: InferenceConfig
    device: torch.device


class WindowPredictor:
    """Computes windows; halves the batch when memory runs out, then leaves the GPU.

    Attributes:
        batch_size: Windows at a time; falls when memory runs out.
    """

    def __init__(
        self, network: CIMLNet, present: Sequence[bool], plan: WindowPlan, reporter: Reporter
    ) -> None:
        self.network = network.to(plan.device)
        self.present = torch.tensor([list(present)])
        self.plan = plan
        self.reporter = reporter
        self.device = plan.device
        self.batch_size = plan.config.windows_at_a_time(plan.window)
        self.generator = torch.Generator().manual_seed(plan.config.seed)

    def __call__(self, windows: Tensor) -> tuple[Tensor, ...]:
        """Return the outputs of windows `(B, M, K, J, I)` on the CPU, fine to coarse."""
        parts: list[list[Tensor]] = []
        n_done = 0
        while n_done < len(windows):
            part = windows[n_done : n_done + self.batch_size]
            try:
                parts.append(self._compute(part))
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                self._use_less_memory(error)
                continue
            n_done += len(part)
            self.reporter.advance(len(part))
        return tuple(torch.cat(outputs) for outputs in zip(*parts, strict=True))

    def _compute(self, windows: Tensor) -> list[Tensor]:
        windows = windows.to(self.device)
        present = self.present.expand(len(windows), -1).to(self.device)
        mirrors = _mirror_axes(windows.ndim - 2) if self.plan.config.mirror else [()]
        total: list[Tensor] = []
        for axes in mirrors:
            mirrored = self._outputs(torch.flip(windows, axes), present)
            outputs = [torch.flip(values, axes).float().cpu() for values in mirrored]
            total = [a.add_(b) for a, b in zip(total, outputs, strict=True)] if total else outputs
        return [values / len(mirrors) for values in total]

    def _outputs(self, windows: Tensor, present: Tensor) -> list[Tensor]:
        output, influence = self._output(windows, present)
        outputs = [torch.cat(list(output.logits.values()), dim=1)]
        if self.plan.config.n_samples:
            outputs.append(self._mean_probabilities(windows, present))
        if not output.kl:  # no sub-task has auxiliaries
            return outputs
        outputs += influence
        if self.plan.config.gradcam:
            outputs.append(window_cams(self.network, windows, present))
        for level in self.network.config.message_levels:
            maps = [*_at_level(output.attention, level), *_at_level(output.kl, level)]
            outputs.append(torch.stack(maps, dim=1))
        return outputs

    def _output(self, windows: Tensor, present: Tensor) -> tuple[CIMLOutput, list[Tensor]]:
        """Return what the network computes, and the contributions if they were asked for."""
        network = self.network
        has_messages = isinstance(network, CIMLNet) and any(network.task.pairs())
        if not (self.plan.config.wants_influence and has_messages):
            return network(windows, present=present), []
        features = network.encode(windows)
        exchange = network.exchange(features, present)
        output = network.output(features, exchange)
        return output, [window_influence(network, features, exchange, output)]

    def _mean_probabilities(self, windows: Tensor, present: Tensor) -> Tensor:
        n_samples = self.plan.config.n_samples
        total = torch.zeros(())
        for _ in range(n_samples):
            output = self.network(windows, present=present, generator=self.generator)
            total = total + torch.cat(list(output.logits.values()), dim=1).float().sigmoid()
        return total / n_samples

    def _use_less_memory(self, error: RuntimeError) -> None:
        if self.batch_size > 1:
            self.batch_size //= 2
            self.reporter.warning(
                f"Memory ran out on {self.device}; continuing with"
                f" {counted(self.batch_size, 'window')} at a"
                " time."
            )
        elif self.device.type != "cpu":
            self.device = torch.device("cpu")
            self.network.to(self.device)
            self.reporter.warning(
                "Not even one window fits the memory of the GPU; continuing on the CPU, which is"
                " slower."
            )
        else:
            msg = (
                f"A window of {' x '.join(map(str, self.plan.window))} voxels does not fit the"
                " memory of this computer. Close other programs, or use a model with a smaller"
                " patch."
            )
            raise CrossModalError(msg) from error
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _mirror_axes(n_axes: int) -> list[tuple[int, ...]]:
    """All subsets of the spatial axes, counted from the last so that maps share them."""
    axes = range(-n_axes, 0)
    return [subset for n in range(n_axes + 1) for subset in combinations(axes, n)]


def _at_level(maps: Mapping[MessageKey, Tensor], level: int) -> list[Tensor]:
    return [values.float() for key, values in maps.items() if key.level == level]


@contextmanager
def stopping_between_layers(network: nn.Module) -> Iterator[None]:
    """Let a cancelled job stop before the next layer instead of after the whole network."""
    with ExitStack() as hooks:
        for module in network.modules():
            hooks.enter_context(module.register_forward_pre_hook(lambda *_: check_cancelled()))
        yield
