"""The runner for the application ends it with the result of the tests, whatever happens."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
RUNNER = ROOT / "Testing" / "Slicer" / "run_tests.py"
HOST = "from slicer_host import host\nhost.start()\nimport slicer\n"
BARE = (
    "import types\nslicer = types.ModuleType('slicer')\nslicer.util = types.SimpleNamespace()\n"
    "sys.modules['slicer'] = slicer\n"
)
PROGRAM = """
import os, runpy, sys
{slicer}
slicer.util.exit = lambda code=0: (print("exit code", code, flush=True), os._exit(int(code)))
if {broken}:
    sys.modules["pytest"] = None
sys.argv = ["run_tests.py", *{options}]
runpy.run_path({runner!r}, run_name="__main__")
"""


def run(*options, slicer=BARE, broken=False):
    code = PROGRAM.format(options=list(options), runner=str(RUNNER), broken=broken, slicer=slicer)
    environment = os.environ | {
        "PYTHONPATH": str(ROOT / "Testing" / "SlicerHost"),
        "QT_QPA_PLATFORM": "offscreen",
    }
    return subprocess.run(
        [sys.executable, "-c", code],
        env=environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


@pytest.mark.usefixtures("host")
def test_runner_collects_the_tests_of_its_folder():
    done = run("--collect-only", "-q", slicer=HOST)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Testing/Slicer/" in done.stdout


def test_runner_fails_if_nothing_was_run():
    assert run("--ignore-glob=*/test_*").returncode == 5


def test_runner_fails_without_pytest():
    done = run(broken=True)
    assert done.returncode == 1
    assert "pytest" in done.stderr
