"""Files that are either whole or not there: written beside the target, synced, then renamed."""

from __future__ import annotations

import errno
import json
import os
import re
import secrets
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from MultimodalImagingLib.errors import CrossModalError, NoSpaceError

# What was not touched for longer belongs to no process that still writes.
ABANDONED_S = 86400.0
_ADVICE = (
    "An older version of the file is unchanged. Free space or get permission to write there, then"
    " try again."
)
# Hidden, so that a folder listing for images never takes one for an image.
_PREFIX = ".unfinished-"
# What network drives say that cannot sync a folder; the file in it is synced nevertheless.
_CANNOT_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EBADF, errno.EACCES, errno.EPERM)
# Tokens of `atomic_path`, and what is written into the folders that are tidied.
_TOKEN = re.compile(rf"{re.escape(_PREFIX)}[0-9a-f]{{8}}-.")
_UNFINISHED = re.compile(r"\.unfinished-[0-9a-f]{8}-.+\.(safetensors|json|jsonl)")


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file atomically; an old file of that name stays until the new one is whole.

    Raises:
        CrossModalError: If the file cannot be written; the old file is then untouched.
    """
    with explained_writing(str(path), _ADVICE), atomic_path(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file atomically, line ends as given.

    Raises:
        CrossModalError: If the file cannot be written; the old file is then untouched.
    """
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, content: object) -> None:
    """Write JSON atomically: sorted keys, shortest exact floats, so the same content is same bytes.

    Args:
        path: The file.
        content: What `json` takes, and also numpy scalars and paths.

    Raises:
        CrossModalError: If the file cannot be written; the old file is then untouched.
        ValueError: If the content holds NaN or an infinity, which JSON does not have.
    """
    text = json.dumps(
        content, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False, default=_plain_value
    )
    write_text(path, text + "\n")


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary path to a library that writes files itself, and rename it at the end.

    The temporary name ends with the whole name of the target, so every suffix is kept. If the body
    raises, the temporary file is removed and the target is untouched.

    Args:
        path: The target; where it is a symbolic link, the file that it points to is replaced.

    Raises:
        FileNotFoundError: If the body left no file.
    """
    target = path.resolve()
    temporary = target.with_name(f"{_PREFIX}{secrets.token_hex(4)}-{target.name}")
    try:
        yield temporary
        _sync(temporary)
        temporary.replace(target)
        _sync_folder(target.parent)
    finally:
        temporary.unlink(missing_ok=True)


def remove_unfinished_files(folder: Path) -> None:
    """Remove what killed processes left in a folder: files named like those of `atomic_path`.

    Sub-folders are not visited. Younger files may belong to a process that still writes.
    """
    for path in folder.glob(f"{_PREFIX}*"):
        is_ours = _UNFINISHED.fullmatch(path.name) and path.is_file() and not path.is_symlink()
        with suppress(FileNotFoundError):  # another process tidies up too
            if is_ours and time.time() - path.stat().st_mtime >= ABANDONED_S:
                path.unlink()


def is_unfinished(path: Path) -> bool:
    """Tell whether a file is named like those of `atomic_path`, which only a kill leaves behind."""
    return _TOKEN.match(path.name) is not None


def is_writable_folder(path: Path) -> bool:
    """Tell whether files can be created in a folder.

    A folder without any write permission counts as read-only also for the superuser, who could
    write nevertheless: whoever removed the permissions wanted to protect the data.
    """
    if not path.is_dir() or not path.stat().st_mode & 0o222:
        return False
    if os.name == "nt":  # `os.access` knows only the attribute there, not the access list
        return _can_create_file(path)
    return os.access(path, os.W_OK | os.X_OK)


@contextmanager
def explained_writing(what: str, advice: str) -> Iterator[None]:
    """Explain what the system says while something is written.

    Raises:
        CrossModalError: If it cannot be written; the text ends with the advice.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        msg = f"{what} cannot be written: {reason}. {advice}"
        raise writing_error(error)(msg) from error


def writing_error(error: OSError) -> type[CrossModalError]:
    """Return the kind of error for what the system said when something was written."""
    return NoSpaceError if error.errno in (errno.ENOSPC, errno.EDQUOT) else CrossModalError


def _plain_value(value: object) -> object:
    if isinstance(value, Path):
        return value.as_posix()
    item = getattr(value, "item", None)
    if callable(item):
        return item()
    msg = f"Expected a value that JSON can hold, got {type(value).__name__}."
    raise TypeError(msg)


def _sync(path: Path) -> None:
    with path.open("r+b") as file:
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # folders cannot be opened there, and renames are journaled
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in _CANNOT_SYNC:
            raise


def _can_create_file(folder: Path) -> bool:
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False
