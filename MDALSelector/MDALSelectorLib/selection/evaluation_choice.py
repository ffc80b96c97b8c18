"""Setting cases of a cohort aside for testing, before its first round. No torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from MDALSelectorLib.inspection.acquisition_groups import (
    UNKNOWN_GROUP,
    acquisition_groups,
    measured_grouping,
    site_column,
)
from MDALSelectorLib.selection.evaluation_draw import (
    Strata,
    draw_cases,
    embedding_groups,
    shares_text,
    size_of_set,
)
from MDALSelectorLib.selection.run_folder import read_embeddings
from MultimodalImagingLib.cohorts.cases import Cohort
from MultimodalImagingLib.cohorts.evaluation_set import EvaluationSet, read_evaluation_set
from MultimodalImagingLib.errors import CohortError, UsageError
from MultimodalImagingLib.jobs.texts import counted, joined
from MultimodalImagingLib.record.case_states import CaseState, CaseStates
from MultimodalImagingLib.record.cohort_record import CohortRecord
from MultimodalImagingLib.record.history import append_event
from MultimodalImagingLib.record.trained_cases import trained_cases

FUSED = "fused"
_NOT_DRAWN = (CaseState.SKIPPED, CaseState.CHECK_PAIRING)


@dataclass(frozen=True)
class SetAside:
    """What was set aside for testing.

    Attributes:
        added: Drawn case, sorted, to the site and group that it was drawn from.
        cases: All cases that are set aside now.
        seed: Seed of the draw.
        remarks: How the cases were grouped and drawn, and what to do next; full sentences.
    """

    added: dict[str, str]
    cases: tuple[str, ...]
    seed: int
    remarks: tuple[str, ...]


def set_aside_for_testing(
    cohort: Cohort,
    record: CohortRecord,
    *,
    share: str | None = None,
    seed: int = 0,
    run: Path | None = None,
) -> SetAside:
    """Draw cases for testing and note them in the record; with a set already, add to it.

    Skipped cases, those whose pairing is to be checked, and patients whom a model of the record has
    seen are not drawn.

    Args:
        cohort: The cohort.
        record: Its record.
        share: `15%` or `8`; `None` for 15 % and at least 5, at most a third of the cohort.
        seed: Same seed, same cases.
        run: Selection run whose embeddings group the cases; `None` for the latest of the record,
            or, without one, for voxel size or field of view.

    Raises:
        UsageError: If there are too few cases, or the set is as large already.
        CohortError: If the record or the run cannot be read, or a case was trained on meanwhile.
        CrossModalError: If the record cannot be written.
    """
    states = record.read_states()
    held = read_evaluation_set(cohort, record)
    wanted, rough = size_of_set(share, n_cases=len(cohort.cases))
    n_more = wanted - len(held.cases)
    if n_more < 1:
        msg = (
            f"{counted(len(held.cases), 'case', 'is', 'are')} set aside for testing already, and"
            f" {wanted} {'was' if wanted == 1 else 'were'} wanted. Give a larger --share to add"
            " some."
        )
        raise UsageError(msg)
    whole, how = _strata(cohort, record, run, n_groups=wanted, seed=seed)
    trained = trained_cases(record)
    added = draw_cases(_drawable(whole, held, states, trained), n_more, seed=seed)
    states = record.set_evaluation(added, seed=seed)
    remarks = [how, *_shares(whole, held, added)]
    remarks += [rough] if rough else []
    remarks += _notes(cohort, states, added, trained)
    return SetAside(added, read_evaluation_set(cohort, record).cases, seed, tuple(remarks))


def dissolve_evaluation_set(record: CohortRecord) -> tuple[str, ...]:
    """Let all cases that were set aside be trained on again; returns them.

    Raises:
        CohortError: If the record cannot be read.
        CrossModalError: If it cannot be written.
    """
    before: list[str] = []

    def change(current: CaseStates) -> CaseStates:
        before[:] = sorted(current.evaluation)
        return replace(current, evaluation={}) if before else current

    record.update(change)
    if before:
        append_event(record, "evaluation-chosen", details={"dissolved": before, "groups": {}})
    return tuple(before)


def _strata(
    cohort: Cohort, record: CohortRecord, run: Path | None, *, n_groups: int, seed: int
) -> tuple[Strata, str]:
    """Group all cases by site, and by their embeddings or else their acquisition."""
    names = tuple(case.case_id for case in cohort.cases)
    acquired = acquisition_groups(cohort)
    site = site_column(acquired)
    sites = None if site is None else _column(names, acquired[site])
    source, embeddings = _embeddings(record, run, names)
    measured = measured_grouping(acquired)
    parts = [] if site is None else [f"column {site}"]
    groups: tuple[str, ...] | None = None
    if embeddings is not None:
        groups = embedding_groups(embeddings, n_groups, seed=seed)
        parts.append(f"groups of similar cases (embeddings of the run {source})")
    elif measured is not None:
        groups = _column(names, acquired[measured])
        parts.append(f"{measured}, as there is no selection run yet")
    patients = tuple(case.patient_id for case in cohort.cases)
    how = f"Drawn by {joined(parts)}." if parts else "Drawn at random: nothing groups the cases."
    if len({*patients}) == len(names):
        how += " Each case counts as a patient of its own."
    return Strata(names, patients, sites, groups), how


def _embeddings(
    record: CohortRecord, run: Path | None, names: Sequence[str]
) -> tuple[str, np.ndarray | None]:
    """Return the fused embeddings of the cases, NaN for those that a run does not know."""
    if run is None:
        runs = sorted((record.folder / "runs").glob("[0-9][0-9][0-9]-*"), reverse=True)
    else:
        runs = [run]
    for folder in runs:
        try:
            case_ids, tensors = read_embeddings(folder)
            values = tensors[FUSED]
        except (CohortError, KeyError):
            if run is not None:
                raise
            continue
        row_of = {name: row for row, name in enumerate(case_ids)}
        nothing = np.full(values.shape[1], np.nan)
        rows = [values[row_of[name]] if name in row_of else nothing for name in names]
        return folder.name, np.asarray(rows, dtype=np.float64)
    return "", None


def _column(names: Sequence[str], groups: dict[str, str]) -> tuple[str, ...]:
    return tuple(groups.get(name, UNKNOWN_GROUP) for name in names)


def _drawable(
    strata: Strata, held: EvaluationSet, states: CaseStates, trained: dict[str, str]
) -> Strata:
    """Leave out the patients that are set aside or were trained on, and cases that are skipped."""
    patient_of = dict(zip(strata.case_ids, strata.patient_ids, strict=True))
    taken = {patient_of[name] for name in (*held.held_out, *trained) if name in patient_of}
    rows = [
        row
        for row, name in enumerate(strata.case_ids)
        if patient_of[name] not in taken and states.of(name) not in _NOT_DRAWN
    ]

    def kept(column: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return None if column is None else tuple(column[row] for row in rows)

    return Strata(
        tuple(strata.case_ids[row] for row in rows),
        tuple(strata.patient_ids[row] for row in rows),
        kept(strata.sites),
        kept(strata.groups),
    )


def _shares(strata: Strata, held: EvaluationSet, added: dict[str, str]) -> list[str]:
    """Say how many of every site and group are set aside now."""
    now = {*held.cases, *added}
    columns = {"Sites": strata.sites, "Groups": strata.groups}
    return [
        f"{title}: {shares_text(now, strata.case_ids, column)}."
        for title, column in columns.items()
        if column is not None
    ]


def _notes(
    cohort: Cohort, states: CaseStates, added: dict[str, str], trained: dict[str, str]
) -> list[str]:
    notes = []
    known = [case.case_id for case in cohort.cases if case.case_id in trained]
    if known:
        notes.append(
            f"{counted(len(known), 'case', 'was', 'were')} not drawn from, as models such as"
            f" {trained[known[0]]} have seen {'it' if len(known) == 1 else 'them'}."
        )
    found = Counter(states.of(name) for name in added)
    n_suggested, n_labelled = found[CaseState.SUGGESTED], found[CaseState.LABELLED]
    if n_suggested:
        notes.append(
            f"{n_suggested} of them {'was' if n_suggested == 1 else 'were'} suggested; select again"
            " for others in their place."
        )
    if n_labelled:
        notes.append(
            f"{n_labelled} of them {'is' if n_labelled == 1 else 'are'} labeled already and will"
            " not be trained on."
        )
    return notes
