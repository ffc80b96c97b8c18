"""Identifiers of a page are unique: a figure is drawn into the first element that has its own."""

from __future__ import annotations

from collections import Counter
from html.parser import HTMLParser


def repeated_ids(page: str) -> list[str]:
    """Return the identifiers that several elements of a page share.

    Args:
        page: HTML.
    """
    parser = _Ids()
    parser.feed(page)
    assert parser.found, "no element has an identifier: is this a page?"
    return [name for name, count in Counter(parser.found).items() if count > 1]


class _Ids(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if name == "id"]
