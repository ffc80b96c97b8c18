"""Imports the file of a module in a new process, as Slicer does at its start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

# Slicer imports these at its start; the host brings them with it.
PROGRAM = """
import json, os, sys, time
root = sys.argv[1]
sys.path[:0] = [f"{root}/Testing/SlicerHost", f"{root}/MDALSelector", f"{root}/CIMLSegment"]
from slicer_host import host as hosting
hosting.start()
import ctk, numpy, qt, slicer, vtk
import slicer.ScriptedLoadableModule, slicer.parameterNodeWrapper, slicer.util, slicer.i18n
import vtk.util.numpy_support, SimpleITK
before = set(sys.modules)
start = time.process_time()
module = __import__(sys.argv[2])
seconds = time.process_time() - start
new = {name.partition(".")[0] for name in set(sys.modules) - before}
print("RESULT", json.dumps({"seconds": seconds, "new": sorted(new)}))
sys.stdout.flush()
os._exit(0)
"""


def import_module_file(name: str) -> dict[str, Any]:
    """Import a module file.

    Returns:
        `seconds` of processor time over Slicer's own imports, and the names of `new` packages.
    """
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(ROOT), name],
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    lines = [line for line in run.stdout.splitlines() if line.startswith("RESULT ")]
    assert lines, run.stderr
    return json.loads(lines[0].removeprefix("RESULT "))
