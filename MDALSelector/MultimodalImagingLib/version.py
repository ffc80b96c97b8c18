"""The version of CrossModal, here and nowhere else, and of what computes with it."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Sequence
from functools import cache
from importlib import metadata
from pathlib import Path

CROSSMODAL_VERSION = "0.1.0"


def current_versions(packages: Sequence[str]) -> dict[str, str]:
    """Return the versions of this program, of Python and of packages, for a result."""
    found = {"CrossModal": CROSSMODAL_VERSION, "Python": platform.python_version()}
    for name in packages:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:  # Slicer has some of them built in
            found[name] = "unknown"
    return found


@cache
def source_checksum(folder: Path) -> str:
    """Return the SHA-256 of the Python files in a package's folder and below.

    What was computed by other code is told apart by it, whether or not its version was raised.
    """
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()
