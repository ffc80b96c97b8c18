"""The folder of a selection run: written whole, read with suspicion.

`selection.json` is the run; `selection.csv` is the same ranking for users and spreadsheets and is
never read back; `embeddings.safetensors` holds the embeddings; `thumbnails/` the pictures. The same
run gives the same bytes: no time stamps, sorted keys, fixed number formats.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from MDALSelectorLib.case_flags import Flag
from MDALSelectorLib.selection.case_selection import CaseSelection, RankedCase
from MDALSelectorLib.selection.selection_json import (
    content_from_selection,
    rounded_numbers,
    selection_from_content,
)
from MultimodalImagingLib.errors import CohortError, CrossModalError
from MultimodalImagingLib.record.atomic_files import write_text
from MultimodalImagingLib.record.selection_file import (
    FORMAT_VERSION,
    JSON_NAME,
    read_selection_content,
    write_selection_content,
)
from MultimodalImagingLib.record.tensor_file import read_tensors, write_tensors

__all__ = [
    "CSV_NAME",
    "EMBEDDINGS_NAME",
    "JSON_NAME",
    "LOG_NAME",
    "THUMBNAILS_NAME",
    "CaseSelection",
    "Flag",
    "RankedCase",
    "read_embeddings",
    "read_selection",
    "write_embeddings",
    "write_selection",
]

CSV_NAME = "selection.csv"
EMBEDDINGS_NAME = "embeddings.safetensors"
THUMBNAILS_NAME = "thumbnails"
LOG_NAME = "log.jsonl"

_WRONG_CONTENT = (KeyError, TypeError, ValueError, AttributeError, OverflowError)

FloatArray = npt.NDArray[np.floating]


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
        ["rank", "case", "patient", "suggested", "labelled", "modality difference"]
        + [f"PMI {a}-{b} (nats)" for a, b in selection.pairs]
        + ["flags", "reason"]
    )
    for case in selection.cases:
        writer.writerow(
            [case.rank, case.case_id, case.patient_id]
            + [_yes_or_no(case.suggested), _yes_or_no(case.labelled)]
            + [_fixed(case.modality_difference)]
            + [_fixed(case.pmi.get(pair)) for pair in selection.pairs]
            + ["; ".join(f"{flag.kind}: {flag.reason}" for flag in case.flags), case.reason]
        )
    return text.getvalue()


def write_embeddings(
    run: Path, embeddings: Mapping[str, FloatArray], *, case_ids: Sequence[str]
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


def _fixed(value: float | None) -> str:
    """Round as the JSON does before the four decimals, so that a run read back is written alike."""
    return "" if value is None else f"{round(rounded_numbers(float(value)), 4) + 0.0:.4f}"


def _yes_or_no(value: bool) -> str:
    return "yes" if value else "no"
