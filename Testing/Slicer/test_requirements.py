"""What is missing is found without importing it, and installed only by asking."""

from __future__ import annotations

import sys
import types
from contextlib import nullcontext

import pytest


@pytest.fixture
def requirements(host):
    from MultimodalSlicerLib import python_requirements

    return python_requirements


@pytest.fixture
def installed(requirements, monkeypatch):
    """Installed packages, by name; tests change it."""
    packages = {"numpy": "2.4.6"}

    def version(name):
        if name not in packages:
            raise requirements.metadata.PackageNotFoundError(name)
        return packages[name]

    monkeypatch.setattr(requirements.metadata, "version", version)
    return packages


@pytest.fixture
def torch_extension(installed, monkeypatch):
    """The PyTorch extension; keeps what it was asked for, and installs."""
    calls = []

    class PyTorchUtilsLogic:
        def installTorch(self, **options):
            calls.append(options)
            installed["torch"] = "2.7.1+cu126"
            return types.ModuleType("torch")

    module = types.ModuleType("PyTorchUtils")
    module.PyTorchUtilsLogic = PyTorchUtilsLogic
    monkeypatch.setitem(sys.modules, "PyTorchUtils", module)
    return calls


@pytest.fixture
def packaging(installed, monkeypatch):
    """`slicer.packaging` of Slicer 5.12; keeps what it was asked for, and installs."""
    import slicer

    calls = []
    module = types.ModuleType("slicer.packaging")

    def pip_ensure(names, *, requester):
        calls.append((names, requester))
        installed.update({name.split(">=")[0]: "99" for name in names})

    module.pip_ensure = pip_ensure
    monkeypatch.setitem(sys.modules, "slicer.packaging", module)
    monkeypatch.setattr(slicer, "packaging", module, raising=False)
    return calls


@pytest.mark.parametrize(
    ("version", "requirement", "is_enough"),
    [
        ("1.3.0", "monai>=1.3", True),
        ("1.3", "monai>=1.3.0", True),
        ("1.10.2", "monai>=1.3", True),
        ("1.2.9", "monai>=1.3", False),
        ("2.13.0+cpu", "monai>=2.0", True),
        ("2.0.0rc1", "monai>=2.0", True),
        ("0.9", "monai", True),
    ],
)
def test_versions_are_compared_as_numbers(requirements, installed, version, requirement, is_enough):
    installed["monai"] = version
    assert (requirements.missingRequirements([requirement]) == []) is is_enough


def test_what_is_missing_is_said_with_what_to_do(requirements, installed):
    missing = requirements.missingRequirements(["torch>=2.0", "monai>=1.3", "numpy>=1.24"])
    assert missing == ["torch>=2.0", "monai>=1.3"]
    sentence = requirements.missingSentence(missing)
    assert sentence == "Python packages are missing: torch, monai. Press Install."
    assert requirements.missingSentence([]) == ""


def test_another_form_of_a_requirement_is_refused(requirements):
    with pytest.raises(ValueError, match="name>=version"):
        requirements.missingRequirements(["monai==1.3"])


def test_torch_comes_from_the_extension_and_the_rest_from_slicers_packaging(
    requirements, torch_extension, packaging
):
    requirements.ensureRequirements(["monai>=1.3", "numpy>=1.24"], requester="MDALSelector")
    assert torch_extension == [{"askConfirmation": True, "torchVersionRequirement": ">=2.0"}]
    assert packaging == [(["monai>=1.3"], "MDALSelector")]


def test_nothing_is_installed_when_nothing_is_missing(
    requirements, installed, torch_extension, packaging
):
    installed.update({"torch": "2.2.2", "monai": "1.5"})
    requirements.ensureRequirements(["monai>=1.3"], requester="MDALSelector")
    assert torch_extension == []
    assert packaging == []


def test_older_slicers_ask_and_use_pip(
    requirements, installed, torch_extension, monkeypatch, messages
):
    import qt
    import slicer

    monkeypatch.setitem(sys.modules, "slicer.packaging", None)
    calls = []
    monkeypatch.setattr(slicer.util, "pip_install", calls.append)
    messages.answers.append(qt.QMessageBox.Ok)
    requirements.ensureRequirements(["monai>=1.3", "rich>=13.0"], requester="MDALSelector")
    assert calls == [["monai>=1.3", "rich>=13.0"]]
    assert "monai>=1.3" in messages.messages[0]
    messages.answers.append(qt.QMessageBox.Cancel)
    with pytest.raises(RuntimeError, match="were not installed"):
        requirements.ensureRequirements(["scipy>=1.10"], requester="MDALSelector")
    assert len(calls) == 1


def test_declining_torch_says_what_follows(requirements, torch_extension, packaging, monkeypatch):
    monkeypatch.setattr(
        sys.modules["PyTorchUtils"].PyTorchUtilsLogic, "installTorch", lambda self, **_: None
    )
    with pytest.raises(RuntimeError, match="PyTorch was not installed"):
        requirements.ensureRequirements(["monai>=1.3"], requester="MDALSelector")
    assert packaging == []


@pytest.mark.parametrize(("answer", "works"), [("Cancel", True), ("Ok", False), ("Ok", True)])
def test_a_missing_extension_is_installed_after_asking_and_nothing_else_before_the_restart(
    requirements, packaging, monkeypatch, messages, answer, works
):
    import qt
    import slicer

    names = []

    class ExtensionsManagerModel:
        def installExtensionFromServer(self, name):
            names.append(name)
            return works

    class Application:
        def __getattr__(self, name):
            return getattr(real, name)

        def extensionsManagerModel(self):
            return ExtensionsManagerModel()

    real = slicer.app
    monkeypatch.setitem(sys.modules, "PyTorchUtils", None)
    monkeypatch.setattr(requirements.slicer, "app", Application())
    messages.answers.append(getattr(qt.QMessageBox, answer))
    isFailing = answer == "Cancel" or not works
    with pytest.raises(RuntimeError, match="PyTorch ext") if isFailing else nullcontext():
        requirements.ensureRequirements(["monai>=1.3"], requester="MDALSelector")
    assert names == ([] if answer == "Cancel" else ["PyTorch"])
    assert packaging == []


def test_requirements_files_are_read_without_comments(requirements, tmp_path):
    (tmp_path / "r.txt").write_text("# why\nmonai>=1.3\n\n  rich>=13.0  \n")
    assert requirements.readRequirements(tmp_path / "r.txt") == ["monai>=1.3", "rich>=13.0"]
