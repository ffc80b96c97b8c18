"""Optimizer, learning rate and number format of a training, and how a step is stopped."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from monai.networks.blocks.dynunet_block import UnetBasicBlock
from torch import Tensor, nn

from CIMLSegmentLib.config import TrainingConfig
from MultimodalImagingLib.jobs.progress import check_cancelled

_MOMENTUM = 0.99


def make_optimizer(network: nn.Module, config: TrainingConfig) -> torch.optim.Optimizer:
    """Return the optimizer of a configuration."""
    parameters, rate, decay = network.parameters(), config.learning_rate, config.weight_decay
    if config.optimizer == "sgd":
        return torch.optim.SGD(parameters, rate, _MOMENTUM, nesterov=True, weight_decay=decay)
    return torch.optim.AdamW(parameters, lr=rate, weight_decay=decay)


def learning_rate(step: int, config: TrainingConfig) -> float:
    """Return the learning rate of a step: linear growth, then a cosine to zero."""
    n_warmup = min(config.warmup_steps, config.n_steps)
    if step < n_warmup:
        return config.learning_rate * (step + 1) / n_warmup
    done = (step - n_warmup) / max(config.n_steps - n_warmup, 1)
    return config.learning_rate * (1 + math.cos(math.pi * min(done, 1.0))) / 2


def set_learning_rate(optimizer: torch.optim.Optimizer, value: float) -> None:
    """Set the learning rate of all parameters."""
    for group in optimizer.param_groups:
        group["lr"] = value


@dataclass(frozen=True)
class Precision:
    """The number format of the forward pass; weights stay float32.

    Attributes:
        dtype: Format of the forward pass.
        device_type: `cpu` or `cuda`.
    """

    dtype: torch.dtype
    device_type: str

    def autocast(self) -> torch.autocast:
        """Return the context of a forward pass."""
        is_mixed = self.dtype != torch.float32
        return torch.autocast(self.device_type, dtype=self.dtype, enabled=is_mixed)

    def scaler(self) -> Any:
        """Return the gradient scaler, which does something in fp16 only."""
        is_needed = self.dtype == torch.float16 and self.device_type == "cuda"
        if hasattr(torch.amp, "GradScaler"):
            return torch.amp.GradScaler(self.device_type, enabled=is_needed)
        return torch.cuda.amp.GradScaler(enabled=is_needed)


def choose_precision(name: str, device: torch.device) -> Precision:
    """Turn `auto`, `fp32`, `bf16` or `fp16` into a format that the device has.

    `auto` is bf16 on a GPU that has it, fp16 on other GPUs, and fp32 on the CPU.
    """
    formats = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
    if name == "auto" and device.type == "cuda":
        name = "bf16" if torch.cuda.is_bf16_supported() else "fp16"
    elif name == "auto":
        name = "fp32"
    elif name == "fp16" and device.type == "cpu":
        name = "bf16"  # fp16 arithmetic on the CPU is slow or absent
    return Precision(formats[name], device.type)


@contextmanager
def stopping_within_steps(network: nn.Module) -> Iterator[None]:
    """Let a cancelled job stop before and behind each block, forwards and backwards.

    Weights are whole then: they change only after all gradients are there.

    Raises:
        CancelledError: From inside the pass that is running.
    """
    blocks = [module for module in network.modules() if isinstance(module, UnetBasicBlock)]
    with ExitStack() as hooks:
        for block in blocks:
            hooks.enter_context(block.register_forward_pre_hook(lambda *_: check_cancelled()))
            hooks.enter_context(block.register_forward_hook(_watch_gradient))
        yield


def _watch_gradient(_block: nn.Module, _inputs: Any, output: Tensor) -> None:
    if output.requires_grad:
        output.register_hook(lambda _gradient: check_cancelled())  # type: ignore[no-untyped-call]
