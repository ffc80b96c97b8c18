"""Layout: CSV manifest with the columns `case`, one per modality, and optional further ones."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath

from MultimodalImagingLib.cohorts.cases import FoundFile, Listing, Problem
from MultimodalImagingLib.cohorts.folders import is_hidden, list_folder
from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.images.stored_image import image_suffix

NAME = "CSV manifest"
LOOKED_FOR = "a CSV file with the column `case` and one column of image files per modality"

_CASE, _PATIENT, _LABEL = "case", "patient", "label"


@dataclass(frozen=True)
class _Table:
    """The content of a manifest: stripped cells by the header as it is written."""

    header: tuple[str, ...]
    rows: tuple[Mapping[str, str], ...]

    def column(self, name: str) -> str | None:
        return next((column for column in self.header if column.lower() == name), None)

    @property
    def image_columns(self) -> tuple[str, ...]:
        """Columns in which some cell names an image file."""
        special = {self.column(_CASE), self.column(_PATIENT), self.column(_LABEL)}
        return tuple(
            column
            for column in self.header
            if column not in special and any(image_suffix(Path(row[column])) for row in self.rows)
        )


def manifests(root: Path) -> list[Path]:
    """Find the CSV files of a folder that are manifests; others are no business of ours."""
    found = []
    for path in list_folder(root, []):
        if path.suffix.lower() == ".csv" and path.is_file() and not is_hidden(path):
            try:
                table = _read(path)
            except CohortError:
                continue
            if table.column(_CASE) is not None and table.image_columns:
                found.append(path)
    return found


def list_cases(path: Path) -> Listing:
    """List the cases of a manifest; paths in it are relative to its folder.

    Raises:
        CohortError: If the file is no manifest.
    """
    table = _read(path)
    case_column = table.column(_CASE)
    if case_column is None or not table.image_columns:
        columns = ", ".join(table.header) or "no columns"
        msg = (
            f"Expected the column `case` and a column of image files per modality in {path}, found"
            f" {columns}. Correct the header, or check the file names in the table."
        )
        raise CohortError(msg)
    problems: list[Problem] = []
    numbered = _rows_with_case(path, table, case_column, problems)
    files = [file for case_id, row in numbered for file in _files(path.parent, table, case_id, row)]
    problems += _drives(table, numbered)
    patient, label = table.column(_PATIENT), table.column(_LABEL)
    used = (case_column, patient, label, *table.image_columns)
    further = [column for column in table.header if column not in used]
    return Listing(
        NAME,
        path.parent,
        tuple(case_id for case_id, _ in numbered),
        tuple(files),
        tuple(problems),
        {case_id: row[patient] for case_id, row in numbered if patient and row[patient]},
        {case_id: {column: row[column] for column in further} for case_id, row in numbered},
        table.image_columns,
    )


def _read(path: Path) -> _Table:
    try:
        text = path.read_text(encoding="utf-8-sig")
        if "\0" in text:  # no file name can hold it, and no spreadsheet writes it
            msg = "it holds the character NUL"
            raise ValueError(msg)
        first = text.split("\n", 1)[0]
        delimiter = max(",;\t", key=first.count)
        lines = [line for line in csv.reader(text.splitlines(), delimiter=delimiter) if any(line)]
    except (OSError, ValueError, csv.Error) as error:
        msg = f"The manifest {path} cannot be read as UTF-8 text ({error}). Save it as CSV (UTF-8)."
        raise CohortError(msg) from error
    header = tuple(cell.strip() for cell in lines[0]) if lines else ()
    if len({column.lower() for column in header}) < len(header):
        msg = f"Expected every column of {path} once, found {', '.join(header)}. Rename columns."
        raise CohortError(msg)
    rows = [[cell.strip() for cell in line] for line in lines[1:]]
    padded = [line + [""] * (len(header) - len(line)) for line in rows]
    return _Table(header, tuple(dict(zip(header, line, strict=False)) for line in padded))


def _rows_with_case(
    path: Path, table: _Table, case_column: str, problems: list[Problem]
) -> list[tuple[str, Mapping[str, str]]]:
    numbered = []
    for number, row in enumerate(table.rows, start=2):
        if row[case_column]:
            numbered.append((row[case_column], row))
        else:
            message = (
                f"Expected a case in row {number} of {path.name}, found an empty cell; the row is"
                " not used. Fill it in, or delete the row."
            )
            problems.append(Problem("error", message, None, path))
    return numbered


def _files(folder: Path, table: _Table, case_id: str, row: Mapping[str, str]) -> list[FoundFile]:
    label_column = table.column(_LABEL)
    files = [
        FoundFile(case_id, _path(folder, row[column]), column, column)
        for column in table.image_columns
        if row[column]
    ]
    if label_column is not None and row[label_column]:
        files.append(FoundFile(case_id, _path(folder, row[label_column]), _LABEL, is_label=True))
    return files


def _path(folder: Path, text: str) -> Path:
    """Return the file that a cell names; a table from Windows has backslashes."""
    plain = folder / text
    if "\\" not in text or plain.exists():
        return plain
    return folder / PureWindowsPath(text).as_posix()


def _drives(table: _Table, numbered: Sequence[tuple[str, Mapping[str, str]]]) -> Iterator[Problem]:
    """Say which cells name a drive of Windows, where there are no drives."""
    columns = [*table.image_columns, *filter(None, [table.column(_LABEL)])]
    for case_id, row in numbered if os.name != "nt" else ():
        for text in (row[column] for column in columns if PureWindowsPath(row[column]).drive):
            message = (
                f"The manifest names {text}, on a drive of Windows that this computer does not"
                " have. Write paths relative to the folder of the manifest."
            )
            yield Problem("error", message, case_id)
