"""What `retrospect` says of its cases: where they come from, and which do not lie on each other."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from labelled_toy import toy_cohort
from phantoms import save_nifti

from MDALSelectorLib.__main__ import main
from MDALSelectorLib.estimation import features, local_samples
from MDALSelectorLib.pairing import case_edges
from MDALSelectorLib.retrospect import pairing_check
from MDALSelectorLib.retrospect.labelled_cohort import read_labelled_cohort
from MDALSelectorLib.retrospect.sites import sites_of
from MDALSelectorLib.retrospect.training_log import TrainingLog
from MDALSelectorLib.selection_job import prepare_for_selection
from MDALSelectorLib.strategies.stratified_random import draw_from_sites
from MultimodalImagingLib.cohorts.cohort import find_cohort
from MultimodalImagingLib.jobs.progress import NullReporter
from MultimodalImagingLib.preparation.preprocessing import PreparedCohort
from MultimodalImagingLib.record.cohort_record import CaseState, open_record

N_CASES = 12
QUICK = (
    *("--budgets", "3", "--partitions", "1", "--folds", "2", "--draws", "3"),
    *("--estimator", "gaussian", "--strategy", "KCenter", "--strategy", "SiteStratifiedRandom"),
)


def run(manifest: Path, folder: Path, *words: str) -> dict[str, object]:
    places = ("--output", str(folder / "run"), "--record", str(folder / "record"))
    assert main(["retrospect", str(manifest), *places, *QUICK, *words]) == 0
    found = json.loads((folder / "run" / "retrospect.json").read_text(encoding="utf-8"))
    return dict(found)


def with_column(manifest: Path, name: str, values: Mapping[int, str]) -> Path:
    header, *rows = manifest.read_text(encoding="utf-8").splitlines()
    lines = [f"{row},{values[number]}" for number, row in enumerate(rows)]
    other = manifest.with_name(f"with-{name}.csv")
    other.write_text("\n".join([f"{header},{name}", *lines]) + "\n", encoding="utf-8")
    return other


def notes(found: Mapping[str, object]) -> str:
    texts = found["notes"]
    assert isinstance(texts, list)
    return " ".join(texts)


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    return toy_cohort(tmp_path / "toy", n_cases=N_CASES)


def test_every_site_has_its_share_of_a_draw_and_every_case_the_same_chance() -> None:
    sites = ["a"] * 10 + ["b"] * 5 + ["c"] * 3
    generator = np.random.default_rng(0)
    counts: Counter[int] = Counter()
    for _ in range(3000):
        drawn = draw_from_sites(sites, 6, generator=generator).tolist()
        assert len(set(drawn)) == 6
        share = Counter(sites[row] for row in drawn)
        for site, n_cases in Counter(sites).items():
            exact = 6 * n_cases / len(sites)
            assert np.floor(exact) <= share[site] <= np.ceil(exact)
        counts.update(drawn)
    rates = np.array([counts[row] for row in range(len(sites))]) / 3000
    np.testing.assert_allclose(rates, 1 / 3, atol=0.04)


def test_a_draw_of_all_cases_from_one_site_is_all_cases() -> None:
    found = draw_from_sites(["a"] * 5, 5, generator=np.random.default_rng(0))
    assert found.tolist() == list(range(5))


def test_a_site_comes_before_the_scanners_of_it(manifest: Path) -> None:
    scanners = with_column(manifest, "a_scanner", {n: "ABC"[n % 3] for n in range(N_CASES)})
    both = with_column(scanners, "site", {n: "DE"[n % 2] for n in range(N_CASES)})
    assert sites_of(find_cohort(both)).grouping == "site"


@pytest.mark.parametrize("name", ["site", "Scanner_ID", "Centre"])
def test_a_column_that_names_sites_stratifies(manifest: Path, name: str) -> None:
    column = {number: "ABC"[number % 3] for number in range(N_CASES)}
    found = sites_of(find_cohort(with_column(manifest, name, column)))
    assert found.grouping == name
    assert found.of(("case00", "case04")) == ("A", "B")


def test_without_a_column_voxel_sizes_tell_sites_apart(manifest: Path) -> None:
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    for number in range(0, N_CASES, 2):
        for path in (manifest.parent / f"case{number:02d}").glob("*.nii.gz"):
            save_nifti(path, np.zeros((20, 20, 20), np.float32), affine=affine)
    found = sites_of(find_cohort(manifest))
    assert found.grouping == "voxel-size"
    assert len({*found.of_case.values()}) == 2


def test_draws_by_site_are_compared_and_the_page_says_what_the_sites_are(
    manifest: Path, tmp_path: Path
) -> None:
    sites = with_column(manifest, "site", {n: "AB"[n % 2] for n in range(N_CASES)})
    found = run(sites, tmp_path)
    outcomes = found["outcomes"]
    assert isinstance(outcomes, list)
    assert "SiteStratifiedRandom" in {o["strategy"] for o in outcomes}
    page = (tmp_path / "run" / "retrospect.html").read_text(encoding="utf-8")
    assert "SiteStratifiedRandom draws from 2 groups of site (6 cases each)" in page
    lines = (tmp_path / "run" / "trainings.jsonl").read_text(encoding="utf-8").splitlines()
    plans = [json.loads(line) for line in lines if '"plan/' in line]
    for plan in plans:
        for strategy, _, _, cases in plan["content"]["trainings"]:
            if strategy == "SiteStratifiedRandom":
                in_a = sum(int(case[-2:]) % 2 == 0 for case in cases)
                assert in_a in (1, 2)


def test_one_site_gets_its_sentence(manifest: Path, tmp_path: Path) -> None:
    found = run(manifest, tmp_path)
    assert "One site: no column such as site or scanner tells the cases apart" in notes(found)
    assert "do not speak for any other site" in notes(found)
    outcomes = found["outcomes"]
    assert isinstance(outcomes, list)
    assert "SiteStratifiedRandom" not in {o["strategy"] for o in outcomes}
    assert "SiteStratifiedRandom" in notes(found)  # asked for, and not compared


def test_cases_that_do_not_belong_together_are_named_and_take_part(
    manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = manifest.parent / "case04"
    shutil.copyfile(case / "t1.nii.gz", case / "t2.nii.gz")
    found = run(manifest, tmp_path)
    told = " ".join((capsys.readouterr().err).split())
    assert "Case case04 takes part, but look at its images." in told
    assert "--leave-out case04" in notes(found)
    assert found["n_cases"] == N_CASES
    page = (tmp_path / "run" / "retrospect.html").read_text(encoding="utf-8")
    assert "--leave-out case04" in page
    other = tmp_path / "other"
    without = run(manifest, other, "--leave-out", "case04")
    assert without["n_cases"] == N_CASES - 1
    assert "flagged no case" in notes(without)


def test_the_check_sees_the_cases_that_take_part_and_says_what_it_and_the_cohort_know(
    manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cohort = replace(find_cohort(manifest), duplicates={"case01": "It occurs twice."})
    record = open_record(cohort.root, folder=tmp_path / "record")
    prepared = prepare_for_selection(cohort, None, record, NullReporter())
    whole = read_labelled_cohort(prepared, values=(), seed=0, reporter=NullReporter())
    labelled = replace(whole, cases=(*whole.cases[:2], *whole.cases[3:]))
    asked: list[object] = []

    def measured(cases: PreparedCohort, patient_ids: tuple[str, ...], *_: object, **__: object):
        asked.append((cases.case_ids, tuple(patient_ids)))

    flag = SimpleNamespace(reason="T2 lies off.")
    monkeypatch.setattr(pairing_check, "measure_alignment", measured)
    monkeypatch.setattr(pairing_check, "pairing_flags", lambda _: {"case05": (flag,)})
    log = TrainingLog(tmp_path, "")
    for _ in range(2):  # the second time from the log
        found = pairing_check.cases_to_check(labelled, cohort, record, log, NullReporter())
        assert found == {"case01": ["It occurs twice."], "case05": ["T2 lies off."]}
    assert asked == [(labelled.case_ids, labelled.patient_ids)]


def test_cases_that_an_earlier_selection_held_back_are_named(
    manifest: Path, tmp_path: Path
) -> None:
    record = open_record(find_cohort(manifest).root, folder=tmp_path / "record")
    record.change_states({"case02": CaseState.CHECK_PAIRING}, seen_revision=0)
    assert "case02: An earlier selection held it back" in notes(run(manifest, tmp_path))


def test_what_a_selection_measured_of_a_case_is_not_measured_again(
    manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("--estimator", "local")
    places = ("--output", str(tmp_path / "selection"), "--record", str(tmp_path / "record"))
    assert main(["select", str(manifest), "--budget", "3", *places, *words]) == 0
    measured: Counter[str] = Counter()

    def count(module: ModuleType, name: str) -> None:
        whole = getattr(module, name)

        def counted(*arguments: object, **options: object) -> object:
            measured[f"{module.__name__}.{name}"] += 1
            return whole(*arguments, **options)

        monkeypatch.setattr(module, name, counted)

    count(features, "case_features")
    count(features, "normalized_mutual_information")
    count(local_samples, "case_features")
    count(case_edges, "best_shift")
    kept = run(manifest, tmp_path, *words)
    assert not measured
    anew = run(manifest, tmp_path / "other", *words)
    assert len(measured) == 4
    assert kept["outcomes"] == anew["outcomes"]


def test_an_empty_label_leaves_its_case_out_by_name_and_the_others_go_on(
    manifest: Path, tmp_path: Path
) -> None:
    save_nifti(manifest.parent / "case03" / "seg.nii.gz", np.zeros((20, 20, 20), np.uint8))
    found = run(manifest, tmp_path)
    assert found["n_cases"] == N_CASES - 1
    assert "Case case03 is left out: expected a labeled voxel within the body" in notes(found)
