"""What a job needs, and which jobs may run at the same time. Must not import Slicer or Qt."""

from __future__ import annotations

import enum
import os
import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path


class Hindrance(enum.Enum):
    """Why a job waits for another one."""

    LINE = "line"
    GPU = "GPU"
    MEMORY = "memory"


@dataclass(frozen=True)
class JobNeeds:
    """What a job needs.

    Attributes:
        isShort: Whether it takes seconds; such jobs do not wait for those that take minutes.
        device: What its network runs on, as the command line calls it; empty for no network.
        memoryMB: Memory that must be free before it starts beside another job.
    """

    isShort: bool = False
    device: str = ""
    memoryMB: int = 4000

    @property
    def usesGPU(self) -> bool:
        """Whether it computes on a GPU of this computer."""
        return self.device not in ("", "cpu") and hasGPU()

    def hindrance(self, other: JobNeeds) -> Hindrance | None:
        """Return why this job cannot run beside another one; `None` if it can."""
        if self.isShort == other.isShort:
            return Hindrance.LINE
        if self.usesGPU and other.usesGPU:
            return Hindrance.GPU
        free = freeMemoryMB()
        return Hindrance.MEMORY if free is not None and free < self.memoryMB else None


QUICK_LOOK = JobNeeds(isShort=True, memoryMB=500)  # headers and some label maps


@cache
def hasGPU() -> bool:
    """Tell whether there is a GPU that PyTorch may use, without loading it."""
    return shutil.which("nvidia-smi") is not None or Path("/dev/nvidia0").exists()


def freeMemoryMB() -> int | None:
    """Return how much memory new jobs can have, MB; `None` where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        values = dict(line.split(":", 1) for line in lines)
        return int(values["MemAvailable"].split()[0]) // 1024
    except (OSError, ValueError, KeyError, IndexError):
        pass
    try:  # macOS counts files that it keeps in memory as used; this is all that it has
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20 // 2
    except (AttributeError, ValueError, OSError):  # Windows
        return None
