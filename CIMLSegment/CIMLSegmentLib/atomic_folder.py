"""Folders that are either whole or not there: filled beside the target, then renamed."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from MultimodalImagingLib.errors import CrossModalError

# Hidden, so that nobody takes one for a finished folder.
_UNFINISHED, _REPLACED = ".unfinished-", ".replaced-"


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Give a folder to fill, and put it in the place of the target when it is whole.

    If the body raises, nothing is left and an older folder of that name is untouched.

    Raises:
        CrossModalError: If the folder cannot be written.
    """
    token = secrets.token_hex(4)
    temporary = target.with_name(f"{_UNFINISHED}{token}-{target.name}")
    with _explained(target):
        try:
            temporary.mkdir(parents=True)
            yield temporary
            _exchange(temporary, target, target.with_name(f"{_REPLACED}{token}-{target.name}"))
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


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
