"""Claims of cases: one reader at a time, for two hours without a sign of life at most."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.record import cohort_record as record_module
from MultimodalImagingLib.record.claims import TIMEOUT_S, ClaimedError, is_live, live_claims
from MultimodalImagingLib.record.cohort_record import CaseState, CohortRecord, open_record
from MultimodalImagingLib.record.history import read_history


@pytest.fixture
def record(tmp_path: Path) -> CohortRecord:
    return open_record(tmp_path)


def events(record: CohortRecord) -> list[tuple[str, str, str]]:
    return [(event.event, event.case, event.reader) for event in read_history(record)]


def let_pass(record: CohortRecord, case: str, seconds: float) -> None:
    then = (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat(timespec="seconds")
    record.update(lambda now: replace(now, claims={case: replace(now.claims[case], touched=then)}))


def test_a_claim_is_kept_beside_the_state_and_goes_when_it_is_released(
    record: CohortRecord,
) -> None:
    record.change_states({"a": CaseState.LABELLED})
    claim = record.claim("a", "  AB ", purpose="re-read")
    states = record.read_states()
    assert states.claims == {"a": claim}
    assert (claim.reader, claim.purpose) == ("AB", "re-read")
    assert states.of("a") is CaseState.LABELLED
    record.release("a", "ab")
    assert record.read_states().claims == {}
    assert events(record) == [("claimed", "a", "AB"), ("released", "a", "AB")]


def test_a_second_reader_is_told_who_has_a_case_and_since_when(record: CohortRecord) -> None:
    claim = record.claim("a", "ana")
    before = (record.folder / "cases.json").read_bytes()
    with pytest.raises(ClaimedError, match=rf"claimed by ana \(.*\) since {claim.since[:10]}"):
        record.claim("a", "bo")
    with pytest.raises(ClaimedError, match="claimed by ana"):
        record.release("a", "bo")
    assert (record.folder / "cases.json").read_bytes() == before
    assert record.claim("b", "bo").reader == "bo"


def test_one_reader_on_two_computers_is_told(
    record: CohortRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    record.claim("a", "ana")
    monkeypatch.setattr(record_module.socket, "gethostname", lambda: "another")
    with pytest.raises(
        ClaimedError, match=r"or release it with `mdal-selector release COHORT a --reader ana"
    ):
        record.claim("a", "Ana")
    record.release("a", "ana")
    assert record.claim("a", "ana").host == "another"


def test_an_own_claim_is_renewed_and_stands_in_the_history_once(record: CohortRecord) -> None:
    first = record.claim("a", "ana")
    let_pass(record, "a", TIMEOUT_S - 60)
    again = record.claim("a", "ana")
    assert again.since == first.since
    assert is_live(again)
    let_pass(record, "a", TIMEOUT_S - 60)
    assert record.claim("a", "ana").touched >= again.touched
    assert [event for event, *_ in events(record)] == ["claimed"]


def test_a_claim_that_timed_out_is_taken_and_that_is_noted(record: CohortRecord) -> None:
    record.claim("a", "ana")
    let_pass(record, "a", TIMEOUT_S + 1)
    assert live_claims(record.read_states().claims) == {}
    assert record.claim("a", "bo").reader == "bo"
    assert read_history(record)[-1].details["timed_out"]["reader"] == "ana"
    with pytest.raises(ClaimedError):
        record.claim("a", "ana")


@pytest.mark.parametrize("touched", ["", "soon", "2020-01-01", "9999-01-01T00:00:00+00:00"])
def test_a_time_that_is_none_keeps_nobody_from_a_case(record: CohortRecord, touched: str) -> None:
    claim = record.claim("a", "ana")
    assert not is_live(replace(claim, touched=touched))


@pytest.mark.parametrize(
    "name", ["", "  ", "x" * 41, "病" * 21, "a/b", "a\\b", "a~b", "a\0b", "Consensus"]
)
def test_what_can_be_no_name_of_a_reader_is_refused(record: CohortRecord, name: str) -> None:
    with pytest.raises(UsageError, match="Use initials or a login name"):
        record.claim("a", name)
