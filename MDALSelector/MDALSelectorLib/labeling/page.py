"""One self-contained HTML page: how far labeling has come, what it brought, whether to go on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from MDALSelectorLib import report
from MDALSelectorLib.labeling.advice import Advice, advice
from MDALSelectorLib.labeling.changes import note_changes
from MDALSelectorLib.labeling.curve_picture import curve_picture
from MDALSelectorLib.labeling.effort import LabelingEffort, labeling_effort
from MultimodalImagingLib.cohorts.agreement import agreement_sentences, read_agreement
from MultimodalImagingLib.cohorts.cases import Cohort
from MultimodalImagingLib.cohorts.class_agreement import class_agreement_sentences
from MultimodalImagingLib.cohorts.class_table import known_classes
from MultimodalImagingLib.cohorts.evaluation_set import read_evaluation_set
from MultimodalImagingLib.cohorts.labelled_cases import is_labelled
from MultimodalImagingLib.cohorts.reading_plan import read_plan
from MultimodalImagingLib.cohorts.saved_labels import saved_labels
from MultimodalImagingLib.jobs.progress import Reporter
from MultimodalImagingLib.jobs.texts import counted, render_page
from MultimodalImagingLib.record.atomic_files import write_text
from MultimodalImagingLib.record.class_task import read_class_task
from MultimodalImagingLib.record.cohort_record import CaseState, CohortRecord
from MultimodalImagingLib.record.ownership import check_own_files
from MultimodalImagingLib.record.rounds import read_rounds

PAGE_NAME = "labeling.html"
PAGE_MARK = 'content="CrossModal mdal-selector labeling"'
TEMPLATE_NAME = "labeling.html.j2"


@dataclass(frozen=True)
class LabelingProgress:
    """How far the labeling of a cohort has come.

    Attributes:
        cohort: Name of the cohort.
        n_cases: Its cases.
        n_labeled: Cases with a label.
        n_skipped: Cases that are not to be labeled.
        n_left: Cases that may be trained on and have no label yet.
        n_evaluation: Cases set aside for testing.
        n_evaluation_labeled: Those of them that have a label.
        n_rounds: Rounds so far.
        advice: Whether to go on.
        effort: What labeling took.
        readers: How well readers agree, as far as it was measured; sentences.
        classes: Number of cases per class; empty for a cohort to segment.
    """

    cohort: str
    n_cases: int
    n_labeled: int
    n_skipped: int
    n_left: int
    n_evaluation: int
    n_evaluation_labeled: int
    n_rounds: int
    advice: Advice
    effort: LabelingEffort
    readers: tuple[str, ...]
    classes: Mapping[str, int] = field(default_factory=dict)


def labeling_progress(cohort: Cohort, record: CohortRecord) -> LabelingProgress:
    """Read how far the labeling of a cohort has come.

    Raises:
        CohortError: If the record cannot be read.
    """
    states, rounds = record.read_states(), read_rounds(record)
    names = [case.case_id for case in cohort.cases]
    held = read_evaluation_set(cohort, record)
    task = read_class_task(record)
    classes = {} if task is None else known_classes(cohort, record, task).of_case
    labeled = {
        case.case_id
        for case in cohort.cases
        if case.case_id in classes
        or is_labelled(case.case_id, case.label, record, states.of(case.case_id))
    }
    counts = Counter(classes.values())
    skipped = {name for name in names if states.of(name) is CaseState.SKIPPED} - labeled
    evaluation = {*held.cases}
    n_left = len({*names} - labeled - skipped - held.held_out)
    return LabelingProgress(
        cohort=cohort.root.name,
        n_cases=len(names),
        n_labeled=len(labeled),
        n_skipped=len(skipped),
        n_left=n_left,
        n_evaluation=len(evaluation),
        n_evaluation_labeled=len(evaluation & labeled),
        n_rounds=len(rounds),
        advice=advice(rounds, n_left=n_left),
        effort=labeling_effort(saved_labels(record)),
        readers=(
            *agreement_sentences(read_agreement(record), states, limit=read_plan(record).limit),
            *class_agreement_sentences(record),
        ),
        classes={} if task is None else {name: counts[name] for name in task.names},
    )


def write_labeling_page(cohort: Cohort, record: CohortRecord, reporter: Reporter) -> Path:
    """Write `labeling.html` into the folder of a record, and note there what was changed of drafts.

    Raises:
        UsageError: If a file of that name is there that is no such page.
        CohortError: If the record cannot be read.
        CrossModalError: If the page cannot be written.
    """
    path = record.folder / PAGE_NAME
    check_own_files({path: is_page}, option="another record")
    note_changes(record, reporter)
    write_text(path, render(labeling_progress(cohort, record)))
    return path


def is_page(data: bytes) -> bool:
    """Tell whether the content of a file is a page of this program."""
    return PAGE_MARK.encode() in data[:4096]


def render(found: LabelingProgress) -> str:
    """Return the page as text."""
    from markupsafe import Markup

    values = {
        "found": found,
        "page_mark": Markup(PAGE_MARK),
        "curve": Markup(curve_picture(found.advice)),
    }
    filters: dict[str, Callable[..., str]] = {"counted": counted}
    template = Path(report.__file__).with_name(TEMPLATE_NAME)
    return render_page(template, values, filters=filters)
