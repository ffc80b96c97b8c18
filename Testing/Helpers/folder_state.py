"""What is in a folder, to be compared before and after a command."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from pathlib import Path


def folder_state(folder: Path, *, without: Collection[str] = ()) -> Mapping[str, str]:
    """Return path and content of everything below a folder; links are not followed.

    Args:
        folder: The folder; need not exist.
        without: Names of files and folders that are left out wherever they occur.
    """
    paths = (path for path in sorted(folder.rglob("*")) if not set(path.parts) & set(without))
    return {path.relative_to(folder).as_posix(): _content(path) for path in paths}


def _content(path: Path) -> str:
    if path.is_symlink():
        return f"link to {path.readlink()}"
    if path.is_dir():
        return "folder"
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        return f"unreadable ({error.strerror})"


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> Mapping[str, str]:
    """Say what was removed, changed or added, by path."""
    names = sorted(before.keys() | after.keys())
    return {
        name: "removed" if name not in after else "changed" if name in before else "added"
        for name in names
        if before.get(name) != after.get(name)
    }
