"""Lists of cases as SlicerCART, SlicerCaseIterator and CART have them: written and read.

SlicerCART keeps two YAML files with names of image files, `working_list.yaml` and
`remaining_list.yaml`. SlicerCaseIterator reads a CSV file with a column per image and mask; the
names of its columns are what it proposes itself. CART reads a CSV file with a column `uid`.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PureWindowsPath

from MDALSelectorLib.exchange.yaml_list import OWN_START, list_text, listed_texts
from MultimodalImagingLib.cohorts.case_table import file_path
from MultimodalImagingLib.cohorts.cases import Case, Cohort
from MultimodalImagingLib.cohorts.labelled_cases import label_that_counts
from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.jobs.environment import same_name
from MultimodalImagingLib.jobs.texts import listed
from MultimodalImagingLib.record.atomic_files import write_text
from MultimodalImagingLib.record.cohort_record import CaseState, CohortRecord
from MultimodalImagingLib.record.ownership import check_own_files, is_own_file

WORKING, REMAINING = "working_list.yaml", "remaining_list.yaml"
# The state is only there to tell a table of this program from one that a user made.
_ITERATOR_HEAD = ("patient", "path", "image", "mask", "state")
_ID_COLUMNS = ("uid", "case", "patient", "id")
_DELIMITERS = (",", ";", "\t")  # spreadsheets of many countries write semicolons
_DONE = (CaseState.LABELLED, CaseState.SKIPPED)


@dataclass(frozen=True)
class CaseList:
    """A list that was read.

    Attributes:
        cases: The cases that it names, in its order.
        unknown: What it names that is no case of the cohort.
        n_masks: How many label files it names.
        repeated: The cases that it names more than once.
    """

    cases: tuple[str, ...]
    unknown: tuple[str, ...] = ()
    n_masks: int = 0
    repeated: tuple[str, ...] = ()


def write_case_iterator(cohort: Cohort, record: CohortRecord, file: Path, primary: str) -> None:
    """Write a table for SlicerCaseIterator; an older one is replaced.

    Args:
        cohort: The cohort.
        record: Its record, for the labels.
        file: The CSV file.
        primary: The modality that is the main image; the others are additional images.

    Raises:
        UsageError: If there is a file that is no such table.
        CrossModalError: If it cannot be written.
    """
    head = ",".join(_ITERATOR_HEAD).encode()
    check_own_files({file: lambda data: data.startswith(head)}, option="--case-iterator")
    others = [modality for modality in cohort.modalities if modality != primary]
    states = record.read_states()
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*_ITERATOR_HEAD, *others])
    for case in cohort.cases:
        label = label_that_counts(
            case.case_id, case.label, record, as_segmentation=True, states=states
        )
        images = [file_path(case.images.get(name)) or "" for name in (primary, *others)]
        root = str(cohort.root.absolute())
        own = (case.case_id, root, images[0], file_path(label) or "")
        writer.writerow([*own, str(states.of(case.case_id)), *images[1:]])
    write_text(file, text.getvalue())


def write_slicercart(cohort: Cohort, record: CohortRecord, folder: Path, primary: str) -> int:
    """Write the two lists of SlicerCART; older ones are replaced. Returns how many remain.

    Args:
        cohort: The cohort.
        record: Its record: cases that are labeled or skipped do not remain.
        folder: The output folder of SlicerCART.
        primary: The modality whose files are listed.

    Raises:
        UsageError: If a file is there that SlicerCART or somebody else has written, or if two
            images have one name, which SlicerCART cannot tell apart.
        CrossModalError: If they cannot be written.
    """
    files = {folder / WORKING: _is_yaml, folder / REMAINING: _is_yaml}
    _check_not_theirs(files)
    names = {case.case_id: case.images[primary].path.name for case in _with(cohort, primary)}
    twice = sorted(name for name, n in Counter(names.values()).items() if n > 1)
    if twice:
        msg = (
            f"SlicerCART knows cases by the names of their files, and several cases have a file"
            f" {listed(twice)}. Give the files names that differ, or use --case-iterator or --cart."
        )
        raise UsageError(msg)
    states = record.read_states()
    remaining = [name for case, name in names.items() if states.of(case) not in _DONE]
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / WORKING, list_text(sorted(names.values())))
    write_text(folder / REMAINING, list_text(sorted(remaining)))
    return len(remaining)


def _check_not_theirs(files: Mapping[Path, Callable[[bytes], bool]]) -> None:
    """Refuse to replace what SlicerCART has noted, above all which cases are done there.

    Raises:
        UsageError: If there is such a list.
    """
    theirs = [file for file, is_own in files.items() if not is_own_file(file, is_own)]
    if theirs:
        msg = (
            f"{listed([str(file) for file in theirs])} was written by SlicerCART or by somebody"
            " else, and says which cases are done there, so it was left as it is. Save the labels"
            " of SlicerCART, then move the list elsewhere, or choose another folder with"
            " --slicercart."
        )
        raise UsageError(msg)


def read_list(file: Path, cohort: Cohort) -> CaseList:
    """Read a list of one of the three programs.

    Args:
        file: A CSV file, or a YAML file of SlicerCART.
        cohort: The cohort whose cases it names.

    Raises:
        UsageError: If it cannot be read, or names no case of the cohort.
    """
    is_yaml = file.suffix.lower() in (".yaml", ".yml")
    try:
        text = file.read_text(encoding="utf-8-sig")
        if is_yaml:
            found = _from_names([[name] for name in listed_texts(text)], cohort)
        else:
            found = _from_table(text, cohort)
    except (OSError, ValueError, csv.Error) as error:
        msg = (
            f"Expected a list of cases in {file}, but it cannot be read ({error}). Give a CSV file"
            f" of CART or SlicerCaseIterator, or {WORKING} or {REMAINING} of SlicerCART."
        )
        raise UsageError(msg) from error
    if not found.cases and found.unknown:
        msg = (
            f"None of the entries of {file} is a case of this cohort, such as"
            f" {found.unknown[0]!r}. Give the list of this cohort."
        )
        raise UsageError(msg)
    return found


def _from_table(text: str, cohort: Cohort) -> CaseList:
    head = text.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=head.count)
    rows = list(csv.DictReader(io.StringIO(text), delimiter=delimiter))
    columns = {name.strip().lower(): name for name in (rows[0] if rows else ()) if name}
    ids = [columns[name] for name in _ID_COLUMNS if name in columns]
    masks = [name for key, name in columns.items() if "mask" in key or "segmentation" in key]
    others = [name for name in columns.values() if name not in (*ids, *masks)]
    cells = [[row[name] or "" for name in (*ids, *others)] for row in rows]
    found = _from_names(cells, cohort)
    n_masks = sum(any(row[name] for name in masks) for row in rows)
    return replace(found, n_masks=n_masks)


def _from_names(rows: Sequence[Sequence[str]], cohort: Cohort) -> CaseList:
    """Find the case of every row: by its name, else by one of its files."""
    known = _known_names(cohort)
    cases: Counter[str] = Counter()
    unknown: list[str] = []
    for row in rows:
        found = next((known[key] for cell in row for key in _keys(cell) if key in known), None)
        if found is None:
            unknown.append(next((cell for cell in row if cell), "a row without a name"))
        else:
            cases[found] += 1
    repeated = tuple(case for case, n in cases.items() if n > 1)
    return CaseList(tuple(cases), tuple(unknown), repeated=repeated)


def _known_names(cohort: Cohort) -> dict[str, str]:
    """Return the case per name of a case, path of a file, and name of a file that only one has."""
    files = [
        (case.case_id, Path(same_name(str(image.path.absolute()))))
        for case in cohort.cases
        for image in case.images.values()
    ]
    n_cases = Counter(name for name, _ in {(path.name, case) for case, path in files})
    known = {path.name: case for case, path in files if n_cases[path.name] == 1}
    known |= {path.as_posix(): case for case, path in files}
    return known | {case.case_id: case.case_id for case in cohort.cases}


def _keys(cell: str) -> Iterator[str]:
    text = same_name(cell.strip())
    yield text
    if text:
        yield Path(text).absolute().as_posix()
        yield PureWindowsPath(text).name  # splits at both slashes


def _with(cohort: Cohort, modality: str) -> list[Case]:
    return [case for case in cohort.cases if modality in case.images]


def _is_yaml(data: bytes) -> bool:
    return data.startswith(OWN_START.encode())
