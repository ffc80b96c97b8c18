"""Cases of a retrospective whose modalities do not seem to belong together: named, never dropped.

The check is that of `select`. What it says changes no choice: test cases are among those checked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from MDALSelectorLib.pairing.alignment import measure_alignment
from MDALSelectorLib.pairing.flags import pairing_flags
from MDALSelectorLib.retrospect.cohort_with_labels import CohortWithLabels
from MDALSelectorLib.retrospect.training_log import TrainingLog
from MDALSelectorLib.selection.case_memo import CohortMemo
from MultimodalImagingLib.cohorts.cases import Cohort
from MultimodalImagingLib.jobs.progress import Reporter
from MultimodalImagingLib.jobs.texts import joined
from MultimodalImagingLib.record.cohort_record import CaseState, CohortRecord

STEP_NAME = "pairing"
NO_FLAG = "The check of pairing that `select` uses flagged no case."
HELD_BACK = "An earlier selection held it back until someone has looked at it."


def cases_to_check(
    labelled: CohortWithLabels,
    cohort: Cohort,
    record: CohortRecord,
    log: TrainingLog,
    reporter: Reporter,
) -> dict[str, list[str]]:
    """Return what speaks against the pairing of cases that take part, and tell it.

    Args:
        labelled: The cases that take part.
        cohort: Their cohort, which knows of images that occur twice.
        record: What earlier selections measured, and which cases they held back.
        log: Where the outcome of the check is kept.
        reporter: Notified of every case, and of every flagged one.

    Returns:
        Case to sentences, in the order of the cases.
    """
    if log.get(STEP_NAME) is None:
        log.put(STEP_NAME, _checked(labelled, record, reporter))
    found: Mapping[str, Sequence[str]] = log.get(STEP_NAME) or {}
    states = record.read_states()
    reasons: dict[str, list[str]] = {}
    for case_id in labelled.case_ids:
        own = [cohort.duplicates[case_id]] if case_id in cohort.duplicates else []
        own += found.get(case_id, ())
        if not own and states.of(case_id) is CaseState.CHECK_PAIRING:
            own = [HELD_BACK]
        if own:
            reasons[case_id] = own
    for case_id, own in reasons.items():
        reporter.warning(f"Case {case_id} takes part, but look at its images. {' '.join(own)}")
    return reasons


def note_on_pairing(reasons: Mapping[str, Sequence[str]]) -> str:
    """Name the flagged cases in one note, with what to do."""
    if not reasons:
        return NO_FLAG
    words = " ".join(f"--leave-out {case_id}" for case_id in reasons)
    seen = " ".join(f"{case_id}: {' '.join(own)}" for case_id, own in reasons.items())
    return (
        "Took part although their modalities may not belong together, or not lie on each other:"
        f" {joined(list(reasons))}. `select` holds such cases back until someone has looked. Look"
        f" at them, and leave wrong ones out ({words}). What was seen: {seen}"
    )


def _checked(
    labelled: CohortWithLabels, record: CohortRecord, reporter: Reporter
) -> dict[str, list[str]]:
    """Check all cases together; what a selection measured of a case is taken from the record."""
    cases = labelled.prepared.taken([case.row for case in labelled.cases])
    measures = measure_alignment(
        cases,
        labelled.patient_ids,
        cases.modalities,
        reporter=reporter,
        memo=CohortMemo(cases, record.cache),
    )
    flags = pairing_flags(measures)
    return {case_id: [flag.reason for flag in own] for case_id, own in flags.items()}
