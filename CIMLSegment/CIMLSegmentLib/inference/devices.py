"""What a computation runs on: device, memory, and the processes that `torchrun` started."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from MultimodalImagingLib.errors import UsageError

_MEMORY_SIGNS = ("out of memory", "can't allocate memory", "not enough memory", "alloc_failed")
# Parameters of glibc's mallopt (malloc.h).
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4
_PAD = 256 * 1024**2


def choose_device(name: str) -> torch.device:
    """Turn `auto`, `cpu`, `cuda` or `cuda:<index>` into a device that is there.

    Raises:
        UsageError: If there is no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        msg = f"Expected a device named auto, cpu, cuda or cuda:<index>, got {name!r}."
        raise UsageError(msg) from error
    n_gpus = torch.cuda.device_count()
    if device.type == "cpu" or (device.type == "cuda" and (device.index or 0) < n_gpus):
        return device
    msg = (
        f"The device {name!r} is not usable here: {n_gpus} CUDA devices were found. Use auto or"
        " cpu, or install a driver and a PyTorch that fit the device."
    )
    raise UsageError(msg)


def is_out_of_memory(error: RuntimeError) -> bool:
    """Tell whether an error says that memory of the GPU or of the computer ran out."""
    if isinstance(error, torch.cuda.OutOfMemoryError):
        return True
    text = str(error).lower()
    return any(sign in text for sign in _MEMORY_SIGNS)


def keep_freed_memory() -> None:
    """Let the C library keep what a layer frees for the next one, until the process ends.

    By default glibc returns every large block to the kernel, which clears it page by page when the
    next layer asks for it: a third of the time of a segmentation on the CPU. Only for processes
    that do one job. Other C libraries than glibc are left as they are.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_MAX, 0)
        mallopt(_TRIM_THRESHOLD, 2**31 - 1)
        mallopt(_TOP_PAD, _PAD)


@dataclass(frozen=True)
class Processes:
    """This process among all of a training.

    Attributes:
        rank: Number of this process.
        count: Number of processes.
        device: Where this process computes.
    """

    rank: int
    count: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and reports."""
        return self.rank == 0

    def share(self, n_items: int) -> range:
        """Return the numbers of the items, such as patches or cases, of this process."""
        return range(self.rank, n_items, self.count)

    def check_batch(self, batch_size: int, accumulation: int) -> None:
        """Refuse a batch that does not split into equal parts.

        Raises:
            UsageError: If it does not.
        """
        if batch_size % (self.count * accumulation):
            msg = (
                f"Expected a batch size that is a multiple of processes x accumulation, got"
                f" {batch_size} for {self.count} processes x {accumulation}. Change one of them."
            )
            raise UsageError(msg)

    def wrap(self, network: nn.Module) -> nn.Module:
        """Let gradients be averaged over the processes."""
        if self.count == 1:
            return network
        devices = [self.device] if self.device.type == "cuda" else None
        return DistributedDataParallel(network, device_ids=devices)

    def sum(self, values: Tensor) -> Tensor:
        """Return the sum of a tensor over all processes."""
        if self.count == 1:
            return values
        total = values.to(self.device)
        torch.distributed.all_reduce(total)
        return total.to(values.device)

    def wait(self) -> None:
        """Wait until all processes are here."""
        if self.count > 1:
            torch.distributed.barrier()


def without_averaging(network: nn.Module) -> AbstractContextManager[Any]:
    """Return a context in which gradients stay with this process, for all but the last part."""
    return network.no_sync() if isinstance(network, DistributedDataParallel) else nullcontext()


@contextmanager
def joined_processes(device: str) -> Iterator[Processes]:
    """Join the processes that `torchrun` started; alone if it started none.

    Args:
        device: `auto`, `cpu`, `cuda` or `cuda:<index>`; with several processes each takes the GPU
            of its local rank.

    Raises:
        UsageError: If the device does not exist.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    chosen = choose_device(device)
    if count == 1:
        yield Processes(0, 1, chosen)
        return
    if chosen.type == "cuda":
        local = int(os.environ.get("LOCAL_RANK", "0")) % torch.cuda.device_count()
        chosen = torch.device("cuda", local)
        torch.cuda.set_device(chosen)
    torch.distributed.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    try:
        yield Processes(torch.distributed.get_rank(), count, chosen)
    finally:
        torch.distributed.destroy_process_group()
