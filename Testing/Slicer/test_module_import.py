"""The module files load at the start of Slicer: they must be quick and import nothing heavy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LIMIT_S = 0.15 * float(os.environ.get("CROSSMODAL_TIME_FACTOR", "1"))
HEAVY = {
    "torch",
    "monai",
    "scipy",
    "pandas",
    "sklearn",
    "plotly",
    "safetensors",
    "jinja2",
    "psutil",
}

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


def load(name):
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


@pytest.mark.parametrize("name", ["MDALSelector"])
def test_a_module_file_imports_nothing_heavy_and_is_quick(host, name):
    results = [load(name) for _ in range(2)]
    assert set(results[0]["new"]) & HEAVY == set()
    seconds = min(result["seconds"] for result in results)
    print(f"{name}: {seconds * 1000:.0f} ms over Slicer's own imports")
    assert seconds < LIMIT_S
