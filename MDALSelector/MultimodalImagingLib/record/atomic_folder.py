"""Folders that are either whole or not there: filled beside the target, then renamed."""

from __future__ import annotations

import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from MultimodalImagingLib.errors import CrossModalError, UsageError
from MultimodalImagingLib.record.atomic_files import is_writable_folder

# Hidden, so that nobody takes one for a finished folder.
_UNFINISHED, _REPLACED = ".unfinished-", ".replaced-"
_TOKEN_LENGTH = 8


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Give a folder to fill, and put it in the place of the target when it is whole.

    If the body raises, nothing is left and an older folder of that name is untouched.

    Raises:
        CrossModalError: If the folder cannot be written.
    """
    token = secrets.token_hex(_TOKEN_LENGTH // 2)
    temporary = target.with_name(f"{_UNFINISHED}{token}-{target.name}")
    with _explained(target):
        try:
            temporary.mkdir(parents=True)
            yield temporary
            _exchange(temporary, target, target.with_name(f"{_REPLACED}{token}-{target.name}"))
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def check_can_hold_folders(parent: Path) -> None:
    """Refuse a place where no folder can be made, before hours of work are lost on it.

    Raises:
        UsageError: If the folder, or the first one above it that exists, cannot be written.
    """
    existing = next(path for path in (parent, *parent.absolute().parents) if path.exists())
    if not is_writable_folder(existing):
        reason = "may not be written" if existing.is_dir() else "is no folder"
        msg = (
            f"Results cannot be written to {parent}: {existing} {reason}. Choose another --output."
        )
        raise UsageError(msg)


def tidy_up(parent: Path, *, older_than_s: float = 86400.0) -> None:
    """Mend what killed processes left in a folder.

    Unfinished folders are removed. A folder that was about to be replaced gets its name back if
    its successor never arrived.

    Args:
        parent: The folder; nothing happens if it does not exist.
        older_than_s: Younger remains may belong to a process that still writes.
    """
    for path in sorted(parent.glob(".*")) if parent.is_dir() else []:
        prefix = next((p for p in (_UNFINISHED, _REPLACED) if path.name.startswith(p)), None)
        if prefix is None or time.time() - path.stat().st_mtime < older_than_s:
            continue
        target = parent / path.name[len(prefix) + _TOKEN_LENGTH + 1 :]
        if prefix == _REPLACED and not target.exists():
            path.rename(target)
        else:
            shutil.rmtree(path, ignore_errors=True)


def _exchange(new: Path, target: Path, aside: Path) -> None:
    if not target.exists():
        new.rename(target)
        return
    target.rename(aside)
    try:
        new.rename(target)
    except OSError:
        aside.rename(target)
        raise
    shutil.rmtree(aside, ignore_errors=True)


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        msg = (
            f"The folder {folder} cannot be written: {reason}. Nothing was changed there. Free"
            " space or choose another --output."
        )
        raise CrossModalError(msg) from error
