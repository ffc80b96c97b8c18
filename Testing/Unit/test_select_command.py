"""The command line from a folder to a run, as a user runs it."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from phantoms import plain_cohort

from MDALSelectorLib.__main__ import main
from MultimodalImagingLib.record.cohort_record import CaseState, open_record

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "MDALSelector")}


def select(cohort: Path, folder: Path, *options: str) -> int:
    arguments = [str(cohort), "--record", str(folder / "record"), "--estimator", "gaussian"]
    return main(["select", *arguments, *options])


def table(run: Path) -> list[dict[str, str]]:
    with (run / "selection.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def reproducible_files(run: Path) -> dict[str, bytes]:
    return {
        path.relative_to(run).as_posix(): path.read_bytes()
        for path in sorted(run.rglob("*"))
        if path.is_file() and path.name != "log.jsonl"
    }


@pytest.fixture(scope="module")
def first_run(synthetic_cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("first")
    assert select(synthetic_cohort, folder, "--budget", "20%", "--output", f"{folder}/run") == 0
    return folder


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten small cases, one of which lacks T1, and a run of them beside; do not change it."""
    folder = tmp_path_factory.mktemp("few")
    plain_cohort(folder / "cohort", n_cases=10)
    (folder / "cohort" / "case03" / "t1.nii.gz").unlink()
    options = ("--budget", "20%", "--output", f"{folder}/run")
    assert select(folder / "cohort", folder, *options) == 0
    return folder


def test_run_holds_what_the_product_promises(first_run: Path) -> None:
    names = {path.name for path in (first_run / "run").iterdir()}
    assert names == {
        "selection.csv",
        "selection.json",
        "embeddings.safetensors",
        "thumbnails",
        "log.jsonl",
        "report.html",
    }


def test_all_cases_are_ranked_and_a_fifth_is_suggested(first_run: Path) -> None:
    rows = table(first_run / "run")
    assert [int(row["rank"]) for row in rows] == list(range(1, 35))
    assert [row["suggested"] for row in rows].count("yes") == 7
    assert all(row["suggested"] == "yes" for row in rows[:7])
    assert all(row["reason"] for row in rows[:7])


def test_cases_that_lack_a_modality_are_scored_and_marked(first_run: Path) -> None:
    rows = {row["case"]: row for row in table(first_run / "run")}
    for case in ("case-002", "case-006", "case-034"):
        assert "incomplete: It lacks T1" in rows[case]["flags"]
        assert rows[case]["modality difference"]
        assert not rows[case]["PMI T1-T2 (nats)"]
        assert rows[case]["PMI FLAIR-T2 (nats)"]


def test_mispaired_cases_are_to_be_checked_and_not_suggested(first_run: Path) -> None:
    rows = {row["case"]: row for row in table(first_run / "run")}
    for case in ("case-004", "case-008", "case-011"):
        assert "check pairing" in rows[case]["flags"]
        assert rows[case]["suggested"] == "no"


def test_same_seed_gives_the_same_bytes_in_another_record(few: Path, tmp_path: Path) -> None:
    select(few / "cohort", tmp_path, "--budget", "20%", "--output", f"{tmp_path}/run")
    assert reproducible_files(tmp_path / "run") == reproducible_files(few / "run")


def test_order_of_the_folder_listing_does_not_matter(
    few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda self: iter(sorted(listed(self), reverse=True)))
    select(few / "cohort", tmp_path, "--budget", "20%", "--output", f"{tmp_path}/run")
    assert reproducible_files(tmp_path / "run") == reproducible_files(few / "run")


def test_another_strategy_reads_no_image_and_estimates_nothing(
    synthetic_cohort: Path, first_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        pytest.fail("an image was read or scores were estimated again")

    monkeypatch.setattr("MultimodalImagingLib.preparation.case_preparation.read_volume", refuse)
    monkeypatch.setattr("MDALSelectorLib.selection.scoring.estimate_scores", refuse)
    options = ("--strategy", "maxmd", "--budget", "3", "--output", f"{tmp_path}/run")
    assert select(synthetic_cohort, first_run, *options) == 0
    assert [row["suggested"] for row in table(tmp_path / "run")].count("yes") == 3


def test_record_knows_what_is_suggested_and_keeps_what_people_decided(
    synthetic_cohort: Path, first_run: Path, tmp_path: Path
) -> None:
    shutil.copytree(first_run / "record" / "cache", tmp_path / "record" / "cache")
    record = open_record(synthetic_cohort, folder=tmp_path / "record")
    first = next(row["case"] for row in table(first_run / "run") if row["suggested"] == "yes")
    record.change_states({"case-020": CaseState.LABELLED})
    record.change_states({first: CaseState.SKIPPED}, note="PET is cut off")
    select(synthetic_cohort, tmp_path, "--budget", "5", "--output", f"{tmp_path}/run")
    states = record.read_states()
    rows = table(tmp_path / "run")
    assert states.of("case-020") is CaseState.LABELLED
    assert states.of(first) is CaseState.SKIPPED
    suggested = [row["case"] for row in rows if row["suggested"] == "yes"]
    assert not {"case-020", first} & set(suggested)
    assert all(states.of(case) is CaseState.SUGGESTED for case in suggested)
    assert rows[-1]["case"] == "case-020"
    assert rows[-1]["labelled"] == "yes"
    row = next(row for row in rows if row["case"] == first)
    assert row["flags"].startswith("skipped")
    assert row["reason"].startswith("Skipped: PET is cut off.")


def test_accepted_case_may_be_suggested(
    synthetic_cohort: Path, first_run: Path, tmp_path: Path
) -> None:
    options = ("--budget", "3", "--strategy", "MaxMD", "--accept", "case-011")
    assert select(synthetic_cohort, first_run, *options, "--output", f"{tmp_path}/run") == 0
    rows = {row["case"]: row for row in table(tmp_path / "run")}
    assert "pairing accepted" in rows["case-011"]["flags"]


def test_label_files_count_as_labels_unless_every_case_has_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cohort = plain_cohort(tmp_path / "cohort", kinds=("T1", "T2"))
    unlabelled = sorted(cohort.glob("*/seg.nii.gz"))[5:]
    for path in unlabelled:
        path.rename(tmp_path / path.parent.name)
    select(cohort, tmp_path, "--budget", "2", "--output", f"{tmp_path}/some")
    assert [row["labelled"] for row in table(tmp_path / "some")].count("yes") == 5
    for path in unlabelled:
        (tmp_path / path.parent.name).rename(path)
    select(cohort, tmp_path, "--budget", "2", "--output", f"{tmp_path}/all")
    assert [row["labelled"] for row in table(tmp_path / "all")].count("yes") == 0
    assert "as if they had none" in capsys.readouterr().err.replace("\n", " ")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--budget", "0.2"), "Write 20% for that share."),
        (("--budget", "500"), "between 1 case and all 34 cases"),
        (("--budget", "2", "--accept", "nobody"), "There is no case nobody"),
        (("--budget", "2", "--spacing", "0"), "Expected a working spacing between"),
        (("--budget", "2", "--strategy", "Score", "--score-column", "age"), "no further column"),
    ],
)
def test_wrong_options_are_explained_and_exit_with_2(
    synthetic_cohort: Path,
    first_run: Path,
    options: tuple[str, ...],
    sentence: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert select(synthetic_cohort, first_run, *options) == 2
    assert sentence in capsys.readouterr().err.replace("\n", " ")


def test_missing_folder_is_explained_and_exits_with_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert select(tmp_path / "nowhere", tmp_path, "--budget", "2") == 2
    assert "nowhere" in capsys.readouterr().err


def test_output_folder_with_other_files_is_left_alone(
    synthetic_cohort: Path, first_run: Path, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    options = ("--budget", "2", "--output", str(tmp_path))
    assert select(synthetic_cohort, first_run, *options) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_events_are_json_lines_that_end_with_the_result(
    synthetic_cohort: Path, first_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--budget", "2", "--output", f"{tmp_path}/run", "--events")
    assert select(synthetic_cohort, first_run, *options) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert events[-1]["event"] == "result"
    assert Path(events[-1]["report"]).is_file()
    progress = [event for event in events if event["event"] == "progress"]
    assert progress
    assert all({"stage", "done", "total", "eta_s"} <= event.keys() for event in progress)


def test_cancelled_job_exits_with_130_and_leaves_a_valid_record(
    synthetic_cohort: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "MDALSelectorLib", "select", str(synthetic_cohort)]
    command += ["--budget", "2", "--record", f"{tmp_path}/record", "--events"]
    with subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as job:
        assert job.stdout is not None
        for line in job.stdout:
            event = json.loads(line)
            if event.get("stage") == "Prepare images" and event["done"] >= 2:
                break
        job.send_signal(signal.SIGTERM)
        rest = [json.loads(line) for line in job.stdout]
        assert job.wait(timeout=120) == 130
    assert rest[-1]["event"] == "error"
    assert all(event.get("stage", "Prepare images") == "Prepare images" for event in rest)
    assert open_record(synthetic_cohort, folder=tmp_path / "record").read_states().revision == 0
    assert not list((tmp_path / "record").rglob(".unfinished-*"))


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return plain_cohort(tmp_path / "cohort", n_cases=5, kinds=("T1", "T2"))


def test_the_report_of_a_run_is_written_again(small: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert select(small, tmp_path, "--budget", "1", "--output", str(run)) == 0
    page = (run / "report.html").read_bytes()
    (run / "report.html").unlink()
    assert main(["report", str(run)]) == 0
    assert (run / "report.html").read_bytes() == page
    (run / "report.html").write_text("mine")
    assert main(["report", str(run)]) == 2
    assert (run / "report.html").read_text() == "mine"


def test_a_run_is_replaced_by_another_but_never_with_foreign_files(
    small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    again = ("--output", str(run))
    assert select(small, tmp_path, "--budget", "1", *again) == 0
    assert select(small, tmp_path, "--budget", "2", *again) == 0
    assert select(small, tmp_path, "--budget", "1", "--strategy", "Random", *again) == 0
    (run / "thumbnails" / "mine.png").write_text("mine")
    assert select(small, tmp_path, "--budget", "2", *again) == 2
    assert "thumbnails/mine.png" in capsys.readouterr().err
    (run / "thumbnails" / "mine.png").unlink()
    (run / "selection.csv").write_text((run / "selection.csv").read_text() + "my notes\n")
    assert select(small, tmp_path, "--budget", "2", *again) == 2
    assert "my notes" in (run / "selection.csv").read_text()


def test_a_case_with_doubled_images_is_not_suggested_until_accepted(
    small: Path, tmp_path: Path
) -> None:
    shutil.copy(small / "case02" / "t1.nii.gz", small / "case02" / "t2.nii.gz")
    run = tmp_path / "run"
    assert select(small, tmp_path, "--budget", "4", "--output", str(run)) == 0
    rows = {row["case"]: row for row in table(run)}
    assert [name for name, row in rows.items() if row["suggested"] == "no"] == ["case02"]
    assert "byte for byte" in rows["case02"]["flags"]
    accepted = ("--accept", "case02", "--output", str(tmp_path / "accepted"))
    assert select(small, tmp_path, "--budget", "5", *accepted) == 0
    assert {row["suggested"] for row in table(tmp_path / "accepted")} == {"yes"}
