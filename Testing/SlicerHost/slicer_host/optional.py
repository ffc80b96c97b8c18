"""Parts of the application that not every version or installation has.

By default the host is like Slicer 5.10 without the PyTorch extension: no `slicer.packaging`, no
`PyTorchUtils`. Nothing is ever downloaded: what would be installed is kept in
`dialogs.record.installs`.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from slicer_host import dialogs

NEWER_THAN_5_10 = ("LazyImport", "executePythonModule")
_removed: dict[str, Any] = {}


def install_as_5_10() -> None:
    """Take away what came after Slicer 5.10, and keep pip from running."""
    import slicer

    for name in NEWER_THAN_5_10:
        if hasattr(slicer.util, name):
            _removed[name] = getattr(slicer.util, name)
            delattr(slicer.util, name)
    slicer.util.pip_install = _pip_install
    slicer.util.pip_uninstall = lambda requirements, **_: _install(["uninstall", requirements])


def _pip_install(requirements: Any, **_: Any) -> None:
    _install([requirements] if isinstance(requirements, str) else list(requirements))


def _install(requirements: list[Any]) -> None:
    dialogs.record.installs.append([str(one) for one in requirements])
    if dialogs.record.install_effect is not None:
        dialogs.record.install_effect(requirements)


@contextmanager
def slicer_5_12() -> Iterator[types.ModuleType]:
    """Be like Slicer 5.12 for a while: with `slicer.packaging`."""
    import slicer

    module = _packaging()
    sys.modules["slicer.packaging"] = module
    slicer.packaging = module
    for name, value in _removed.items():
        setattr(slicer.util, name, value)
    try:
        yield module
    finally:
        del sys.modules["slicer.packaging"], slicer.packaging
        for name in _removed:
            delattr(slicer.util, name)


def _packaging() -> types.ModuleType:
    module = types.ModuleType("slicer.packaging")

    def load_requirements(path: Any) -> list[str]:
        lines = [line.partition("#")[0].strip() for line in Path(path).read_text().splitlines()]
        return [line for line in lines if line]

    def pip_check(req: Any) -> bool:
        return bool(dialogs.record.answer(default=False))

    def pip_ensure(
        requirements: Any, constraints: Any = None, skip_packages: Any = None,
        prompt_install: bool = True, prompt_restart: bool = True, requester: Any = None,
        skip_in_testing: bool = True, show_progress: bool = True,
    ) -> None:  # fmt: skip
        if skip_in_testing and dialogs.record.testing:
            return
        if prompt_install and not dialogs.record.answer(default=True):
            msg = "The installation of Python packages was cancelled."
            raise RuntimeError(msg)
        _pip_install(requirements)

    module.load_requirements = load_requirements
    module.pip_check = pip_check
    module.pip_ensure = pip_ensure
    module.pip_install = _pip_install
    module.isPipInstallInProgress = lambda: False
    return module


@contextmanager
def pytorch_utils(install: Callable[..., Any], *, installed: bool = False) -> Iterator[Any]:
    """Have the PyTorch extension for a while.

    Args:
        install: What `installTorch` does; its result is the torch module, or None if declined.
        installed: What `torchInstalled` says.
    """
    module = types.ModuleType("PyTorchUtils")

    class PyTorchUtilsLogic:
        def torchInstalled(self) -> bool:
            return installed

        def installTorch(
            self, askConfirmation: bool = False, forceComputationBackend: Any = None,
            torchVersionRequirement: Any = None, torchvisionVersionRequirement: Any = None,
        ) -> Any:  # fmt: skip
            dialogs.record.installs.append([f"torch{torchVersionRequirement or ''}"])
            return install()

        def getDevice(self) -> str:
            return "cpu"

    module.PyTorchUtilsLogic = PyTorchUtilsLogic
    sys.modules["PyTorchUtils"] = module
    try:
        yield module
    finally:
        del sys.modules["PyTorchUtils"]
