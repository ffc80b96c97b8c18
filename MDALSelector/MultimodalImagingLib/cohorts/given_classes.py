"""The classes that a cohort came with: the column `class` of its manifest, or `classes.csv`."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from MultimodalImagingLib.cohorts.cases import Cohort
from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.jobs.environment import same_name
from MultimodalImagingLib.jobs.texts import counted, listed
from MultimodalImagingLib.record.class_task import ClassTask

FILE_NAME = "classes.csv"
CLASS_COLUMN = "class"
# `uid` is what CART and SlicerCaseIterator call a case.
CASE_COLUMNS = ("case", "uid")


@dataclass(frozen=True)
class GivenClasses:
    """Classes per case.

    Attributes:
        of_case: Class per case that has one.
        problems: What is not used and why; full sentences.
    """

    of_case: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


def is_class_column(name: str) -> bool:
    """Tell whether a column of a manifest holds the class of every case."""
    return name.strip().lower() == CLASS_COLUMN


def given_texts(cohort: Cohort) -> dict[str, str]:
    """Return what the cohort says of the class of every case, as it is written.

    A file `classes.csv` in its folder comes before the column of the manifest.

    Raises:
        CohortError: If that file is no such table.
    """
    columns = {case.case_id: case.attributes for case in cohort.cases}
    return class_texts(columns, cohort.root)


def class_texts(columns: Mapping[str, Mapping[str, str]], root: Path) -> dict[str, str]:
    """Return what tables say of the class of every case, as it is written.

    Args:
        columns: What the manifest says per case, by column.
        root: Folder of the cohort; its file `classes.csv` comes before the manifest.

    Raises:
        CohortError: If that file is no such table.
    """
    found = {
        case: text.strip()
        for case, cells in columns.items()
        for name, text in cells.items()
        if is_class_column(name) and text.strip()
    }
    table = root / FILE_NAME
    return found | (read_class_table(table) if table.is_file() else {})


def given_classes(cohort: Cohort, task: ClassTask) -> GivenClasses:
    """Return the classes that the cohort came with.

    Args:
        cohort: The cohort.
        task: Its classes.

    Raises:
        CohortError: If its file `classes.csv` is no such table.
    """
    return meant_classes(given_texts(cohort), task, [case.case_id for case in cohort.cases])


def meant_classes(
    texts: Mapping[str, str], task: ClassTask, case_ids: Iterable[str]
) -> GivenClasses:
    """Return what texts of a table mean.

    Args:
        texts: Text per case.
        task: The classes, whose names and values are understood.
        case_ids: Cases of the cohort.
    """
    known = {*case_ids}
    strange = sorted(case for case in texts if case not in known)
    meant = {case: task.meant(text) for case, text in texts.items() if case in known}
    unknown = Counter(texts[case] for case, name in meant.items() if name is None)
    problems = []
    if strange:
        problems.append(
            f"{counted(len(strange), 'case', 'has', 'have')} a class and no images:"
            f" {listed(strange)}. Correct their names."
        )
    if unknown:
        found = listed([f"{text} ({n})" for text, n in sorted(unknown.items())])
        problems.append(
            f"Expected a class of {', '.join(task.names)}, found {found}; these are not used. Add"
            " the class, or give its `value` in the task."
        )
    used = {case: name for case, name in sorted(meant.items()) if name is not None}
    return GivenClasses(used, tuple(problems))


def read_class_table(path: Path) -> dict[str, str]:
    """Read a CSV file with the columns `case` (or `uid`) and `class`.

    Returns:
        Text per case; cases without one are left out.

    Raises:
        CohortError: If it cannot be read, has other columns, or gives a case two classes.
    """
    rows = _rows(path)
    header = [cell.strip().lower() for cell in rows[0]] if rows else []
    case_column = next((name for name in CASE_COLUMNS if name in header), None)
    if case_column is None or CLASS_COLUMN not in header:
        msg = (
            f"Expected the columns `case` and `class` in {path}, found"
            f" {', '.join(header) or 'nothing'}. Correct the first line."
        )
        raise CohortError(msg)
    return _texts(path, rows[1:], header.index(case_column), header.index(CLASS_COLUMN))


def _texts(path: Path, rows: Sequence[Sequence[str]], case: int, of_class: int) -> dict[str, str]:
    found: dict[str, str] = {}
    for row in rows:
        if len(row) <= max(case, of_class) or not row[of_class].strip():
            continue
        name, text = same_name(row[case].strip()), row[of_class].strip()
        if found.setdefault(name, text) != text:
            msg = (
                f"Expected one class for case {name} in {path}, found {found[name]} and {text}."
                " Keep one line."
            )
            raise CohortError(msg)
    return found


def _rows(path: Path) -> list[list[str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        first = text.split("\n", 1)[0]
        delimiter = max(",;\t", key=first.count)
        rows = list(csv.reader(text.splitlines(), delimiter=delimiter))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        msg = f"The table {path} cannot be read ({error}). Save it as CSV (UTF-8)."
        raise CohortError(msg) from error
    return [row for row in rows if any(cell.strip() for cell in row)]
