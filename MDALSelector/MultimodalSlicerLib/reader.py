"""Who reads on this computer: a short name, kept per user in the settings of the application.

Must not import Qt.
"""

from __future__ import annotations

import slicer

from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.record.readers import checked_reader, default_reader

_KEY = "CrossModal/Reader"


def currentReader() -> str:
    """Return the reader that was named last; the login name before."""
    application = getattr(slicer, "app", None)  # a script may run without it
    value = None if application is None else application.settings().value(_KEY)
    try:
        return checked_reader(value) if isinstance(value, str) else default_reader()
    except UsageError:  # edited by hand
        return default_reader()


def nameReader(name: str) -> str:
    """Keep the name of a reader, and return it in the form in which names are compared.

    Raises:
        UsageError: If it cannot be the name of a reader. The former one stays.
    """
    reader = checked_reader(name)
    slicer.app.settings().setValue(_KEY, reader)
    return reader
