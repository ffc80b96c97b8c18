"""Keep freed memory in the process: on CPUs, layers ask for the same large blocks over and over."""

from __future__ import annotations

import ctypes
import sys

# Parameters of glibc's mallopt (malloc.h).
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4
_PAD = 256 * 1024**2


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
