"""Selection by the uncertainty of drafts, alone and mixed with the modality difference."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from example_selection import example_scores

from MDALSelectorLib.case_flags import EVALUATION, NOT_RANKABLE, SKIPPED, Flag
from MDALSelectorLib.selection.budget import parse_budget
from MDALSelectorLib.selection.case_selection import CaseSelection
from MDALSelectorLib.selection.cohort_scores import CohortScores
from MDALSelectorLib.selection.config import SelectionConfig, SelectionRequest
from MDALSelectorLib.selection.knowledge import find_drafts
from MDALSelectorLib.selection.run_folder import read_selection, selection_csv, write_selection
from MDALSelectorLib.selection.selecting import make_selection
from MDALSelectorLib.strategies import make_strategy
from MDALSelectorLib.strategies.base import StrategyOptions
from MDALSelectorLib.strategies.pool import EPISTEMIC, Pool
from MultimodalImagingLib.cohorts.cases import Case, Cohort
from MultimodalImagingLib.cohorts.cohort import patterns_for
from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.jobs.progress import NullReporter
from MultimodalImagingLib.record.atomic_files import write_json
from MultimodalImagingLib.record.cohort_record import CohortRecord
from MultimodalImagingLib.record.draft_uncertainty import DraftUncertainty, uncertainty_to_json


class Notes(NullReporter):
    """Keeps what is told."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def info(self, text: str) -> None:
        self.texts.append(text)


def own_patients(**utilities: list[float]) -> Pool:
    names = tuple(f"case-{number:03d}" for number in range(5))
    return Pool(
        case_ids=names,
        patient_ids=names,
        embeddings=np.eye(5),
        eligible=np.ones(5, dtype=bool),
        labelled=np.zeros(5, dtype=bool),
        utilities={name: np.array(values) for name, values in utilities.items()},
    )


def select(scores: CohortScores, strategy: str, budget: str) -> CaseSelection:
    wanted = parse_budget(budget, n_cases=len(scores.case_ids))
    return make_selection(scores, SelectionRequest(budget=wanted, strategy=strategy))


def rows(name: str, pool: Pool, budget: int = 5, **options: float) -> list[int]:
    strategy = make_strategy(name, StrategyOptions(**options))  # type: ignore[arg-type]
    picks = strategy.select(pool, budget, generator=np.random.default_rng(0))
    return [pick.index for pick in picks]


NATS = [0.30, 0.50, 0.20, 0.40, 0.10]
DIFFERENCE = [2.0, -1.0, 1.5, 9.0, 0.0]


def test_the_most_uncertain_draft_comes_first() -> None:
    assert rows("Epistemic", own_patients(epistemic_nats=NATS)) == [1, 3, 0, 2, 4]


@pytest.mark.parametrize(
    ("weight", "expected"),
    [
        (1.0, [1, 3, 0, 2, 4]),  # uncertainty alone
        (0.0, [3, 0, 2, 4, 1]),  # modality difference alone
        # ranks of uncertainty 3 5 2 4 1, of the difference 4 1 3 5 2: means 3.5 3 2.5 4.5 1.5
        (0.5, [3, 0, 1, 2, 4]),
    ],
)
def test_the_mixture_is_that_of_the_ranks(weight: float, expected: list[int]) -> None:
    pool = own_patients(epistemic_nats=NATS, modality_difference=DIFFERENCE)
    assert rows("EpistemicMD", pool, uncertainty_weight=weight) == expected


def test_an_outlier_does_not_outweigh_the_other_term() -> None:
    pool = own_patients(epistemic_nats=NATS, modality_difference=DIFFERENCE)
    wild = own_patients(epistemic_nats=NATS, modality_difference=[2.0, -1.0, 1.5, 9e6, 0.0])
    assert rows("EpistemicMD", wild) == rows("EpistemicMD", pool)


def test_the_reason_gives_both_terms_in_words_and_numbers() -> None:
    pool = own_patients(epistemic_nats=NATS, modality_difference=DIFFERENCE)
    strategy = make_strategy("EpistemicMD", StrategyOptions(uncertainty_weight=0.4))
    first = strategy.select(pool, 1, generator=np.random.default_rng(0))[0]
    assert first.reason == (
        "the model's uncertainty about its draft is 0.400 nats (cohort's median 0.300), the 2nd"
        " highest of 5; modality difference 9.00, the largest of 5; mixed by rank, 40 to 60"
    )


def test_a_candidate_without_modality_difference_is_named_by_the_mixture() -> None:
    pool = own_patients(epistemic_nats=NATS, modality_difference=[*DIFFERENCE[:4], np.nan])
    with pytest.raises(UsageError, match=r"finite modality difference .* case case-004"):
        rows("EpistemicMD", pool)


def with_drafts(scores: CohortScores, *, without: tuple[str, ...] = ()) -> CohortScores:
    nats = np.linspace(0.2, 0.6, len(scores.case_ids))
    lacking = [scores.case_ids.index(name) for name in without]
    nats[lacking] = np.nan
    return replace(scores, measures={**scores.measures, EPISTEMIC: nats})


def by_name(selection: CaseSelection) -> dict[str, str]:
    return {case.case_id: case.reason for case in selection.cases}


@pytest.mark.parametrize("strategy", ["Epistemic", "EpistemicMD"])
def test_cases_without_a_draft_are_named_and_not_dropped(strategy: str) -> None:
    scores = with_drafts(example_scores(), without=("case-005", "case-044"))
    selection = select(scores, strategy, "10")
    assert {case.case_id for case in selection.cases} == set(scores.case_ids)
    assert not {"case-005", "case-044"} & {case.case_id for case in selection.suggested}
    assert by_name(selection)["case-044"].startswith("Not ranked: it has no draft")


def test_no_draft_is_missed_where_there_shall_be_none() -> None:
    plain = example_scores()
    labelled, aside, skipped, lacking = [n for n in plain.case_ids if n not in plain.labelled][:4]
    flags = {**plain.flags, aside: (Flag(EVALUATION, "x"),), skipped: (Flag(SKIPPED, "x"),)}
    scores = replace(plain, labelled=plain.labelled | {labelled}, flags=flags)
    names = (labelled, aside, skipped, lacking)
    found = select(with_drafts(scores, without=names), "Epistemic", "5").cases
    own = {case.case_id: {flag.kind for flag in case.flags} for case in found}
    assert NOT_RANKABLE in own[lacking]
    assert not any(NOT_RANKABLE in own[name] for name in names[:3])


@pytest.mark.parametrize("strategy", ["Epistemic", "EpistemicMD", "DiverseMD", "MaxMD"])
def test_a_second_selection_leaves_labeled_cases_locked_in(strategy: str) -> None:
    scores = with_drafts(example_scores())
    first = {case.case_id for case in select(scores, strategy, "8").suggested}
    second = select(replace(scores, labelled=scores.labelled | first), strategy, "8")
    assert not {case.case_id for case in second.suggested} & (first | scores.labelled)
    assert {c.case_id for c in second.cases if c.labelled} == first | scores.labelled


def test_without_a_cross_modal_signal_the_mixture_goes_by_uncertainty_alone() -> None:
    scores = with_drafts(example_scores())
    silent = replace(scores.diagnostics, bounds_nats={scores.diagnostics.estimator: 0.01})
    selection = select(replace(scores, diagnostics=silent), "EpistemicMD", "5")
    assert selection.fallback is not None
    assert (selection.fallback.asked, selection.strategy) == ("EpistemicMD", "Epistemic")


def test_the_uncertainty_is_a_column_of_table_and_file(tmp_path: Path) -> None:
    selection = select(with_drafts(example_scores()), "DiverseMD", "5")
    write_selection(tmp_path, selection)
    assert read_selection(tmp_path).cases[0].measures[EPISTEMIC] == pytest.approx(
        selection.cases[0].measures[EPISTEMIC], abs=1e-6
    )
    assert "uncertainty of the model" in selection_csv(selection).splitlines()[0]
    plain = selection_csv(select(example_scores(), "DiverseMD", "5")).splitlines()[0]
    assert "uncertainty" not in plain


def cohort_and_record(folder: Path) -> tuple[Cohort, CohortRecord]:
    cases = tuple(Case(name, name, {}) for name in ("a", "b", "c"))
    cohort = Cohort(folder, "case-folders", (), cases, (), patterns_for(folder))
    return cohort, CohortRecord(folder / ".crossmodal")


def write_draft(results: Path, case_id: str, nats: float | None, model_id: str = "m") -> None:
    known = None if nats is None else uncertainty_to_json(DraftUncertainty({"GTV": nats}))
    folder = results / case_id
    folder.mkdir(parents=True)
    content = {"case": case_id, "model": {"model_id": model_id}, "uncertainty": known}
    write_json(folder / "result.json", content)


def test_the_drafts_of_the_record_count_and_missing_ones_are_told(tmp_path: Path) -> None:
    cohort, record = cohort_and_record(tmp_path)
    write_draft(record.results / "older", "c", 0.9)
    write_draft(record.results / "newer", "a", 0.5)
    write_draft(record.results / "newer", "b", 0.3)
    write_draft(record.results / "newer", "another cohort's", 0.3)
    notes = Notes()
    drafts = find_drafts(cohort, record, SelectionConfig("1", "Epistemic"), notes)
    assert drafts.nats == {"a": 0.5, "b": 0.3}
    assert drafts.configuration == {"drafts": {"folder": "newer", "model": "m"}}
    assert notes.texts[-1] == "1 case has no draft there: c."
    chosen = SelectionConfig("1", "Epistemic", drafts=record.results / "older")
    assert find_drafts(cohort, record, chosen, notes).nats == {"c": 0.9}


def test_without_drafts_the_strategy_says_what_to_do(tmp_path: Path) -> None:
    cohort, record = cohort_and_record(tmp_path)
    with pytest.raises(UsageError, match=r"needs drafts .* found none .* Segment the unlabeled"):
        find_drafts(cohort, record, SelectionConfig("1", "Epistemic"), NullReporter())
    assert find_drafts(cohort, record, SelectionConfig("1"), NullReporter()).nats == {}
    write_draft(record.results / "imported", "a", None)
    with pytest.raises(UsageError, match="found 1 draft that say"):
        find_drafts(cohort, record, SelectionConfig("1", "EpistemicMD"), NullReporter())
