"""Texts for users: parts of sentences, and pages from templates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

MINUS = "\N{MINUS SIGN}"


def listed(names: Sequence[str], *, most: int = 6, separator: str = ", ") -> str:
    """Write the first names of a list, and how many more there are: `a, b and 3 more`."""
    rest = len(names) - most
    return separator.join(names[:most]) + (f" and {rest} more" if rest > 0 else "")


def joined(names: Sequence[str]) -> str:
    """Join names as in a sentence: `a, b and c`."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def counted(n: int, noun: str, one: str = "", more: str = "") -> str:
    """Count things: `1 case`, `2 cases`; with what agrees with the number after them.

    Args:
        n: The number.
        noun: The thing, in the singular.
        one: What follows if it is one, for example `has`.
        more: What follows otherwise, for example `have`.
    """
    return f"{n} {noun} {one}".rstrip() if n == 1 else f"{n} {noun}s {more}".rstrip()


def decimals(value: float, digits: int = 2) -> str:
    """Write a number with so many decimals, a true minus sign and no negative zero."""
    return f"{round(float(value), digits) + 0.0:.{digits}f}".replace("-", MINUS)


# Up to so many seconds, a duration is told in multiples of so many.
_ROUNDING_S = ((60, 5), (300, 10), (1200, 60), (7200, 300), (36000, 600))
_FEW_S = 5


def rounded_duration(seconds: float) -> tuple[int, int, int]:
    """Round a duration as one would say it; returns hours, minutes and seconds, 0 for a few s."""
    unit = next((unit for limit, unit in _ROUNDING_S if seconds < limit), 3600)
    rounded = 0 if seconds <= _FEW_S else round(seconds / unit) * unit
    return rounded // 3600, rounded % 3600 // 60, rounded % 60


def duration_words(seconds: float) -> str:
    """Write a duration as one would say it: `about 1 min 40 s`, `a few seconds`."""
    numbers = zip(rounded_duration(seconds), ("h", "min", "s"), strict=True)
    words = [f"{number} {unit}" for number, unit in numbers if number]
    return f"about {' '.join(words)}" if words else "a few seconds"


def render_page(
    template: Path, values: Mapping[str, object], *, filters: Mapping[str, Callable[..., object]]
) -> str:
    """Fill a template.

    Args:
        template: File of the template.
        values: What it names; a name without a value raises.
        filters: Functions that it calls.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(template.parent, encoding="utf-8"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(filters)
    return environment.get_template(template.name).render(values)
