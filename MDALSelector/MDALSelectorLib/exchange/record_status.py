"""The status of a cohort: how far its labeling is, who is at it, and what to do next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import mean

from MultimodalImagingLib.cohorts.agreement import agreement_sentences, read_agreement
from MultimodalImagingLib.cohorts.cases import Cohort
from MultimodalImagingLib.cohorts.class_agreement import class_agreements
from MultimodalImagingLib.cohorts.class_labels import ClassLabels
from MultimodalImagingLib.cohorts.class_table import known_classes
from MultimodalImagingLib.cohorts.label_maps import is_foreign, label_map_place
from MultimodalImagingLib.cohorts.labelled_cases import is_labelled
from MultimodalImagingLib.cohorts.reading_plan import read_plan
from MultimodalImagingLib.cohorts.saved_labels import record_remarks
from MultimodalImagingLib.jobs.texts import counted, decimals, listed
from MultimodalImagingLib.record.case_states import CaseState, CaseStates, Claim, SavedLabel
from MultimodalImagingLib.record.claims import is_live
from MultimodalImagingLib.record.class_task import read_class_task
from MultimodalImagingLib.record.cohort_record import CohortRecord
from MultimodalImagingLib.record.history import history_problem
from MultimodalImagingLib.record.readers import CONSENSUS
from MultimodalImagingLib.record.rounds import Round, read_rounds


@dataclass(frozen=True)
class ReaderWork:
    """What a reader has done.

    Attributes:
        reader: Who.
        n_labels: Labels that count for them, one per case.
        n_blinded: Cases that they read again without seeing the label.
        n_drafts: Labels that began as a draft.
        looking_min: Mean time that a case was open, min.
        drawing_min: Mean time of that in which its label changed, min.
    """

    reader: str
    n_labels: int
    n_blinded: int
    n_drafts: int
    looking_min: float
    drawing_min: float


@dataclass(frozen=True)
class RecordStatus:
    """How far the labeling of a cohort is.

    Attributes:
        n_cases: Cases of the cohort.
        states: Number of cases per state.
        claims: The claims by case, with those that timed out.
        evaluation: Cases set aside for testing, and whether they are labeled.
        readers: What each reader has done.
        rounds: The rounds.
        classes: Number of cases per class; `None` for a cohort to segment.
        disputed: Cases to which readers gave different classes.
        problems: What to look at, full sentences.
        next_step: What to do next, a full sentence.
        agreement: How well readers agree, as far as it was measured; full sentences.
    """

    n_cases: int
    states: Mapping[CaseState, int]
    claims: Mapping[str, Claim]
    evaluation: Mapping[str, bool]
    readers: Sequence[ReaderWork]
    rounds: Sequence[Round]
    problems: Sequence[str]
    next_step: str
    agreement: Sequence[str] = ()
    classes: Mapping[str, int] | None = None
    disputed: Sequence[str] = ()

    def to_json(self) -> dict[str, object]:
        """Return it as JSON takes it."""
        claims = {c: {**asdict(m), "is_live": is_live(m)} for c, m in self.claims.items()}
        return {**asdict(self), "claims": claims}

    def lines(self) -> Iterator[str]:
        """Yield it as text."""
        states = ", ".join(f"{n} {_STATE_TEXT[state]}" for state, n in self.states.items())
        yield f"{counted(self.n_cases, 'case')}: {states}"
        if self.evaluation:
            n_done = sum(self.evaluation.values())
            yield f"Set aside for testing: {len(self.evaluation)}, {n_done} of them labeled"
        if self.classes is not None:
            counts = ", ".join(f"{name} {n}" for name, n in self.classes.items())
            yield f"Classes: {counts}"
        if self.disputed:
            yield f"Readers gave different classes: {listed(self.disputed)}"
        for case, claim in self.claims.items():
            end = "" if is_live(claim) else "; it has timed out"
            yield f"Claimed: {case} by {claim.reader} on {claim.host} since {claim.since}{end}"
        for work in self.readers:
            yield _work_line(work)
        for entry in self.rounds:
            yield _round_line(entry)
        yield from self.agreement
        yield from (f"Look at this: {problem}" for problem in self.problems)
        yield f"Next: {self.next_step}"


def record_status(cohort: Cohort, record: CohortRecord) -> RecordStatus:
    """Find out how far the labeling of a cohort is.

    Raises:
        CohortError: If the record cannot be read.
    """
    states, rounds = record.read_states(), read_rounds(record)
    found = {case.case_id: _state(case.case_id, record, states) for case in cohort.cases}
    counts = Counter(found.values())
    problems = tuple(_problems(found, cohort, record, states))
    task = read_class_task(record)
    known = None if task is None else known_classes(cohort, record, task)
    labels = ClassLabels() if known is None else known.labels
    given = Counter([] if known is None else known.of_case.values())
    return RecordStatus(
        len(found),
        {state: counts[state] for state in CaseState if counts[state]},
        dict(sorted(states.claims.items())),
        {c: found.get(c) is CaseState.LABELLED for c in sorted(states.evaluation)},
        tuple(_readers(states)),
        rounds,
        (*problems, *(() if known is None else known.problems)),
        _next_step(found, states, rounds, record),
        (
            *agreement_sentences(read_agreement(record), states, limit=read_plan(record).limit),
            *(pair.sentence for pair in class_agreements(labels)),
        ),
        None if task is None else {name: given[name] for name in task.names},
        labels.disputed,
    )


_STATE_TEXT = {
    CaseState.UNLABELLED: "unlabeled",
    CaseState.SUGGESTED: "suggested",
    CaseState.IN_PROGRESS: "in progress",
    CaseState.LABELLED: "labeled",
    CaseState.SKIPPED: "skipped",
    CaseState.CHECK_PAIRING: "to check for pairing",
    CaseState.CONFIRMED: "with confirmed pairing",
}


def _state(case_id: str, record: CohortRecord, states: CaseStates) -> CaseState:
    state = states.of(case_id)
    is_open = state in (CaseState.UNLABELLED, CaseState.SUGGESTED)
    return CaseState.LABELLED if is_open and is_labelled(case_id, None, record, None) else state


def _readers(states: CaseStates) -> Iterator[ReaderWork]:
    by_reader: dict[str, list[SavedLabel]] = {}
    for labels in states.labels.values():
        for label in labels.values():
            if label.reader != CONSENSUS:
                by_reader.setdefault(label.reader, []).append(label)
    for reader, labels_of_one in sorted(by_reader.items()):
        yield ReaderWork(
            reader,
            sum(not label.is_blinded for label in labels_of_one),
            sum(label.is_blinded for label in labels_of_one),
            sum(bool(label.began) for label in labels_of_one),
            mean(label.looking_s for label in labels_of_one) / 60,
            mean(label.drawing_s for label in labels_of_one) / 60,
        )


def _work_line(work: ReaderWork) -> str:
    parts = [counted(work.n_labels, "label")]
    if work.n_blinded:
        parts.append(f"{work.n_blinded} read again blinded")
    if work.n_drafts:
        parts.append(f"{work.n_drafts} begun as drafts")
    times = f"{decimals(work.looking_min, 1)} min per case, {decimals(work.drawing_min, 1)} drawing"
    return f"Reader {work.reader}: {', '.join(parts)}; {times}"


def _round_line(entry: Round) -> str:
    mean_dice = entry.mean_dice
    cases = counted(len(entry.case_dice), "evaluation case")
    dice = (
        "not evaluated" if mean_dice is None else f"mean Dice {decimals(mean_dice, 3)} on {cases}"
    )
    start = f", started from {entry.started_from}" if entry.started_from else ""
    labels = counted(len(entry.labels), "label")
    return f"Round {entry.number}: {labels}, {dice} ({entry.model}{start})"


def _problems(
    found: Mapping[str, CaseState], cohort: Cohort, record: CohortRecord, states: CaseStates
) -> Iterator[str]:
    yield from record_remarks(cohort.root, record)
    noted = {label.path: label.sha256 for own in states.labels.values() for label in own.values()}
    for case_id, made in states.maps.items():
        place = label_map_place(case_id, record)
        if is_foreign(place, made):
            yield (
                f"The label map {place.name} was changed in another program; it is not used for"
                " training, the segmentation is. Move it elsewhere."
            )
        elif noted.get(made.source, made.source_sha256) != made.source_sha256:
            yield (
                f"The label map {place.name} was made from an earlier label of case {case_id}."
                " Open the case and save it again."
            )
    unknown = sorted({*states.entries, *states.labels} - set(found))
    if unknown:
        yield (
            f"The record knows {counted(len(unknown), 'case')} that the cohort"
            f" {cohort.root.name} does not have: {listed(unknown)}. Look for their images."
        )
    text = history_problem(record)
    if text:
        yield text


def _next_step(
    found: Mapping[str, CaseState],
    states: CaseStates,
    rounds: Sequence[Round],
    record: CohortRecord,
) -> str:
    counts = Counter(found.values())
    n_suggested = counts[CaseState.SUGGESTED] + counts[CaseState.IN_PROGRESS]
    if n_suggested:
        return f"label the {counted(n_suggested, 'suggested case')} in MDALSelector."
    if counts[CaseState.CHECK_PAIRING]:
        return f"confirm the pairing of {counted(counts[CaseState.CHECK_PAIRING], 'case')}."
    labelled = {case for case, state in found.items() if state is CaseState.LABELLED}
    usable = labelled - set(states.evaluation)
    trained = set(rounds[-1].labels) if rounds else set()
    if usable - trained and read_class_task(record) is None:
        return (
            f"train on {counted(len(usable), 'label')} with `ciml-segmenter train`;"
            f" {len(usable - trained)} of them are new."
        )
    if len(labelled) + counts[CaseState.SKIPPED] == len(found):
        return "nothing: every case is labeled or skipped."
    has_run = any((record.folder / "runs").glob("*/selection.json"))
    return f"select {'the next cases' if has_run else 'cases'} with `mdal-selector select`."
