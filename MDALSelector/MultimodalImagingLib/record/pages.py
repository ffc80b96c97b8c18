"""HTML pages from templates, in one environment: every value is escaped and none is missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path


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
