"""One pass of overlapping windows over a case: logits, attention and information together.

MONAI's `sliding_window_inference` blends all outputs with one Gaussian; the maps stay at the
resolution of their level until the end. That works without interpolation because windows start at
multiples of the network's total stride. MONAI shrinks the Gaussian from one output to the next, so
they go from fine to coarse.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from monai.inferers import sliding_window_inference
from torch import Tensor

from CIMLSegmentLib.inference.gradcam import CamKey, cam_keys
from CIMLSegmentLib.inference.window_predictor import (
    WindowPlan,
    WindowPredictor,
    stopping_between_layers,
)
from CIMLSegmentLib.network.network import CIMLNet, MessageKey
from MultimodalImagingLib.jobs.progress import Reporter

__all__ = ["WindowPlan", "WindowedOutput", "predict_windows", "scan_interval"]


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
    """

    logits: Mapping[str, Tensor]
    attention: Mapping[MessageKey, Tensor]
    kl: Mapping[MessageKey, Tensor]
    gradcam: Mapping[CamKey, Tensor] = field(default_factory=dict)
    sampled: Mapping[str, Tensor] = field(default_factory=dict)


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
    cams = dict(zip(cam_keys(network), rest.pop(0)[0], strict=True)) if plan.config.gradcam else {}
    attention: dict[MessageKey, Tensor] = {}
    kl: dict[MessageKey, Tensor] = {}
    for level, maps in zip(network.config.message_levels, rest, strict=True):
        keys = [MessageKey(*pair, level) for pair in pairs]
        attention |= zip(keys, maps[0, : len(pairs)], strict=True)
        kl |= zip(keys, maps[0, len(pairs) :], strict=True)
    return WindowedOutput(logits, attention, kl, cams, sampled)


def _by_subtask(channels: Tensor, network: CIMLNet) -> dict[str, Tensor]:
    subtasks = network.task.subtasks
    parts = torch.split(channels[0], [len(subtask.regions) for subtask in subtasks])
    return {subtask.name: part for subtask, part in zip(subtasks, parts, strict=True)}
