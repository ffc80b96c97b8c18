"""What glibc does with freed blocks, seen from the page faults of a process."""

import platform
import subprocess
import sys
import textwrap

import pytest

pytestmark = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="other C libraries are left as they are"
)


def page_faults(*, kept):
    """Ask for and fill 64 MB ten times, in a process of its own."""
    script = f"""
        import resource
        import numpy as np
        from CIMLSegmentLib.inference.devices import keep_freed_memory
        if {kept}:
            keep_freed_memory()
        np.ones(2**23)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(10):
            np.ones(2**23)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    return int(subprocess.run(command, capture_output=True, check=True, text=True).stdout)


def test_freed_blocks_are_used_again():
    assert page_faults(kept=True) < page_faults(kept=False) / 10
