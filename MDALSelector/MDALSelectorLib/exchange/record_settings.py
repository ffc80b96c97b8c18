"""What was decided for a cohort as a whole: its labels or classes, and what is read again."""

from __future__ import annotations

from MultimodalImagingLib.cohorts.reading_plan import RereadingPlan, read_plan, write_plan
from MultimodalImagingLib.record.class_task import take_over_class_task
from MultimodalImagingLib.record.cohort_record import CohortRecord
from MultimodalImagingLib.record.label_set_file import read_label_set, write_label_set


def take_over_settings(record: CohortRecord, source: CohortRecord) -> list[str]:
    """Take over from another record what this one has not decided.

    Returns:
        What differs and was left as it is, full sentences.

    Raises:
        CohortError: If something cannot be read.
        CrossModalError: If something cannot be written.
    """
    found = [take_over_class_task(record, source), _labels(record, source), _plan(record, source)]
    return [text for text in found if text]


def _labels(record: CohortRecord, source: CohortRecord) -> str:
    own, theirs = read_label_set(record), read_label_set(source)
    if theirs is None or theirs == own:
        return ""
    if own is None:
        write_label_set(record, theirs)
        return ""
    here, there = (", ".join(found.names) or found.task for found in (own, theirs))
    return (
        f"The labels to draw are {here} here and {there} there; they were left as they are. Agree"
        " on one set, and choose it in MDALSelector."
    )


def _plan(record: CohortRecord, source: CohortRecord) -> str:
    own, theirs = read_plan(record), read_plan(source)
    if theirs in (own, RereadingPlan()):
        return ""
    if own == RereadingPlan():
        write_plan(record, theirs)
        return ""
    return (
        f"{own.share:.0%} of the labeled cases are read again here and {theirs.share:.0%} there"
        f" (seeds {own.seed} and {theirs.seed}); that was left as it is. Say what holds with"
        " `mdal-selector agreement --read-again`."
    )
