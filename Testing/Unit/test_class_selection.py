"""A cohort to classify from the command line: classes, selection, drafts, report, retrospect."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import pytest
from classified_toy import NAMES, classified_toy, true_class

from MDALSelectorLib.__main__ import main
from MDALSelectorLib.inspection.acquisition_groups import acquisition_groups
from MDALSelectorLib.selection.run_folder import read_selection
from MultimodalImagingLib.cohorts.class_labels import new_class_label, save_class_label
from MultimodalImagingLib.cohorts.cohort import find_cohort
from MultimodalImagingLib.record.class_task import read_class_task, task_of_names, write_class_task
from MultimodalImagingLib.record.cohort_record import CaseState, open_record

N_CASES, N_KNOWN = 24, 14
SELECT = ("--budget", "3", "--estimator", "gaussian")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the manifest of a cohort, with a class in 14 of 24 cases, that was ranked once."""
    folder = tmp_path_factory.mktemp("classified")
    classes = [true_class(n) if n < N_KNOWN else "" for n in range(N_CASES)]
    manifest = classified_toy(folder / "cohort", classes)
    assert main(["classes", str(manifest), "--from-cohort"]) == 0
    run = str(folder / "run")
    assert main(["select", str(manifest), *SELECT, "--strategy", "Epistemic", "--output", run]) == 0
    return manifest


@pytest.fixture
def manifest(prepared: Path, tmp_path: Path) -> Path:
    """Return a copy of the cohort with what was kept of it; the images are the same files."""
    shutil.copytree(prepared.parent / ".crossmodal", tmp_path / ".crossmodal")
    return Path(shutil.copy(prepared, tmp_path / "cases.csv"))


def select(manifest: Path, *options: str) -> Path:
    run = manifest.parent / "new-run"
    assert main(["select", str(manifest), *SELECT, "--output", str(run), *options]) == 0
    return run


def test_a_class_that_shows_in_the_images_is_drafted(prepared: Path) -> None:
    run = prepared.parent.parent / "run"
    selection = read_selection(run)
    found = selection.classes
    assert found is not None
    assert found.counts == {"left": N_KNOWN // 2, "right": N_KNOWN // 2}
    assert {*found.drafts} == {f"case{n:02d}" for n in range(N_KNOWN, N_CASES)}
    right = [found.drafts[f"case{n:02d}"].name == true_class(n) for n in range(N_KNOWN, N_CASES)]
    assert sum(right) >= 8
    assert found.cross_validated is not None
    assert found.cross_validated.is_above_chance
    labelled = {case.case_id for case in selection.cases if case.labelled}
    assert labelled == {f"case{n:02d}" for n in range(N_KNOWN)}


def test_epistemic_suggests_the_least_sure_drafts_and_says_so(prepared: Path) -> None:
    selection = read_selection(prepared.parent.parent / "run")
    assert selection.classes is not None
    drafts = selection.classes.drafts
    candidates = [c.case_id for c in selection.cases if c.state in ("suggested", "unlabelled")]
    expected = sorted(candidates, key=lambda case: -drafts[case].entropy_nats)[:3]
    assert [case.case_id for case in selection.suggested] == expected
    first = selection.suggested[0]
    assert (
        f"uncertainty about its draft is {drafts[first.case_id].entropy_nats:.3f}" in first.reason
    )


def test_table_and_report_tell_drafts_from_classes(prepared: Path) -> None:
    run = prepared.parent.parent / "run"
    rows = list(csv.DictReader(io.StringIO((run / "selection.csv").read_text("utf-8"))))
    of_case = {row["case"]: row for row in rows}
    assert of_case["case00"]["class"] == true_class(0)
    assert of_case["case00"]["draft class"] == ""
    assert of_case["case20"]["class"] == ""
    assert 0.5 <= float(of_case["case20"]["draft probability"]) <= 1.0
    page = (run / "report.html").read_text("utf-8")
    assert "14 cases of 24 have a class." in page
    assert "Drafts are told from chance" in page
    assert "Draft, no label: <b>" in page


def test_classes_that_readers_give_lock_cases_in_and_count_first(manifest: Path) -> None:
    record = open_record(manifest)
    save_class_label(record, new_class_label("case20", "AB", "left"))
    save_class_label(record, new_class_label("case00", "AB", "right"))
    selection = read_selection(select(manifest, "--strategy", "Random"))
    assert selection.classes is not None
    assert selection.classes.given["case20"] == "left"
    assert selection.classes.given["case00"] == "right"
    assert "case20" not in selection.classes.drafts
    assert not any(c.suggested for c in selection.cases if c.case_id in ("case20", "case00"))
    states = record.read_states()
    assert states.of("case20") is CaseState.LABELLED


def test_with_the_rule_record_classes_that_the_cohort_came_with_do_not_count(
    manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    selection = read_selection(select(manifest, "--strategy", "Random", "--labelled", "record"))
    assert selection.classes is not None
    assert selection.classes.given == {}
    assert selection.classes.drafts == {}
    assert "No drafts: expected two classes" in capsys.readouterr().err


def test_epistemic_without_drafts_says_what_to_do(
    manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ("--output", str(manifest.parent / "new-run"))
    words = ["select", str(manifest), *SELECT, *run, "--strategy", "Epistemic"]
    assert main([*words, "--labelled", "record"]) == 2
    assert "Label more cases. Or choose another strategy." in capsys.readouterr().err


@pytest.mark.evidence  # test_class_learner asks the same of the learner alone
def test_shuffled_classes_are_not_told_from_chance(manifest: Path) -> None:
    """The skeptic's control: what does not show in the images is not found in them."""
    shuffled = "LRRLLRLLRRLRRL"
    rows = ["case,class"]
    rows += [f"case{n:02d},{NAMES['LR'.index(s)]}" for n, s in enumerate(shuffled)]
    (manifest.parent / "classes.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    selection = read_selection(select(manifest, "--strategy", "Random"))
    assert selection.classes is not None
    found = selection.classes.cross_validated
    assert found is not None
    assert not found.is_above_chance
    assert "not told from chance" in selection.classes.sentence


@pytest.mark.evidence  # test_class_learner asks the same of the learner alone
def test_a_class_that_follows_the_site_is_found_out(manifest: Path) -> None:
    lines = manifest.read_text("utf-8").splitlines()
    sites = ["site", *(f"scanner {true_class(n)}" for n in range(N_CASES))]
    text = "\n".join(f"{line},{site}" for line, site in zip(lines, sites, strict=True))
    manifest.write_text(text + "\n", encoding="utf-8")
    selection = read_selection(select(manifest, "--strategy", "Random"))
    assert selection.classes is not None
    assert any(remark.startswith("Classes follow site") for remark in selection.classes.remarks)


def test_the_class_is_no_group_of_acquisition(prepared: Path) -> None:
    assert "class" not in acquisition_groups(find_cohort(prepared))


def test_the_command_sets_imports_and_exports(
    manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "theirs.csv"
    table.write_text("uid,class\ncase20,LEFT\ncase21,odd\ncase22,right\n", encoding="utf-8")
    words = ["classes", str(manifest), "--events"]
    assert main([*words, "--import", str(table), "--reader", "CD"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    result = next(event for event in events if event["event"] == "result")
    assert result["by readers"] == {"CD": 2}
    assert result["without a class"] == N_CASES - N_KNOWN - 2
    assert any("found odd (1)" in event.get("message", "") for event in events)
    table.write_text("uid,class\ncase20,right\n", encoding="utf-8")
    assert main([*words, "--import", str(table), "--reader", "CD"]) == 0
    assert "gave 1 case another class before, which is kept" in capsys.readouterr().out
    out = tmp_path / "classes-out.csv"
    assert main([*words, "--export", str(out)]) == 0
    rows = {row["uid"]: row for row in csv.DictReader(io.StringIO(out.read_text("utf-8")))}
    assert rows["case20"]["class"] == "left"
    assert rows["case23"]["class"] == ""


def test_the_command_refuses_to_drop_classes_and_makes_it_a_cohort_to_segment_again(
    manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = open_record(manifest)
    save_class_label(record, new_class_label("case20", "AB", "left"))
    assert main(["classes", str(manifest), "--names", "up,down"]) == 2
    assert "not among the new ones: left (1)" in capsys.readouterr().err
    assert main(["classes", str(manifest), "--names", "left,right,both"]) == 0
    task = read_class_task(record)
    assert task is not None
    assert task.names == ("left", "right", "both")
    assert main(["classes", str(manifest), "--remove"]) == 0
    assert read_class_task(record) is None
    assert main(["classes", str(manifest)]) == 2
    assert "Give them with --names" in capsys.readouterr().err


def test_a_retrospective_of_classes_tells_balanced_accuracy(manifest: Path) -> None:
    rows = ["case,class", *(f"case{n:02d},{true_class(n)}" for n in range(N_CASES))]
    (manifest.parent / "classes.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    run = manifest.parent / "replayed"
    words = ["retrospect", str(manifest), "--budgets", "4,8", "--draws", "3", "--folds", "2"]
    words += ["--partitions", "1", "--strategy", "KCenter", "--estimator", "gaussian"]
    assert main([*words, "--output", str(run)]) == 0
    found = json.loads((run / "retrospect.json").read_text("utf-8"))
    assert found["learner"] == "classifier"
    assert found["n_cases"] == N_CASES
    few, more = found["bands"]
    assert few["full"] > 0.75
    assert 0.4 < few["median"] <= more["median"] + 0.1
    assert any("naming one class every time reaches 0.50" in note for note in found["notes"])
    page = (run / "retrospect.html").read_text("utf-8")
    assert "Balanced accuracy against the number of labels" in page
    assert "balanced accuracy" in (run / "retrospect.csv").read_text("utf-8").splitlines()[0]
    assert main([*words, "--output", str(run)]) == 0  # its own folder, from what is kept


def test_the_learner_classifier_needs_classes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = classified_toy(tmp_path, ["left", "right"])
    assert main(["retrospect", str(manifest), "--learner", "classifier"]) == 2
    assert "found no classes in its record" in capsys.readouterr().err
    write_class_task(open_record(manifest), task_of_names(NAMES))
    assert main(["retrospect", str(manifest), "--learner", "classifier"]) == 2
    assert "at least 10 cases with a class, found 2" in capsys.readouterr().err
