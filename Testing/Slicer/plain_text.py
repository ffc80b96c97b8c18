"""Texts of widgets as a user reads them."""

from __future__ import annotations

import html
import re
from typing import Any


def tool_tip(widget: Any) -> str:
    """Return a tool tip without the markup in which the application wraps long lines."""
    return html.unescape(re.sub(r"<[^>]*>", "", widget.toolTip.replace("<br>\n", "\n")))
