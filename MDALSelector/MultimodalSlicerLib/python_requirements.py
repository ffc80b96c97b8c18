"""Which Python packages are missing, and how they are installed when the user asks for it.

PyTorch comes from the PyTorch extension, which knows the graphics card; the rest from pip. Nothing
is imported to find out, nothing is installed without a click, and what Slicer ships is left alone.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import slicer
from slicer.i18n import tr as _

TORCH = "torch>=2.0"
_REQUIREMENT = re.compile(r"([A-Za-z0-9_.-]+)(?:>=([0-9.]+))?")


def readRequirements(path: Path) -> list[str]:
    """Read a requirements file: one `name>=version` per line."""
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def missingRequirements(requirements: Sequence[str]) -> list[str]:
    """Return the requirements that are not installed, or in a version that is too old.

    Raises:
        ValueError: If a requirement is not of the form `name>=version`.
    """
    importlib.invalidate_caches()
    return [requirement for requirement in requirements if not _isInstalled(requirement)]


def missingSentence(missing: Sequence[str]) -> str:
    """Say what is missing and what to do; empty if nothing is."""
    if not missing:
        return ""
    names = ", ".join(_parse(requirement)[0] for requirement in missing)
    return _("Python packages are missing: {names}. Press Install.").format(names=names)


def ensureRequirements(requirements: Sequence[str], *, requester: str) -> None:
    """Install what is missing, after asking.

    Args:
        requirements: Packages of pip; PyTorch is always among what is needed.
        requester: Name of the module, shown in questions.

    Raises:
        RuntimeError: If the user declined, or the PyTorch extension cannot do it.
    """
    if missingRequirements([TORCH]) and not _installTorch():
        return
    missing = missingRequirements(requirements)
    if missing:
        _installPackages(missing, requester)


def _isInstalled(requirement: str) -> bool:
    name, minimum = _parse(requirement)
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return _numbers(version) >= _numbers(minimum)


def _parse(requirement: str) -> tuple[str, str]:
    match = _REQUIREMENT.fullmatch(requirement.replace(" ", ""))
    if match is None:
        text = _("Expected a requirement of the form name>=version, got '{found}'.")
        raise ValueError(text.format(found=requirement))
    return match[1], match[2] or "0"


def _numbers(version: str) -> tuple[int, ...]:
    """`"2.13.0+cpu"` → `(2, 13)`: trailing zeros and what follows the numbers do not count."""
    match = re.match(r"[0-9]+(\.[0-9]+)*", version)
    numbers = [int(part) for part in match[0].split(".")] if match else []
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def _installTorch() -> bool:
    """Return whether the rest can be installed now; otherwise Slicer restarts first."""
    try:
        import PyTorchUtils
    except ImportError:
        _installPyTorchExtension()
        return False
    torch = PyTorchUtils.PyTorchUtilsLogic().installTorch(
        askConfirmation=True, torchVersionRequirement=TORCH.removeprefix("torch")
    )
    if torch is None:
        raise RuntimeError(_("PyTorch was not installed. Press Install again to try once more."))
    return True


def _installPyTorchExtension() -> None:
    """The extension is only there after a restart, so nothing else is installed before."""
    question = _(
        "PyTorch is installed by the PyTorch extension, which is not there yet. Install the"
        " extension and restart Slicer? Press Install again after the restart."
    )
    if not slicer.util.confirmOkCancelDisplay(question):
        raise RuntimeError(_("The PyTorch extension was not installed. It is needed for PyTorch."))
    model = slicer.app.extensionsManagerModel()
    if not model.installExtensionFromServer("PyTorch"):
        msg = _(
            "The PyTorch extension could not be installed. Install it with the Extensions Manager,"
            " restart Slicer and press Install again."
        )
        raise RuntimeError(msg)


def _installPackages(missing: Sequence[str], requester: str) -> None:
    if _hasPackaging():
        slicer.packaging.pip_ensure(list(missing), requester=requester)
        return
    question = _("These Python packages are needed:\n\n{names}\n\nInstall them now?")
    names = "\n".join(missing)
    if not slicer.util.confirmOkCancelDisplay(question.format(names=names), requester):
        raise RuntimeError(_("The Python packages were not installed. They are needed."))
    slicer.util.pip_install(list(missing))


def _hasPackaging() -> bool:
    """`slicer.packaging` came with Slicer 5.11."""
    try:
        importlib.import_module("slicer.packaging")
    except ImportError:
        return False
    return True
