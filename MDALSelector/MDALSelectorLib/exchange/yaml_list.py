"""The only kind of YAML that SlicerCART writes: one key with a list of texts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence

HEAD = "CASES:"
# SlicerCART drops it when it writes a list itself.
OWN_START = "# Written by CrossModal; SlicerCART writes its own in its place."
# Escapes that JSON does not have: PyYAML writes `\xC4`, `\U0001F600`, and `\_` for a hard blank.
_ESCAPE = re.compile(r"\\(?:x(?P<two>[0-9A-Fa-f]{2})|U(?P<eight>[0-9A-Fa-f]{8})|(?P<blank>_)|.)")


def list_text(names: Sequence[str]) -> str:
    """Write a list as YAML; a text in JSON is one in YAML."""
    if not names:
        return f"{OWN_START}\n{HEAD} []\n"
    return "".join([f"{OWN_START}\n{HEAD}\n", *(f"- {json.dumps(name)}\n" for name in names)])


def listed_texts(text: str) -> list[str]:
    """Read a list.

    Raises:
        ValueError: If it is of another kind.
    """
    lines = _unfolded(line for line in text.splitlines() if _counts(line))
    head = lines.pop(0) if lines else ""
    if head.strip() not in (HEAD, f"{HEAD} []"):
        msg = f"it does not begin with {HEAD}"
        raise ValueError(msg)
    return [_entry(line) for line in lines]


def _counts(line: str) -> bool:
    return line.strip() not in ("", "---") and not line.startswith("#")


def _unfolded(lines: Iterable[str]) -> list[str]:
    """Join entries that are continued: the next line is indented, and begins no entry."""
    found: list[str] = []
    for line in lines:
        text = line.strip()
        if len(found) < 2 or line[:1] != " " or text.startswith("- "):
            found.append(line.rstrip())
        elif found[-1].endswith("\\"):  # of a text in double quotes
            found[-1] = found[-1][:-1] + text.removeprefix("\\")
        else:
            found[-1] += f" {text}"
    return found


def _entry(line: str) -> str:
    item = line.strip()
    if not item.startswith("- "):
        msg = f"{item!r} is no entry of a list"
        raise ValueError(msg)
    item = item[2:].strip()
    if item.startswith('"'):
        return str(json.loads(_ESCAPE.sub(_json_escape, item)))
    return item[1:-1].replace("''", "'") if item.startswith("'") else item


def _json_escape(found: re.Match[str]) -> str:
    code = found["two"] or found["eight"] or (found["blank"] and "a0")
    return json.dumps(chr(int(code, 16)))[1:-1] if code else found[0]
