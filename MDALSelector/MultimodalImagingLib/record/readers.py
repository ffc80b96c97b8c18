"""Readers: short names of people who label. Two spellings in other capitals are one reader."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from urllib.parse import quote

from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.jobs.environment import user_name

LONGEST = 40
_LONGEST_ENCODED = (
    180  # bytes of the name of a file, in which a letter that is not ASCII takes 6 to 12
)
# Names of files that are no reader's; see `cohorts/reader_labels.py`.
CONSENSUS = "consensus"
BLINDED_MARK = "~"


def default_reader() -> str:
    """Return the login name, in the form of a reader's."""
    plain = "".join(" " if _is_refused(letter) else letter for letter in user_name())
    name = " ".join(plain.split())[:LONGEST].strip()
    while _is_long(name):
        name = name[:-1].strip()
    return f"{name} 1" if name.casefold() == CONSENSUS else name or "reader"


def checked_reader(name: str) -> str:
    """Return the name of a reader in the form in which names are compared.

    Raises:
        UsageError: If it is empty, too long, or has characters that no name of a reader may have.
    """
    plain = unicodedata.normalize("NFC", " ".join(name.split()))
    if not plain or len(plain) > LONGEST or _is_long(plain):
        msg = (
            f"Expected the short name of a reader, 1 to {LONGEST} characters (fewer of those that"
            f" are not Latin), got {name!r:.60}. Use initials or a login name."
        )
        raise UsageError(msg)
    if any(map(_is_refused, plain)) or plain.casefold() == CONSENSUS:
        msg = f"{plain!r} cannot be the name of a reader. Use initials or a login name."
        raise UsageError(msg)
    return plain


def is_same_reader(one: str, other: str) -> bool:
    """Tell whether two names are those of one reader, for some disks do not tell capitals apart."""
    return one.casefold() == other.casefold()


def spelling_of(reader: str, known: Iterable[str]) -> str:
    """Return how a reader is spelled among known ones; as given if it is a new one."""
    return next((name for name in known if is_same_reader(name, reader)), reader)


def _is_long(name: str) -> bool:
    return len(quote(name)) > _LONGEST_ENCODED


def _is_refused(letter: str) -> bool:
    return letter in f"{BLINDED_MARK}/\\" or unicodedata.category(letter) in ("Cc", "Cs")
