"""JSON that was not written here: whatever is wrong with it is a `ValueError`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any


def json_value(
    text: str | bytes,
    *,
    pairs_hook: Callable[[list[tuple[str, Any]]], Any] | None = None,
    constant_hook: Callable[[str], Any] | None = None,
) -> Any:
    """Parse JSON.

    Args:
        text: The JSON.
        pairs_hook: Turns the entries of an object into its value; `None` for a dictionary.
        constant_hook: Gets `NaN`, `Infinity` and `-Infinity`; `None` to accept them.

    Raises:
        ValueError: If it is no JSON, no text, or nested deeper than Python can follow.
    """
    try:
        value = json.loads(text, object_pairs_hook=pairs_hook, parse_constant=constant_hook)
        if (b"\\ud" if isinstance(text, bytes) else "\\ud") in text.lower():  # type: ignore[operator]
            json.dumps(value, ensure_ascii=False).encode()  # half a character is a ValueError
        return value
    except RecursionError as error:
        msg = "it is nested too deeply"
        raise ValueError(msg) from error


def json_keys(text: str | bytes) -> set[str]:
    """Return the keys of a JSON object; none if the text is no JSON or something else."""
    try:
        value = json_value(text)
    except ValueError:
        return set()
    return set(value) if isinstance(value, dict) else set()
