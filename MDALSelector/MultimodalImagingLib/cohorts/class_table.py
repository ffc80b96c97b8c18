"""Tables of the classes of a cohort, for other programs and back; and which class counts."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from MultimodalImagingLib.cohorts.cases import Cohort
from MultimodalImagingLib.cohorts.class_labels import ClassLabels, read_class_labels
from MultimodalImagingLib.cohorts.given_classes import given_classes
from MultimodalImagingLib.jobs.texts import listed
from MultimodalImagingLib.record.atomic_files import write_text
from MultimodalImagingLib.record.class_task import ClassTask
from MultimodalImagingLib.record.cohort_record import CohortRecord
from MultimodalImagingLib.record.json_entry import json_keys
from MultimodalImagingLib.record.ownership import check_own_files

COLUMNS = ("uid", "case", "class", "readers", "disputed")
_JSON_KEYS = {"classes", "labels", "came_with"}


@dataclass(frozen=True)
class KnownClasses:
    """All that is known of the classes of a cohort.

    Attributes:
        labels: Those that readers gave here.
        came_with: Class per case that the cohort came with.
        problems: What is not used and why; full sentences.
    """

    labels: ClassLabels
    came_with: Mapping[str, str]
    problems: tuple[str, ...]

    @property
    def of_case(self) -> dict[str, str]:
        """The class of every case that has one: those given here count before the others."""
        return {**self.came_with, **self.labels.that_count}


def known_classes(cohort: Cohort, record: CohortRecord, task: ClassTask) -> KnownClasses:
    """Return what is known of the classes of a cohort.

    Raises:
        CohortError: If the cohort's file `classes.csv` is no such table.
    """
    labels = read_class_labels(record, task)
    given = given_classes(cohort, task)
    strange = sorted({*labels.of_case} - {case.case_id for case in cohort.cases})
    gone = [f"These cases with a class are gone, their classes are kept: {listed(strange)}."]
    kept = {case: own for case, own in labels.of_case.items() if case not in strange}
    return KnownClasses(
        ClassLabels(kept, labels.problems),
        given.of_case,
        (*labels.problems, *given.problems, *(gone if strange else ())),
    )


def write_class_table(
    path: Path, known: KnownClasses, task: ClassTask, case_ids: Sequence[str]
) -> None:
    """Write all classes as a CSV file, or where its name ends with `.json`, with every reader's.

    Args:
        path: The file; only a table of this program is replaced.
        known: The classes.
        task: The task.
        case_ids: All cases of the cohort.

    Raises:
        UsageError: If another file is there.
        CrossModalError: If it cannot be written.
    """
    check_own_files({path: _is_table}, option="another --export")
    if path.suffix.lower() == ".json":
        write_text(path, _json(known, task))
    else:
        write_text(path, class_csv(known, case_ids))


def class_csv(known: KnownClasses, case_ids: Sequence[str]) -> str:
    """Return a row per case (RFC 4180): its class, how many readers gave one, and whether alike."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    of_case, disputed = known.of_case, known.labels.disputed
    for case_id in case_ids:
        readers = len(known.labels.of_case.get(case_id, ()))
        is_disputed = "yes" if case_id in disputed else "no"
        writer.writerow([case_id, case_id, of_case.get(case_id, ""), readers, is_disputed])
    return text.getvalue()


def _json(known: KnownClasses, task: ClassTask) -> str:
    content = {
        "question": task.question,
        "classes": [asdict(item) for item in task.classes],
        "came_with": dict(known.came_with),
        "labels": [asdict(label) for own in known.labels.of_case.values() for label in own],
    }
    return json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def _is_table(data: bytes) -> bool:
    return data.startswith(",".join(COLUMNS).encode()) or json_keys(data) >= _JSON_KEYS
