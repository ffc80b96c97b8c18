"""The check that PyTorch really works, against PyTorches that do not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "MDALSelector"

UNIMPORTABLE = "raise ImportError('libcudart.so.12: cannot open shared object file')"
NO_KERNEL = """
import numpy
__version__ = "2.6.0"
class Tensor:
    def __init__(self, device="cpu"): self.device = device
    def numpy(self): return numpy.zeros(1)
    def sum(self): return 27.0 * 64
def ones(*shape, device): return Tensor(device)
def from_numpy(array): return Tensor()
class cuda:
    is_available = staticmethod(lambda: True)
    device_count = staticmethod(lambda: 1)
    get_device_name = staticmethod(lambda name: "NVIDIA GeForce RTX 5090")
    get_device_capability = staticmethod(lambda name: (12, 0))
    get_arch_list = staticmethod(lambda: ["sm_80", "sm_90"])
class backends: pass
class nn:
    class functional:
        @staticmethod
        def conv3d(image, kernel):
            if image.device != "cpu":
                raise RuntimeError("CUDA error: no kernel image is available\\nmore lines")
            return image
"""
NO_NUMPY = NO_KERNEL.replace(
    "def from_numpy(array): return Tensor()",
    "def from_numpy(array): raise RuntimeError('Numpy is not available')",
)


def run_check(folder: Path | None = None) -> tuple[int, list[dict[str, object]]]:
    path = [str(SOURCE)] if folder is None else [str(folder), str(SOURCE)]
    run = subprocess.run(
        [sys.executable, "-m", "MultimodalSlicerLib.torch_check"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path), "PYTHONSAFEPATH": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    return run.returncode, [json.loads(line) for line in run.stdout.splitlines()]


def fake_torch(folder: Path, source: str) -> Path:
    (folder / "torch").mkdir()
    (folder / "torch" / "__init__.py").write_text(source, encoding="utf-8")
    return folder


def test_the_cpu_of_this_machine_works():
    code, events = run_check()
    assert code == 0
    assert events[-1]["event"] == "result"
    assert events[-1]["devices"][0] == {"name": "cpu", "works": True, "detail": "cpu"}


def test_a_torch_that_cannot_be_imported_is_told_with_the_repair(tmp_path):
    code, events = run_check(fake_torch(tmp_path, UNIMPORTABLE))
    assert code == 1
    assert events[0]["event"] == "error"
    assert "libcudart" in events[0]["message"]
    assert "press Install" in events[0]["message"]


def test_remains_of_a_torch_are_told_with_their_folder(tmp_path):
    torch = tmp_path / "torch"
    torch.mkdir()
    # A namespace package only wins if no real one is found on the path.
    code = (
        "import sys; sys.path = [p for p in sys.path if 'site-packages' not in p]\n"
        "from MultimodalSlicerLib.torch_check import main; sys.exit(main())"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(SOURCE)])},
        capture_output=True,
        text=True,
        check=False,
    )
    message = json.loads(run.stdout)["message"]
    assert run.returncode == 1
    assert str(torch) in message
    assert message.endswith("Delete that folder and press Install.")


def test_a_graphics_card_without_code_for_it_is_told_and_the_cpu_still_works(tmp_path):
    code, events = run_check(fake_torch(tmp_path, NO_KERNEL))
    assert code == 0
    warning, result = events
    assert warning["event"] == "warning"
    for part in ("RTX 5090", "no kernel image", "12.0", "sm_90"):
        assert part in warning["message"]
    assert [device["works"] for device in result["devices"]] == [True, False]


def test_a_torch_that_does_not_fit_numpy_is_told(tmp_path):
    code, events = run_check(fake_torch(tmp_path, NO_NUMPY))
    assert code == 1
    assert "does not work with numpy" in events[0]["message"]


def test_a_device_that_computes_nonsense_is_not_called_working(tmp_path):
    wrong = NO_KERNEL.replace("return 27.0 * 64", "return 3.0")
    code, events = run_check(fake_torch(tmp_path, wrong))
    assert code == 1
    assert "computes wrong results" in events[0]["message"]


@pytest.mark.parametrize("name", ["torch", "numpy", "SimpleITK", "torchvision"])
def test_requirements_never_name_what_slicer_or_the_pytorch_extension_bring(name):
    text = (SOURCE / "Resources" / "MDALSelector-requirements.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert not [line for line in lines if line.split(">=")[0].lower() == name.lower()]


def test_requirements_of_the_panel_are_those_of_the_package():
    import tomllib

    project = tomllib.loads((SOURCE.parent / "pyproject.toml").read_text(encoding="utf-8"))
    brought = {"torch", "numpy", "SimpleITK"}
    expected = {r for r in project["project"]["dependencies"] if r.split(">=")[0] not in brought}
    text = (SOURCE / "Resources" / "MDALSelector-requirements.txt").read_text(encoding="utf-8")
    assert {line for line in text.splitlines() if line and line[0] != "#"} == expected
