"""The module files load at the start of Slicer: they import nothing heavy."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
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


@pytest.mark.parametrize("name", ["MDALSelector", "CIMLSegment"])
def test_a_module_file_imports_nothing_heavy(host, name):
    from module_imports import import_module_file
    from slicer_host import in_application

    if in_application.is_real_application():
        pytest.skip("What a module imports is seen in a fresh process, in the host.")
    assert set(import_module_file(name)["new"]) & HEAVY == set()


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
    from MultimodalWidgetsLib.module_base import runModuleTests

    monkeypatch.setitem(sys.modules, "pytest", None)
    module = ROOT / "MDALSelector" / "MDALSelector.py"
    assert runModuleTests("test_mdal_selector.py", module) == 0
    assert "Install pytest" in caplog.text


def test_an_installed_module_has_no_tests_and_says_so(host, tmp_path, caplog):
    from MultimodalWidgetsLib.module_base import runModuleTests

    assert runModuleTests("test_mdal_selector.py", tmp_path / "lib" / "MDALSelector.py") == 0
    assert "part of the sources only" in caplog.text
