"""Case names that can be used: each once, and fit to be the name of a file on every system."""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence

from MultimodalImagingLib.cohorts.cases import Problem

_FORBIDDEN = set('<>:"/\\|?*')
_MAX_LENGTH = 150


def usable_case_names(case_ids: Sequence[str]) -> tuple[tuple[str, ...], tuple[Problem, ...]]:
    """Split case names into those that can be used, and problems.

    Args:
        case_ids: Names as they were found, with repetitions.

    Returns:
        The usable names, sorted, and a problem for every other name. Names that differ only in
        upper and lower case are used, with a warning.
    """
    counts = Counter(case_ids)
    problems = [_repeated(name, n) for name, n in sorted(counts.items()) if n > 1]
    problems += [_unfit(name) for name in sorted(counts) if not _is_fit(name)]
    usable = tuple(name for name in sorted(counts) if counts[name] == 1 and _is_fit(name))
    alike: dict[str, list[str]] = defaultdict(list)
    for name in usable:
        alike[unicodedata.normalize("NFC", name).casefold()].append(name)
    problems += [_alike(names) for names in alike.values() if len(names) > 1]
    return usable, tuple(problems)


def _is_fit(name: str) -> bool:
    is_printable = all(character.isprintable() for character in name)
    has_good_ends = not name.startswith(".") and not name.endswith((".", " "))
    is_short = len(name.encode()) <= _MAX_LENGTH
    return is_printable and has_good_ends and is_short and not _FORBIDDEN & set(name)


def _repeated(name: str, n_found: int) -> Problem:
    message = (
        f"Expected every case once, found {n_found} of this name; none of them is used. Give every"
        " case a name of its own."
    )
    return Problem("error", message, name)


def _unfit(name: str) -> Problem:
    message = (
        f"Expected a case name that can be the name of a file, found {name!r}; the case is not"
        f" used. Rename it: no dot and no blank at its ends, none of"
        f" {' '.join(sorted(_FORBIDDEN))}, at most {_MAX_LENGTH} bytes."
    )
    return Problem("error", message, name)


def _alike(names: Sequence[str]) -> Problem:
    message = (
        f"The cases {' and '.join(names)} differ only in upper and lower case, which many computers"
        " cannot tell apart. Rename one of them."
    )
    return Problem("warning", message, names[0])
