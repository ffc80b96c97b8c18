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


@pytest.mark.parametrize("name", ["MDALSelector", "CIMLSegment"])
def test_a_module_file_imports_nothing_heavy(host, name):
    assert set(load(name)["new"]) & HEAVY == set()


@pytest.mark.evidence
@pytest.mark.parametrize("name", ["MDALSelector", "CIMLSegment"])
def test_a_module_file_is_imported_quickly(host, name):
    seconds = min(load(name)["seconds"] for _ in range(2))
    print(f"{name}: {seconds * 1000:.0f} ms over Slicer's own imports")
    assert seconds < LIMIT_S


class FakePytest:
    """Keeps what pytest was asked for."""

    def __init__(self, code):
        self.code, self.calls = code, []

    def main(self, arguments):
        self.calls.append(arguments)
        return self.code


def test_reload_and_test_runs_the_tests_of_the_module(host, scene, load_module, monkeypatch):
    import slicer

    load_module(ROOT / "MDALSelector" / "MDALSelector.py")
    fake = FakePytest(0)
    monkeypatch.setitem(sys.modules, "pytest", fake)
    slicer.modules.MDALSelectorInstance.runTest(msec=0)
    assert Path(fake.calls[0][0]) == ROOT / "Testing" / "Slicer" / "test_mdal_selector.py"
    fake.code = 1
    with pytest.raises(AssertionError, match="exit code 1"):
        slicer.modules.MDALSelectorInstance.runTest(msec=0)


def test_without_pytest_nothing_is_run_and_the_log_says_so(host, monkeypatch, caplog):
    from MultimodalSlicerLib.module_tests import runModuleTests

    monkeypatch.setitem(sys.modules, "pytest", None)
    module = ROOT / "MDALSelector" / "MDALSelector.py"
    assert runModuleTests("test_mdal_selector.py", module) == 0
    assert "Install pytest" in caplog.text


def test_an_installed_module_has_no_tests_and_says_so(host, tmp_path, caplog):
    from MultimodalSlicerLib.module_tests import runModuleTests

    assert runModuleTests("test_mdal_selector.py", tmp_path / "lib" / "MDALSelector.py") == 0
    assert "part of the sources only" in caplog.text
