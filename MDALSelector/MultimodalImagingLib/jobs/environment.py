"""What a process finds around it, and what it does where something usual is missing."""

from __future__ import annotations

import codecs
import contextlib
import faulthandler
import getpass
import os
import sys
import unicodedata
from pathlib import Path
from typing import TextIO

_ERRORS = "crossmodal"
# What tables and sentences use beyond ASCII.
_PLAIN = {"\xd7": "x", "\xb1": "+-", "\u2013": "-", "\u2026": "...", "\xb5": "u", "\u2265": ">="}


def user_name() -> str:
    """Return the login name; in a container without one the number of the user."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return f"user-{os.getuid()}" if hasattr(os, "getuid") else "user"


def provide_user_name() -> None:
    """Give libraries a name that ask for it as they are imported, as torch and monai do."""
    names = ("LOGNAME", "USER", "LNAME", "USERNAME")
    if not any(os.environ.get(name) for name in names):
        os.environ["USER"] = user_name()


def core_count() -> int:
    """Return how many cores this process may use; at least 1."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def same_name(name: str) -> str:
    """Return a name in the one form (NFC) in which names of cases are compared.

    Keyboards and disks write the same letter as one character or as letter and accent.
    """
    return unicodedata.normalize("NFC", name)


def home_folder() -> Path | None:
    """Return the user's home folder; `None` if there is none, as in some containers."""
    try:
        home = Path.home()
    except (RuntimeError, KeyError):
        return None
    is_real = os.environ.get("HOME") != "" and home.is_absolute()
    return home if is_real else None


def make_streams_safe() -> None:
    """Let standard output and error replace what their encoding lacks in place of failing."""
    codecs.register_error(_ERRORS, _replaced)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=_ERRORS)


def explain_crashes() -> None:
    """Let a crash in native code say on standard error in which line of Python it happened."""
    if not faulthandler.is_enabled():
        with contextlib.suppress(RuntimeError, OSError, ValueError):  # no such stream
            faulthandler.enable()


def is_unicode(stream: TextIO) -> bool:
    """Tell whether a stream can hold every character."""
    return (getattr(stream, "encoding", None) or "").lower().replace("-", "").startswith("utf")


def _replaced(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    plain = "".join(_PLAIN.get(c, c.encode("ascii", "backslashreplace").decode()) for c in text)
    return plain, error.end
