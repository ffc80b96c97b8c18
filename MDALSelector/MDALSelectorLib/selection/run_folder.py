"""The folder of a selection run: written whole, read with suspicion.

`selection.json` is the run; `selection.csv` is the same ranking for users and spreadsheets and is
never read back; `embeddings.safetensors` holds the embeddings; `thumbnails/` the pictures;
`maps/<case>/` the local PMI of the same cases, nats per position, one file per pair. The same run
gives the same bytes: no time stamps, sorted keys, fixed number formats.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt

from MDALSelectorLib.selection.case_columns import (
    content_from_selection,
    rounded_numbers,
    selection_from_content,
)
from MDALSelectorLib.selection.case_selection import CaseSelection
from MDALSelectorLib.selection.diagnostics import Pair
from MultimodalImagingLib.errors import CohortError, CrossModalError
from MultimodalImagingLib.images.arrays import FloatingArray
from MultimodalImagingLib.record.atomic_files import is_unfinished, write_text
from MultimodalImagingLib.record.json_entry import json_value
from MultimodalImagingLib.record.ownership import KNOWN, Ownership, Written, check_own, is_own_file
from MultimodalImagingLib.record.selection_file import (
    FORMAT_VERSION,
    JSON_NAME,
    read_selection_content,
    write_selection_content,
)
from MultimodalImagingLib.record.tensor_file import read_tensors, write_tensors

CSV_NAME = "selection.csv"
EMBEDDINGS_NAME = "embeddings.safetensors"
CLASS_COLUMNS = ("class", "draft class", "draft probability")
THUMBNAILS_NAME = "thumbnails"
# Height of a row of a picture; a second row lies below the first.
THUMBNAIL_PIXELS = 160
MAPS_NAME = "maps"
LOG_NAME = "log.jsonl"
REPORT_NAME = "report.html"
# Pages of older versions are known by their title.
_PAGE_MARKS = (b'content="CrossModal mdal-selector report"', b"<title>Which cases to label next: ")

_WRONG_CONTENT = (KeyError, TypeError, ValueError, AttributeError, OverflowError)


def write_selection(run: Path, selection: CaseSelection) -> None:
    """Write `selection.csv` and `selection.json` into the folder of a run.

    Args:
        run: The folder; created if needed.
        selection: What came out.

    Raises:
        CrossModalError: If a file cannot be written; older files are then untouched.
    """
    run.mkdir(parents=True, exist_ok=True)
    content = content_from_selection(selection)
    write_text(run / CSV_NAME, selection_csv(selection))
    write_selection_content(run, content)


def read_selection(run: Path) -> CaseSelection:
    """Read the selection of a run and check that it is whole and unchanged.

    Raises:
        CohortError: If the run has no selection, or it is truncated, changed, or of a version that
            this program does not know.
    """
    content = read_selection_content(run)
    try:
        return selection_from_content(content)
    except (CrossModalError, *_WRONG_CONTENT) as error:
        msg = (
            f"Expected a selection of version {FORMAT_VERSION} in {run / JSON_NAME}, but a part is"
            f" missing or wrong ({type(error).__name__}: {error}). Run the selection again."
        )
        raise CohortError(msg) from error


def selection_csv(selection: CaseSelection) -> str:
    """Return the ranking as a table (RFC 4180, UTF-8): one row per case, by rank."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(
        ["rank", "case", "patient", "suggested", "labelled"]
        + [measure.title for measure in selection.known_measures]
        + [f"PMI {a}-{b} (nats)" for a, b in selection.pairs]
        + (list(CLASS_COLUMNS) if selection.classes is not None else [])
        + ["flags", "reason"]
    )
    for case in selection.cases:
        writer.writerow(
            [case.rank, case.case_id, case.patient_id]
            + ["yes" if is_so else "no" for is_so in (case.suggested, case.labelled)]
            + [_fixed(case.measures.get(measure.name)) for measure in selection.known_measures]
            + [_fixed(case.pmi.get(pair)) for pair in selection.pairs]
            + _class_cells(selection, case.case_id)
            + ["; ".join(f"{flag.kind}: {flag.reason}" for flag in case.flags), case.reason]
        )
    return text.getvalue()


def _class_cells(selection: CaseSelection, case_id: str) -> list[str]:
    """Return class, draft and its probability; nothing for a cohort to segment."""
    if selection.classes is None:
        return []
    draft = selection.classes.drafts.get(case_id)
    given = selection.classes.given.get(case_id, "")
    return [given, *(("", "") if draft is None else (draft.name, _fixed(draft.probability)))]


def write_embeddings(
    run: Path, embeddings: Mapping[str, FloatingArray], *, case_ids: Sequence[str]
) -> None:
    """Write `embeddings.safetensors` (float32) into the folder of a run.

    Args:
        run: The folder; created if needed.
        embeddings: Embedding per case and name (`"fused"`, modalities), `(n_cases, n_features)`.
        case_ids: The case of every row.

    Raises:
        ValueError: If a matrix has another number of rows.
        CrossModalError: If the file cannot be written.
    """
    wrong = {k: v.shape for k, v in embeddings.items() if v.ndim != 2 or len(v) != len(case_ids)}
    if wrong:
        msg = f"Expected matrices with {len(case_ids)} rows, got shapes {wrong}."
        raise ValueError(msg)
    tensors = {name: np.asarray(values, dtype=np.float32) for name, values in embeddings.items()}
    header = {"case_ids": list(case_ids), "version": FORMAT_VERSION}
    write_tensors(run / EMBEDDINGS_NAME, tensors, header)


def read_embeddings(run: Path) -> tuple[tuple[str, ...], dict[str, npt.NDArray[np.float32]]]:
    """Read the case of every row, and the embeddings by name.

    Raises:
        CohortError: If the file is absent, damaged, or of an unknown version.
    """
    path = run / EMBEDDINGS_NAME
    try:
        header, tensors = read_tensors(path)
        if header["version"] != FORMAT_VERSION:
            msg = f"version {header['version']!r}, this program reads {FORMAT_VERSION}"
            raise ValueError(msg)
        return tuple(header["case_ids"]), tensors
    except (KeyError, ValueError, TypeError) as error:
        msg = (
            f"Expected the embeddings of a run in {path}, but the file cannot be read ({error})."
            " Run the selection again."
        )
        raise CohortError(msg) from error


def map_names(pairs: Iterable[Pair]) -> dict[Pair, str]:
    """Return the names of the files of maps in the folder of a case, numbered by all pairs."""
    parts = {pair: [re.sub(r"[^A-Za-z0-9]+", "-", name) for name in pair] for pair in pairs}
    return {
        pair: f"pmi_{number}_{first}_{second}.nii.gz"
        for number, (pair, (first, second)) in enumerate(parts.items(), start=1)
    }


def map_places(thumbnail: str, pairs: Iterable[Pair]) -> dict[Pair, str]:
    """Return the place in a run that the map of every pair of a case has, if it is written.

    Args:
        thumbnail: Name of the picture of the case.
        pairs: All pairs of the selection, in its order.
    """
    folder = f"{MAPS_NAME}/{Path(thumbnail).stem}"
    return {pair: f"{folder}/{name}" for pair, name in map_names(pairs).items()}


def check_run_folder(run: Path) -> None:
    """Refuse to write a run into a folder that holds anything but an earlier run.

    Raises:
        UsageError: If it does.
    """
    check_own(run, RUN)


def remove_pictures(run: Path) -> None:
    """Remove pictures and maps of an earlier run of a folder; other files are replaced singly."""
    for name in RUN.written(run) or ():
        if name.startswith((f"{THUMBNAILS_NAME}/", f"{MAPS_NAME}/")) or is_unfinished(Path(name)):
            (run / name).unlink(missing_ok=True)
    for folder in (run / MAPS_NAME).glob("*"):
        if folder.is_dir() and not folder.is_symlink() and not any(folder.iterdir()):
            folder.rmdir()


def is_page(data: bytes) -> bool:
    """Tell whether the content of a file is a page of this program."""
    return any(mark in data[:4096] for mark in _PAGE_MARKS)


def _fixed(value: float | None) -> str:
    """Round as the JSON does before the four decimals, so that a run read back is written alike."""
    return "" if value is None else f"{round(rounded_numbers(float(value)), 4) + 0.0:.4f}"


def _files_of_run(run: Path) -> Written | None:
    """Return the files of a run, each known by its content; `None` if it has no log of ours."""
    log = run / LOG_NAME
    if not log.is_file() or log.is_symlink() or not is_own_file(log, _is_log):
        return None
    names = [LOG_NAME]
    names += [p.relative_to(run).as_posix() for p in run.rglob(".*") if is_unfinished(p)]
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
        for name in pictures:
            names += map_places(name, selection.pairs).values()
        table = selection_csv(selection).encode()
        if is_own_file(run / CSV_NAME, lambda data: data == table):
            names.append(CSV_NAME)
    return dict.fromkeys(names, KNOWN)


def _is_log(data: bytes) -> bool:
    try:
        first = json_value(data.split(b"\n", 1)[0])
    except ValueError:
        return False
    return isinstance(first, dict) and {"time_s", "event"} <= first.keys()


RUN = Ownership("a run of `mdal-selector select`", LOG_NAME, _files_of_run)
