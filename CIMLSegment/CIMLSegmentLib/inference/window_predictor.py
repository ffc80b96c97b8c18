"""Runs the network on batches of windows with as much memory as there is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations

import torch
from torch import Tensor, nn

from CIMLSegmentLib.inference.devices import is_out_of_memory
from CIMLSegmentLib.inference.gradcam import window_cams
from CIMLSegmentLib.inference.inference_config import InferenceConfig
from CIMLSegmentLib.network.network import CIMLNet, MessageKey
from MultimodalImagingLib.errors import CrossModalError
from MultimodalImagingLib.jobs.progress import Reporter, check_cancelled


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
        output = self.network(windows, present=present)
        outputs = [torch.cat(list(output.logits.values()), dim=1)]
        if self.plan.config.n_samples:
            outputs.append(self._mean_probabilities(windows, present))
        if not output.kl:  # no sub-task has auxiliaries
            return outputs
        if self.plan.config.gradcam:
            outputs.append(window_cams(self.network, windows, present))
        for level in self.network.config.message_levels:
            maps = [*_at_level(output.attention, level), *_at_level(output.kl, level)]
            outputs.append(torch.stack(maps, dim=1))
        return outputs

    def _mean_probabilities(self, windows: Tensor, present: Tensor) -> Tensor:
        n_samples = self.plan.config.n_samples
        total: Tensor | None = None
        for _ in range(n_samples):
            output = self.network(windows, present=present, generator=self.generator)
            sample = torch.cat(list(output.logits.values()), dim=1).float().sigmoid()
            total = sample if total is None else total.add_(sample)
        if total is None:
            msg = "Expected at least one sample of the messages."
            raise ValueError(msg)
        return total / n_samples

    def _use_less_memory(self, error: RuntimeError) -> None:
        if self.batch_size > 1:
            self.batch_size //= 2
            self.reporter.warning(
                f"Memory ran out on {self.device}; continuing with {self.batch_size} windows at a"
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
    handles = [
        module.register_forward_pre_hook(lambda *_: check_cancelled())
        for module in network.modules()
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
