"""How the folder of a selection run is recognized, so that another run may replace its files."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from MDALSelectorLib.report.page import REPORT_NAME, is_page
from MDALSelectorLib.selection.run_folder import (
    CSV_NAME,
    EMBEDDINGS_NAME,
    LOG_NAME,
    THUMBNAILS_NAME,
    read_embeddings,
    read_selection,
    selection_csv,
)
from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.record.json_entry import json_value
from MultimodalImagingLib.record.ownership import (
    KNOWN,
    Ownership,
    Written,
    check_own,
    is_own_file,
)
from MultimodalImagingLib.record.selection_file import JSON_NAME


def _written(run: Path) -> Written | None:
    """Return the files of a run, each known by its content; `None` if it has no log of ours."""
    log = run / LOG_NAME
    if not log.is_file() or log.is_symlink() or not is_own_file(log, _is_log):
        return None
    names = [LOG_NAME]
    if is_own_file(run / REPORT_NAME, is_page):
        names.append(REPORT_NAME)
    with suppress(CohortError):
        read_embeddings(run)
        names.append(EMBEDDINGS_NAME)
    with suppress(CohortError):
        selection = read_selection(run)
        names.append(JSON_NAME)
        pictures = [case.thumbnail for case in selection.cases if case.thumbnail is not None]
        names += [f"{THUMBNAILS_NAME}/{name}" for name in pictures]
        table = selection_csv(selection).encode()
        if is_own_file(run / CSV_NAME, lambda data: data == table):
            names.append(CSV_NAME)
    return dict.fromkeys(names, KNOWN)


def take_over_run(run: Path) -> None:
    """Remove the pictures of an earlier run of a folder; its other files are replaced one by one.

    Raises:
        UsageError: If the folder holds anything but an earlier run.
    """
    check_own(run, RUN)
    for name in RUN.written(run) or ():
        if name.startswith(f"{THUMBNAILS_NAME}/"):
            (run / name).unlink(missing_ok=True)


def _is_log(data: bytes) -> bool:
    try:
        first = json_value(data.split(b"\n", 1)[0])
    except ValueError:
        return False
    return isinstance(first, dict) and {"time_s", "event"} <= first.keys()


RUN = Ownership("a run of `mdal-selector select`", LOG_NAME, _written)
