"""Stop inside a training step: a step on the CPU can take longer than a user waits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from monai.networks.blocks.dynunet_block import UnetBasicBlock
from torch import Tensor, nn

from MultimodalImagingLib.jobs.progress import check_cancelled


@contextmanager
def stopping_within_steps(network: nn.Module) -> Iterator[None]:
    """Let a cancelled job stop before and behind each block, forwards and backwards.

    Weights are whole then: they change only after all gradients are there.

    Raises:
        CancelledError: From inside the pass that is running.
    """
    blocks = [module for module in network.modules() if isinstance(module, UnetBasicBlock)]
    handles = [block.register_forward_pre_hook(lambda *_: check_cancelled()) for block in blocks]
    handles += [block.register_forward_hook(_watch_gradient) for block in blocks]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _watch_gradient(_block: nn.Module, _inputs: Any, output: Tensor) -> None:
    if output.requires_grad:
        output.register_hook(lambda _gradient: check_cancelled())  # type: ignore[no-untyped-call]
