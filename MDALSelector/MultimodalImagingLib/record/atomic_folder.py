"""Folders that are either whole or not there: filled beside the target, then renamed."""

from __future__ import annotations

import json
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.record.atomic_files import (
    ABANDONED_S,
    explained_writing,
    is_writable_folder,
)
from MultimodalImagingLib.record.json_entry import json_value
from MultimodalImagingLib.record.ownership import Ownership, check_own, is_free

# Hidden, so that it is not taken for a finished folder. It holds `new`, for a moment `old`, and a
# marker, without which nothing of that name is ever removed.
_UNFINISHED = ".unfinished-"
_ADVICE = "Nothing was changed there. Free space or choose another --output."
_MARKER, _NEW, _OLD = ".crossmodal-unfinished", "new", "old"


@contextmanager
def new_folder(target: Path, *, replaces: Ownership | None = None) -> Iterator[Path]:
    """Give a folder to fill, and put it in the place of the target when it is whole.

    If the body raises, nothing is left and an older folder of that name is untouched.

    Args:
        target: The folder.
        replaces: What an older folder must be to be replaced; it is looked at again at the very
            end. `None` to replace none.

    Raises:
        UsageError: If something is there that may not be replaced.
        CrossModalError: If the folder cannot be written.
    """
    token = secrets.token_hex(4)
    work = target.with_name(f"{_UNFINISHED}{token}-{target.name}")
    with explained_writing(f"The folder {target}", _ADVICE):
        work.mkdir(parents=True)
        try:
            (work / _MARKER).write_text(json.dumps({"token": token, "target": target.name}))
            (work / _NEW).mkdir()
            yield work / _NEW
            _exchange(work, target, replaces)
        finally:
            _remove_work(work, target)


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


def tidy_up(parent: Path) -> None:
    """Mend what killed processes left in a folder.

    Unfinished folders are removed. A folder that was about to be replaced gets its name back if
    its successor never arrived. Folders of such a name without the marker are left alone.

    Args:
        parent: The folder; nothing happens if it does not exist.
    """
    for work in sorted(parent.glob(f"{_UNFINISHED}*")) if parent.is_dir() else []:
        target = _target_of(work)
        if target is not None and time.time() - work.stat().st_mtime >= ABANDONED_S:
            _remove_work(work, target)


def _exchange(work: Path, target: Path, replaces: Ownership | None) -> None:
    if is_free(target):
        if target.is_dir():
            target.rmdir()
        (work / _NEW).rename(target)
        return
    if replaces is None:
        msg = f"{target} exists already and was left as it is. Choose another folder."
        raise UsageError(msg)
    check_own(target, replaces)
    target.rename(work / _OLD)
    (work / _NEW).rename(target)  # if it fails, `_remove_work` gives the old one its name back


def _remove_work(work: Path, target: Path) -> None:
    """Remove a folder that `new_folder` made; what it was about to replace goes back."""
    if (work / _OLD).exists() and not target.exists():
        (work / _OLD).rename(target)
    shutil.rmtree(work, ignore_errors=True)


def _target_of(work: Path) -> Path | None:
    """Return what an unfinished folder was to become; `None` if no program of ours made it."""
    try:
        content = json_value((work / _MARKER).read_text())
        target = work.with_name(content["target"])
        is_own = work.name == f"{_UNFINISHED}{content['token']}-{content['target']}"
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return target if is_own and not work.is_symlink() else None
