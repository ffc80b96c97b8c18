"""The command `retrospect` on a small cohort on disk: result, resuming, refusals, export."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from html_ids import repeated_ids
from labelled_toy import toy_cohort
from phantoms import save_nifti

from MDALSelectorLib.__main__ import main
from MDALSelectorLib.estimation.local_features import N_FEATURES
from MDALSelectorLib.estimation.local_samples import LocalSamples
from MDALSelectorLib.retrospect import job
from MDALSelectorLib.retrospect.config import EstimatorChoice, RetrospectConfig
from MDALSelectorLib.retrospect.fold_plan import FULL, outer_folds, plan_fold
from MDALSelectorLib.retrospect.fold_signals import Signals
from MDALSelectorLib.strategies import STRATEGIES
from MultimodalImagingLib.errors import CancelledError, UsageError

BUDGETS = ("--budgets", "4,8", "--partitions", "1", "--folds", "4", "--draws", "8")
QUICK = (
    *BUDGETS,
    "--estimator",
    "gaussian",
    "--strategy",
    "Score",
    "--strategy",
    "KCenter",
    "--score-column",
    "score",
)


def run(cohort: Path, folder: Path, *words: str) -> int:
    places = ("--output", str(folder / "run"), "--record", str(folder / "record"))
    return main(["retrospect", str(cohort), *places, *words])


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_cohort(tmp_path_factory.mktemp("toy"))


@pytest.fixture(scope="module")
def done(cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("done")
    assert run(cohort, folder, *QUICK, "--export", "nnunet") == 0
    return folder


def content(folder: Path) -> dict[str, object]:
    return dict(json.loads((folder / "run" / "retrospect.json").read_text(encoding="utf-8")))


def outcomes(folder: Path, budget: int) -> dict[str, dict[str, float]]:
    found = content(folder)["outcomes"]
    assert isinstance(found, list)
    return {o["strategy"]: o for o in found if o["budget"] == budget}


def test_the_strategy_that_picks_the_labels_that_help_comes_out_best(done: Path) -> None:
    for budget in (0, 1):
        found = outcomes(done, budget)
        best = max(found.values(), key=lambda o: o["difference"])
        assert best["strategy"] == "Score"
        assert best["difference"] > 0.05
        assert best["better_than"] > 0.65
    assert "Score" in str(content(done)["sentence"])


def test_the_table_has_a_row_per_strategy_and_budget_and_one_for_all_budgets(done: Path) -> None:
    with (done / "run" / "retrospect.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["strategy"], row["budget"]) for row in rows] == [
        (strategy, budget)
        for budget in ("4", "8", "area under the curve")
        for strategy in ("Random", "KCenter", "Score")
    ]


def test_the_page_shows_the_sentence_and_asks_nothing_from_outside(done: Path) -> None:
    page = (done / "run" / "retrospect.html").read_text(encoding="utf-8")
    assert str(content(done)["sentence"]) in page
    assert "default-src 'none'" in page
    assert 'src="http' not in page
    assert not repeated_ids(page)


def test_the_page_is_written_again_from_what_was_saved(done: Path, tmp_path: Path) -> None:
    shutil.copytree(done / "run", tmp_path / "run")
    page = tmp_path / "run" / "retrospect.html"
    before = page.read_text(encoding="utf-8")
    page.unlink()
    assert main(["report", str(tmp_path / "run")]) == 0
    assert page.read_text(encoding="utf-8") == before


def test_a_damaged_result_gets_its_sentence(
    done: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(done / "run", tmp_path / "run")
    result = tmp_path / "run" / "retrospect.json"
    result.write_bytes(result.read_bytes()[:500])
    assert main(["report", str(tmp_path / "run")]) != 0
    assert "Run the command again" in _flat(capsys)


def test_the_export_is_what_nnunet_reads_and_holds_no_test_case_in_training(done: Path) -> None:
    splits = json.loads((done / "run/nnunet/splits_final.json").read_text(encoding="utf-8"))
    lists = json.loads((done / "run/nnunet/trainings.json").read_text(encoding="utf-8"))
    assert all(set(split) == {"train", "val"} for split in splits)
    assert all(not set(split["train"]) & set(split["val"]) for split in splits)
    assert {t["split"] for t in lists["trainings"]} == set(range(len(splits)))
    for training in lists["trainings"]:
        n_cases = {"all": 18, "4": 4, "8": 8}[training["budget"]]
        assert len(splits[training["split"]]["train"]) == n_cases
    vals = [frozenset(s["val"]) for s in splits]
    assert sum(len(v) for v in set(vals)) == 24


def test_the_order_of_the_cases_does_not_matter(cohort: Path, done: Path, tmp_path: Path) -> None:
    lines = cohort.read_text(encoding="utf-8").splitlines()
    other = cohort.with_name("reversed.csv")
    other.write_text("\n".join([lines[0], *lines[:0:-1]]) + "\n", encoding="utf-8")
    assert run(other, tmp_path, *QUICK) == 0
    for key in ("outcomes", "bands", "areas"):
        assert content(tmp_path)[key] == content(done)[key]


def test_a_run_that_was_stopped_goes_on_where_it_was(
    cohort: Path, done: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = job.linear_dice
    calls = []

    def stopped(plan, *arguments, **options):
        calls.append(plan.fold)
        if len(calls) == 3:
            msg = "The job was cancelled; what was finished before is kept."
            raise CancelledError(msg)
        return trained(plan, *arguments, **options)

    monkeypatch.setattr(job, "linear_dice", stopped)
    assert run(cohort, tmp_path, *QUICK) == 130
    log = tmp_path / "run" / "trainings.jsonl"
    n_finished = log.read_bytes().count(b'"step": "test/')
    assert n_finished == 12
    with log.open("ab") as file:
        file.write(b'{"step": "test/0/2/case')  # what a kill leaves of a line
    monkeypatch.setattr(job, "linear_dice", trained)
    monkeypatch.setattr(job, "plan_fold", None)  # plans are not made again
    assert run(cohort, tmp_path, *QUICK) == 0
    assert log.read_bytes().count(b'"step": "test/') == 24
    assert content(tmp_path)["outcomes"] == content(done)["outcomes"]


def test_other_settings_begin_anew(cohort: Path, done: Path, tmp_path: Path) -> None:
    shutil.copytree(done / "run", tmp_path / "run")
    assert run(cohort, tmp_path, *QUICK, "--seed", "3") == 0
    assert content(tmp_path)["outcomes"] != content(done)["outcomes"]


def test_a_folder_that_holds_something_else_is_left_alone(
    cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").write_text("mine", encoding="utf-8")
    assert run(cohort, tmp_path, *QUICK) == 2
    assert "was left as it is" in _flat(capsys)
    assert (tmp_path / "run" / "thesis.txt").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--budgets", "30"), "Expected a budget of at most 18 cases"),
        (("--budgets", "8,4"), "Expected budgets that grow"),
        (("--budgets", "0.2"), "Write 20% for that share"),
        (("--draws", "1"), "at least 2 random draws"),
        (("--folds", "20"), "Expected at least 40 patients with a label for 20 outer folds"),
        (("--label-value", "7"), "Expected at least 10 cases with a usable label, found 0"),
        (("--label-value", "0"), "label values other than 0"),
        (("--leave-out", "nobody"), "There is no case nobody in this cohort to leave out"),
        (("--score-column", "age"), "Expected a column 'age'"),
    ],
)
def test_options_that_do_not_fit_get_their_sentence(
    cohort: Path, done: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words, told
) -> None:
    shutil.copytree(done / "record", tmp_path / "record")
    assert run(cohort, tmp_path, *QUICK, *words) == 2
    assert told in _flat(capsys)


def test_a_cohort_without_enough_labels_gets_its_sentence(
    cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for n_labels, found in ((0, "found none among the 24 cases"), (1, "found 1 among the 24")):
        lines = cohort.read_text(encoding="utf-8").splitlines()
        rows = [line.split(",") for line in lines]
        for row in rows[1 + n_labels :]:
            row[4] = ""
        other = cohort.with_name(f"labels{n_labels}.csv")
        other.write_text("\n".join(",".join(row) for row in rows) + "\n", encoding="utf-8")
        assert run(other, tmp_path, *QUICK) == 2
        assert found in _flat(capsys)


def test_label_maps_that_are_all_the_same_or_empty_get_their_sentence(
    cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    same, empty = np.zeros((20, 20, 20), np.uint8), np.zeros((20, 20, 20), np.uint8)
    same[8:12, 8:12, 8:12] = 1
    for name, array, told in (
        ("same", same, "found the same one in all 24 cases"),
        ("empty", empty, "found no such voxel of its label map"),
    ):
        folder = tmp_path / name
        for number in range(24):
            save_nifti(folder / f"case{number:02d}.nii.gz", array)
        assert run(cohort, tmp_path, *QUICK, "--labels", str(folder)) == 2
        assert told in _flat(capsys)


# There is no model before its training cases are chosen.
NEEDING_DRAFTS = {"Epistemic", "EpistemicMD"}


def signals(n_cases: int = 30, *, seed: int = 0) -> Signals:
    generator = np.random.default_rng(seed)
    shared = generator.normal(size=(n_cases, 4))
    return Signals(
        case_ids=tuple(f"c{index:02d}" for index in range(n_cases)),
        patient_ids=tuple(f"p{index // 2:02d}" for index in range(n_cases)),
        features={m: shared + generator.normal(size=(n_cases, 4)) for m in ("a", "b")},
        samples=None,
        pair_nmi=generator.uniform(size=(n_cases, 1)),
        score=generator.normal(size=n_cases),
    )


def with_positions(known: Signals) -> Signals:
    """Add what two modalities show at 150 places of every case."""
    generator = np.random.default_rng(1)
    shape = (len(known.case_ids), 150, N_FEATURES)
    shared = generator.normal(size=shape)
    values = {m: (shared + generator.normal(size=shape)).astype(np.float32) for m in "ab"}
    return replace(known, samples=LocalSamples(values))


CONFIG = RetrospectConfig(
    estimator="gaussian", budgets=("10%", "40%"), n_draws=3, n_folds=3, n_partitions=1
)


@pytest.mark.parametrize("estimator", ["gaussian", "local"])
def test_nothing_about_a_test_case_enters_any_choice(estimator: EstimatorChoice) -> None:
    known = with_positions(signals()) if estimator == "local" else signals()
    config = replace(CONFIG, estimator=estimator)
    for partition, fold, pool, test in outer_folds(known.patient_ids, config)[:2]:
        hidden = list(test)
        features = {m: values.copy() for m, values in known.features.items()}
        for values in features.values():
            values[hidden] = 1e3
        nmi, score = known.pair_nmi.copy(), np.array(known.score)
        nmi[hidden], score[hidden] = 5.0, 1e6
        changed = replace(known, features=features, pair_nmi=nmi, score=score)
        if known.samples is not None:
            positions = {m: values.copy() for m, values in known.samples.values.items()}
            for values in positions.values():
                values[hidden] = 1e3
            changed = replace(changed, samples=replace(known.samples, values=positions))
        plans = [
            plan_fold(given, config, place=(partition, fold), pool=pool, test=test)
            for given in (known, changed)
        ]
        assert plans[0] == plans[1]


def test_every_strategy_in_both_directions_chooses_from_the_pool_alone() -> None:
    known = signals()
    for partition, fold, pool, test in outer_folds(known.patient_ids, CONFIG):
        plan = plan_fold(known, CONFIG, place=(partition, fold), pool=pool, test=test)
        assert not {known.patient_ids[i] for i in pool} & {known.patient_ids[i] for i in test}
        assert {t.strategy for t in plan.trainings} == {FULL, *STRATEGIES} - NEEDING_DRAFTS
        assert all(set(t.cases) <= set(pool) for t in plan.trainings)
        for training in plan.trainings[1:]:
            assert len(training.cases) == {0: 2, 1: 8}[training.budget]


def test_a_strategy_that_cannot_rank_takes_no_part() -> None:
    without = replace(signals(), score=None)
    partition, fold, pool, test = outer_folds(without.patient_ids, CONFIG)[0]
    plan = plan_fold(without, CONFIG, place=(partition, fold), pool=pool, test=test)
    assert "Score" not in {t.strategy for t in plan.trainings}


def test_one_patient_cannot_be_split() -> None:
    with pytest.raises(UsageError, match="Expected at least 6 patients"):
        outer_folds(["one"] * 20, CONFIG)


def _flat(capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr()
    return " ".join((captured.out + captured.err).split())
