"""The version of CrossModal, here and nowhere else, and of what computes with it."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib import metadata

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
