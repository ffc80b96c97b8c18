"""`select --settings FILE`: every setting can be reached, and a wrong one is named."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
from example_selection import example_scores

from MDALSelectorLib.__main__ import build_parser, main
from MDALSelectorLib.commands.select import config_from_options
from MDALSelectorLib.estimation.config import EstimationConfig, GaussianConfig
from MDALSelectorLib.pairing.config import PairingConfig
from MDALSelectorLib.selection import scoring
from MDALSelectorLib.selection.cohort_scores import CohortScores
from MDALSelectorLib.selection.config import SelectionConfig, configuration_of
from MDALSelectorLib.strategies.base import StrategyOptions
from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.jobs.progress import NullReporter
from MultimodalImagingLib.preparation.prepared_case import PreprocessingSpec

if TYPE_CHECKING:
    from MultimodalImagingLib.preparation.preprocessing import PreparedCohort
    from MultimodalImagingLib.record.cohort_record import CohortRecord


PAIRING = PairingConfig(false_flag_rate=0.01, pmi_iqr=2.5)


def configuration(folder: Path, content: object, *options: str) -> SelectionConfig:
    path = folder / "settings.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    arguments = ["select", "cohort", "--budget", "5", "--settings", str(path), *options]
    return config_from_options(build_parser().parse_args(arguments))


def test_settings_count_before_options_and_leave_the_rest(tmp_path: Path) -> None:
    content = {
        "estimation": {"gaussian": {"n_shuffles": 3, "shrinkages": [0.5]}, "seed": 4},
        "pairing": {"min_gain": 0.05},
        "strategy_options": {"gate": 0.8},
    }
    config = configuration(tmp_path, content, "--seed", "9", "--device", "cpu")
    gaussian = GaussianConfig(n_shuffles=3, shrinkages=(0.5,))
    assert config.estimation == EstimationConfig(seed=4, device="cpu", gaussian=gaussian)
    assert config.pairing == PairingConfig(min_gain=0.05)
    assert config.options == StrategyOptions(gate=0.8)


def test_no_settings_change_nothing(tmp_path: Path) -> None:
    assert configuration(tmp_path, {}).estimation == EstimationConfig()
    assert configuration(tmp_path, {}).pairing == PairingConfig()
    assert configuration(tmp_path, {}).options == StrategyOptions()


def test_what_a_run_wrote_down_of_its_settings_is_taken_back(tmp_path: Path) -> None:
    estimation = EstimationConfig(estimator="gaussian", min_cases=7, seed=2)
    options = StrategyOptions(max_per_patient=3, space="pairs")
    config = SelectionConfig("5", options=options, estimation=estimation, pairing=PAIRING)
    written = configuration_of(config, PreprocessingSpec((3.0, 3.0, 3.0), {"T1": "MR"}))
    kinds = ("estimation", "pairing", "strategy_options")
    again = configuration(tmp_path, {kind: written[kind] for kind in kinds})
    assert (again.estimation, again.pairing, again.options) == (estimation, PAIRING, options)


@pytest.mark.parametrize(
    ("changed", "is_new"),
    [
        (SelectionConfig("7", strategy="MaxMD", options=StrategyOptions(gate=0.8)), False),
        (SelectionConfig("5", pairing=PAIRING), True),
        (SelectionConfig("5", estimation=EstimationConfig(min_cases=7)), True),
    ],
)
def test_settings_that_change_scores_have_scores_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: SelectionConfig, is_new: bool
) -> None:
    prepared = cast("PreparedCohort", SimpleNamespace(cases=()))
    record = cast("CohortRecord", SimpleNamespace(cache=tmp_path))
    asked: list[SelectionConfig] = []

    def estimate_scores(
        _: object, config: SelectionConfig, *__: object, groups: object
    ) -> CohortScores:
        asked.append(config)
        return example_scores()

    monkeypatch.setattr(scoring, "estimate_scores", estimate_scores)
    for config in (SelectionConfig("5"), changed, changed):
        scoring.load_or_estimate_scores(prepared, config, record, NullReporter())
    assert len(asked) == 1 + is_new


def test_scores_are_estimated_anew_when_the_known_sites_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = cast("PreparedCohort", SimpleNamespace(cases=(), case_ids=("c1", "c2")))
    record = cast("CohortRecord", SimpleNamespace(cache=tmp_path))
    asked: list[object] = []

    def estimate_scores(*_: object, groups: object) -> CohortScores:
        asked.append(groups)
        return example_scores()

    monkeypatch.setattr(scoring, "estimate_scores", estimate_scores)
    first, second = {"site": {"c1": "x", "c2": "y"}}, {"site": {"c1": "x", "c2": "x"}}
    for groups in (first, first, second, {}):
        scoring.load_or_estimate_scores(
            prepared, SelectionConfig("5"), record, NullReporter(), groups=groups
        )
    assert asked == [first, second, {}]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"estimations": {}}, ("'estimations'", "did you mean 'estimation'")),
        ({"estimation": {"min_case": 5}}, ("'min_case'", "did you mean 'min_cases'")),
        ({"estimation": {"gaussian": {"n_shuffle": 5}}}, ("'n_shuffle'", "'gaussian'")),
        ({"estimation": {"gaussian": 5}}, ("'gaussian'", "a JSON object", "5")),
        ({"estimation": {"min_cases": "5"}}, ("'min_cases'", "a whole number", "'5'")),
        ({"estimation": {"crops": {"channels": [8, "x"]}}}, ("'channels[1]'", "'x'")),
        ({"estimation": {"estimator": "best"}}, ("'estimator'", "'contrastive'", "'best'")),
        ({"estimation": {"min_cases": 1}}, ("at least 4 cases per pair", "1")),
        ({"pairings": {}}, ("'pairings'", "did you mean 'pairing'")),
        ({"pairing": {"min_gains": 1}}, ("'min_gains'", "did you mean 'min_gain'")),
        ({"pairing": {"false_flag_rate": 0}}, ("falsely flagged cases in (0, 1)", "0")),
        ({"pairing": {"min_cases": 2.5}}, ("'min_cases'", "a whole number", "2.5")),
        ({"strategy_options": {"space": "voxels"}}, ("'space'", "'pairs'", "'voxels'")),
        ({"strategy_options": {"gate": 0}}, ("a gate above 0", "0")),
        ([], ("a JSON object", "settings.json")),
    ],
)
def test_wrong_settings_are_refused_with_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: object, words: tuple[str, ...]
) -> None:
    path = tmp_path / "settings.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    arguments = ["select", str(tmp_path), "--budget", "5", "--settings", str(path), "--events"]
    assert main(arguments) == UsageError.exit_code
    error = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert error["event"] == "error"
    for word in words:
        assert word in error["message"]


def test_absent_file_of_settings_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["select", str(tmp_path), "--budget", "5", "--settings", f"{tmp_path}/none.json"]
    assert main([*arguments, "--events"]) == UsageError.exit_code
    assert "none.json" in capsys.readouterr().out
