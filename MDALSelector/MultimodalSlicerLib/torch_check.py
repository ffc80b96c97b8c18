"""Finds out whether PyTorch really works: `python -m MultimodalSlicerLib.torch_check`.

It runs a small 3-D convolution on every device, because an installed PyTorch may lack the code for
the graphics card, and says in words what to do. One JSON object per line, as `job_events` reads
them. Runs in a child process: a broken PyTorch may end the process that imports it.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from MultimodalImagingLib.jobs.progress import JsonLinesReporter

REINSTALL = "Uninstall PyTorch with the PyTorch Utils module, restart Slicer and press Install."


def main() -> int:
    """Check and report; exit code 0 if at least the CPU works, else 1."""
    reporter = JsonLinesReporter()
    try:
        torch = _imported()
        _check_numpy_bridge(torch)
    except (ImportError, OSError, RuntimeError) as error:
        reporter.error(str(error))
        return 1
    devices = [_check_device(torch, name) for name in _device_names(torch)]
    for device in devices:
        if not device["works"]:
            reporter.warning(device["detail"])
    reporter.result({"torch": torch.__version__, "devices": devices})
    return 0 if devices[0]["works"] else 1


def _imported() -> ModuleType:
    try:
        import torch
    except (ImportError, OSError) as error:
        msg = f"PyTorch cannot be imported ({error}). {REINSTALL}"
        raise ImportError(msg) from error
    if getattr(torch, "__version__", None) is None:
        place = next(iter(getattr(torch, "__path__", ["an unknown place"])))
        msg = f"Only remains of PyTorch are left in {place}. Delete that folder and press Install."
        raise ImportError(msg)
    return torch


def _check_numpy_bridge(torch: ModuleType) -> None:
    import numpy as np

    try:
        torch.from_numpy(np.zeros(1, dtype=np.float32)).numpy()
    except RuntimeError as error:
        msg = (
            f"PyTorch {torch.__version__} does not work with numpy {np.__version__} ({error})."
            f" {REINSTALL}"
        )
        raise RuntimeError(msg) from error


def _device_names(torch: ModuleType) -> list[str]:
    names = ["cpu"]
    if torch.cuda.is_available():
        names += [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    mps = getattr(torch.backends, "mps", None)
    if mps is not None and mps.is_available():
        names.append("mps")
    return names


def _check_device(torch: ModuleType, name: str) -> dict[str, Any]:
    try:
        image = torch.ones(1, 1, 6, 6, 6, device=name)
        kernel = torch.ones(1, 1, 3, 3, 3, device=name)
        value = float(torch.nn.functional.conv3d(image, kernel).sum())
    except (RuntimeError, NotImplementedError) as error:
        return {"name": name, "works": False, "detail": _advice(torch, name, str(error))}
    expected = 27.0 * 4**3
    if value != expected:
        detail = f"{name} computes wrong results ({value}, not {expected}). Choose another device."
        return {"name": name, "works": False, "detail": detail}
    return {"name": name, "works": True, "detail": _title(torch, name)}


def _advice(torch: ModuleType, name: str, error: str) -> str:
    first = error.strip().splitlines()[0] if error.strip() else "no reason given"
    if name.startswith("cuda"):
        capability = "{}.{}".format(*torch.cuda.get_device_capability(name))
        built = ", ".join(torch.cuda.get_arch_list()) or "none"
        return (
            f"{_title(torch, name)} cannot be used ({first}). It has compute capability"
            f" {capability}, this PyTorch was built for {built}. Update the driver, or {REINSTALL}"
        )
    return f"{name} cannot be used for 3-D convolutions ({first}). Choose another device."


def _title(torch: ModuleType, name: str) -> str:
    return str(torch.cuda.get_device_name(name)) if name.startswith("cuda") else name


if __name__ == "__main__":
    sys.exit(main())
