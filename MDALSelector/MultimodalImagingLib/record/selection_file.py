"""The file `selection.json` of a selection run: its envelope, and which cases it suggests.

What is inside is the business of the selection engine; code that only needs the suggested
cases reads them here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.record.atomic_files import write_json
from MultimodalImagingLib.record.json_entry import json_value

JSON_NAME = "selection.json"
FORMAT = "CrossModal selection"
FORMAT_VERSION = 1


def write_selection_content(run: Path, content: Mapping[str, Any]) -> None:
    """Write the content of a selection with its checksum into the folder of a run.

    Raises:
        CrossModalError: If the file cannot be written; an older one is then untouched.
    """
    document = {"format": FORMAT, "version": FORMAT_VERSION, "selection": content}
    write_json(run / JSON_NAME, document | {"sha256": _digest(content)})


def read_selection_content(run: Path) -> dict[str, Any]:
    """Read the content of a selection and check that it is whole and unchanged.

    Raises:
        CohortError: If the run has no selection, or it is truncated, changed, or of a version that
            this program does not know.
    """
    path = run / JSON_NAME
    document = _read_document(path)
    _check_version(path, document)
    content = document.get("selection")
    if not isinstance(content, dict) or document.get("sha256") != _digest(content):
        msg = (
            f"{path} was changed or damaged after the run: its content does not fit its checksum."
            " Restore the file, or run the selection again."
        )
        raise CohortError(msg)
    return content


def suggested_cases(run: Path) -> tuple[str, ...]:
    """Return the cases that a run suggests to label, in its order.

    Raises:
        CohortError: If the run cannot be read.
    """
    return _cases_with(run, "suggested")


def cases_labelled_before(run: Path) -> tuple[str, ...]:
    """Return the cases that counted as labeled when a run was made, in its order.

    Raises:
        CohortError: If the run cannot be read.
    """
    return _cases_with(run, "labelled")


def _cases_with(run: Path, key: str) -> tuple[str, ...]:
    content = read_selection_content(run)
    try:
        cases = sorted((int(c["rank"]), str(c["case"]), c[key] is True) for c in content["cases"])
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        msg = (
            f"Expected a ranking in {run / JSON_NAME}, but a part is missing or wrong"
            f" ({type(error).__name__}: {error}). Run the selection again."
        )
        raise CohortError(msg) from error
    return tuple(case_id for _, case_id, is_wanted in cases if is_wanted)


def _read_document(path: Path) -> dict[str, Any]:
    try:
        document = json_value(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        msg = (
            f"Expected the folder of a selection run, but there is no {path}. Give the folder that"
            " `mdal-selector select` wrote (its option --output)."
        )
        raise CohortError(msg) from error
    except (OSError, ValueError) as error:
        msg = (
            f"{path} cannot be read: it is truncated or not what this program wrote ({error})."
            " Restore the file, or run the selection again."
        )
        raise CohortError(msg) from error
    return document if isinstance(document, dict) else {}


def _check_version(path: Path, document: Mapping[str, Any]) -> None:
    found_format, found_version = document.get("format"), document.get("version")
    if found_format != FORMAT:
        msg = (
            f"Expected a '{FORMAT}' in {path}, got {found_format!r}. Give the folder that"
            " `mdal-selector select` wrote (its option --output)."
        )
        raise CohortError(msg)
    if found_version != FORMAT_VERSION:
        msg = (
            f"Expected version {FORMAT_VERSION} of the format in {path}, got {found_version!r}."
            " Use the version of CrossModal that wrote it, or run the selection again."
        )
        raise CohortError(msg)


def _digest(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
