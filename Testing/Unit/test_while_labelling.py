"""What labels that are there say about the strategy: told, offered, never switched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from labelled_toy import toy_cohort

from MDALSelectorLib.__main__ import main
from MDALSelectorLib.retrospect.outcomes import Outcome
from MDALSelectorLib.retrospect.while_labelling import advice
from MultimodalImagingLib.record.selection_file import read_selection_content


def outcome(strategy: str, difference: float, low: float, high: float) -> Outcome:
    return Outcome(
        strategy=strategy,
        budget=0,
        dice=0.5 + difference,
        difference=difference,
        low=low,
        high=high,
        difference_to_mean=difference,
        spread_of_cases=0.01,
        spread_of_choices=0.01,
        share_of_full=0.9,
        better_than=0.5,
        n_folds=10,
    )


RANDOM = outcome("Random", 0.0, -0.01, 0.01)
USED = outcome("DiverseMD", -0.03, -0.06, 0.0)


def test_another_strategy_is_offered_where_chance_does_not_explain_it() -> None:
    found = advice([RANDOM, USED, outcome("MinMD", 0.08, 0.04, 0.12)], "DiverseMD", 14)
    assert "Among the 14 labeled cases" in found.text
    assert "DiverseMD lies \N{MINUS SIGN}0.030 Dice" in found.text
    assert found.text.endswith("this need not hold for the others.")
    assert found.offered == "MinMD"


@pytest.mark.parametrize(
    "other",
    [
        outcome("MinMD", 0.08, -0.01, 0.17),  # may be chance
        outcome("MinMD", 0.004, 0.001, 0.01),  # less than the best of several has by luck
        outcome("MinMD", -0.1, -0.2, -0.05),  # worse
    ],
)
def test_nothing_is_offered_where_it_may(other: Outcome) -> None:
    found = advice([RANDOM, USED, other], "DiverseMD", 14)
    assert found.text.endswith("This is no reason to change the strategy.")
    assert found.offered is None


@pytest.mark.parametrize(("n_labels", "is_told"), [(9, False), (12, True), (24, False)])
def test_select_tells_from_ten_labels_on_and_keeps_to_the_strategy_of_the_user(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], n_labels: int, is_told: bool
) -> None:
    manifest = toy_cohort(tmp_path / "toy")
    rows = [line.split(",") for line in manifest.read_text(encoding="utf-8").splitlines()]
    for row in rows[1 + n_labels :]:
        row[4] = ""
    manifest.write_text("\n".join(",".join(row) for row in rows) + "\n", encoding="utf-8")
    places = ("--output", str(tmp_path / "run"), "--record", str(tmp_path / "record"))
    words = ("--budget", "4", "--strategy", "KCenter", "--estimator", "gaussian", "--events")
    assert main(["select", str(manifest), *places, *words]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    result = next(event for event in events if event["event"] == "result")
    infos = [event["message"] for event in events if event["event"] == "info"]
    told = [text for text in infos if "labeled cases, half" in text]
    assert [f"Among the {n_labels} labeled cases" in text for text in told] == [True] * is_told
    assert ("evidence" in result) == is_told
    if is_told:
        assert told[0].startswith(result["evidence"]["text"])
    assert read_selection_content(tmp_path / "run")["strategy"] == "KCenter"
