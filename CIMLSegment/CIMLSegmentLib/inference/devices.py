"""Which processor to compute on."""

from __future__ import annotations

import torch

from MultimodalImagingLib.errors import UsageError


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


_MEMORY_SIGNS = ("out of memory", "can't allocate memory", "not enough memory", "alloc_failed")
