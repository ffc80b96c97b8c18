"""Runs the tests of a module in the application, if they are there: they are not installed."""

from __future__ import annotations

import logging
from pathlib import Path

logger = logging.getLogger(__name__)


def runModuleTests(name: str, moduleFile: Path) -> int:
    """Run a test file of `Testing/Slicer` with pytest.

    Args:
        name: Name of the file.
        moduleFile: The module's `.py` file, in the sources.

    Returns:
        The exit code of pytest; 0 also where the tests or pytest are not installed, which the log
        says.
    """
    path = moduleFile.resolve().parents[1] / "Testing" / "Slicer" / name
    if not path.is_file():
        logger.warning("The tests of %s are part of the sources only; nothing was run.", name)
        return 0
    try:
        import pytest
    except ImportError:
        logger.warning("Install pytest in Slicer's Python to run %s; nothing was run.", path)
        return 0
    return int(pytest.main([str(path), "-q", "-p", "no:cacheprovider", "--import-mode=importlib"]))
