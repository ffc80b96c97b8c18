"""What earlier versions saved opens with this one, and gives the numbers that it gave then.

`Testing/Data/make_saved.py` tells what is saved. Only commands and files are used here: how the
libraries are arranged inside does not matter to what users have.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from scipy import ndimage

from CIMLSegmentLib.__main__ import main as segmenter
from MDALSelectorLib.__main__ import main as selector

ROOT = Path(__file__).parents[2]
VERSIONS = sorted((ROOT / "Testing" / "Data").glob("version-*"))
RUN, MODELS = Path("runs/001-DiverseMD-4"), Path("models")
LABELLED = {f"case-{number:02d}" for number in range(1, 9)}
DECIDED = {"case-20": "in progress", "case-21": "skipped", "case-22": "check pairing"}
# Networks and rankings are computed anew, perhaps on a processor that rounds otherwise.
NATS, MAP_VALUE, EQUAL_VOXELS, LOSS = 1e-3, 1e-4, 0.999, 1e-2


@pytest.fixture(params=VERSIONS, ids=lambda path: path.name)
def saved(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of what a version saved, with the record where the program looks for it."""
    folder = tmp_path / "saved"
    shutil.copytree(request.param, folder)
    (folder / "record").rename(folder / "cohort" / ".crossmodal")
    return folder


def record(saved: Path) -> Path:
    return saved / "cohort" / ".crossmodal"


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def array(path: Path) -> np.ndarray:
    return sitk.GetArrayFromImage(sitk.ReadImage(str(path)))


def assert_same_table(found: Path, expected: Path, columns: set[str], tolerance: float) -> None:
    """Compare some columns: numbers within a tolerance, texts exactly."""
    rows, expected_rows = table(found), table(expected)
    assert len(rows) == len(expected_rows) > 0
    for row, wanted in zip(rows, expected_rows, strict=True):
        assert columns <= wanted.keys()
        for name in columns:
            try:
                number = float(wanted[name])
            except ValueError:
                assert row[name] == wanted[name], (wanted, name)
            else:
                assert float(row[name]) == pytest.approx(number, abs=tolerance), (wanted, name)


def assert_same_result(found: Path, expected: Path) -> None:
    """Compare a result folder with an earlier one of the same case and model."""
    names = {path.name for path in expected.glob("*.nii.gz")}
    assert {path.name for path in found.glob("*.nii.gz")} == names
    labels = array(expected / "segmentation.nii.gz")
    assert set(np.unique(labels)) == {0, 1, 2}
    assert (array(found / "segmentation.nii.gz") == labels).mean() >= EQUAL_VOXELS
    for name in names - {"segmentation.nii.gz"}:
        values, wanted = array(found / name), array(expected / name)
        assert np.ptp(wanted) > 0, name
        if name.startswith("attention_"):  # version 0.1.0 showed it in air, too
            body = ndimage.binary_erosion(values > 0)
            assert 0.2 < body.mean() < 0.6, name
            values, wanted = values[body], wanted[body]
        # Files keep 12 bits of the mantissa: two neighbors among such numbers are alike.
        assert np.allclose(values, wanted, rtol=2.0**-11, atol=MAP_VALUE), name


def test_something_is_saved() -> None:
    assert VERSIONS


# --- the record of a cohort -------------------------------------------------------------------


def test_names_that_were_corrected_are_known_from_the_record(
    saved: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert selector(["inspect", str(saved / "cohort"), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["n_cases"] == 32
    assert sorted(report["modalities"]) == ["FLAIR", "T1c"]


def test_the_same_seed_ranks_as_it_did_and_states_are_kept(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Version 0.1.0 limited neither features nor critics of odd cases: without limits it comes back.
    monkeypatch.setattr("MDALSelectorLib.estimation.gaussian.MAX_DEVIATIONS", float("inf"))
    monkeypatch.setattr("MDALSelectorLib.estimation.gaussian._FLOOR", -1e9)
    states = record(saved) / "cases.json"
    saved_states = states.read_text(encoding="utf-8")
    before = json.loads(saved_states)["cases"]
    ranked = json.loads(saved_states)  # when it was ranked, no case had been skipped yet
    del ranked["cases"]["case-21"]
    states.write_text(json.dumps(ranked), encoding="utf-8")
    options = ("--budget", "4", "--estimator", "gaussian", "--device", "cpu")
    command = ["select", str(saved / "cohort"), *options, "--output"]
    assert selector([*command, str(saved / "again")]) == 0
    columns = {"rank", "case", "suggested", "labelled", "modality difference"}
    columns |= {"PMI FLAIR-T1c (nats)"}
    expected = record(saved) / RUN / "selection.csv"
    assert_same_table(saved / "again" / "selection.csv", expected, columns, NATS)

    states.write_text(saved_states, encoding="utf-8")
    assert selector([*command, str(saved / "with-states")]) == 0
    rows = table(saved / "with-states" / "selection.csv")
    assert {row["case"] for row in rows if row["labelled"] == "yes"} == LABELLED
    suggested = {row["case"] for row in rows if row["suggested"] == "yes"}
    assert len(suggested) == 4
    assert "case-21" not in suggested
    after = json.loads(states.read_text(encoding="utf-8"))["cases"]
    kept = LABELLED | {name for name, state in DECIDED.items() if state != "check pairing"}
    for name in kept:  # later versions keep more of a case, and nothing else of these
        assert before[name].items() <= after[name].items()
    assert all(before[name]["state"] == state for name, state in DECIDED.items())


def test_the_report_of_a_run_is_written_again(saved: Path) -> None:
    run = record(saved) / RUN
    assert not (run / "report.html").exists()
    assert selector(["report", str(run)]) == 0
    page = (run / "report.html").read_text(encoding="utf-8")
    suggested = [row for row in table(run / "selection.csv") if row["suggested"] == "yes"]
    assert len(suggested) == 4
    for row in suggested:
        assert row["case"] in page
        assert f"{row['case']}.png" in page or "data:image/png" in page


# --- models and results -----------------------------------------------------------------------


def test_a_model_segments_as_it_did(saved: Path) -> None:
    model, output = record(saved) / MODELS / "two-regions", saved / "again"
    arguments = ["segment", str(saved / "cohort"), "--case", "case-30", "--model", str(model)]
    maps = ["--attention", "--no-influence", "--gradcam", "--uncertainty", "--device", "cpu"]
    assert segmenter([*arguments, "--output", str(output), *maps]) == 0
    assert_same_result(output / "case-30", saved / "results" / "case-30")


def test_a_killed_training_goes_on_as_it_did(saved: Path) -> None:
    model, run = record(saved) / MODELS / "interrupted", record(saved) / RUN
    options = {
        "--task": saved / "task.json",
        "--settings": saved / "settings.json",
        "--output": model,
        "--suggested-by": run,  # that run counted the labeled cases as such
        "--validation-case": "case-08",
        "--largest-patch": 16,
        "--steps": 60,
        "--validate-every": 30,
        "--seed": 1,
        "--device": "cpu",
    }
    arguments = [str(part) for option in options.items() for part in option]
    assert segmenter(["train", str(saved / "cohort"), "--resume", *arguments]) == 0
    lines = [
        path.read_text(encoding="utf-8").splitlines()
        for path in (model / "training" / "log.jsonl", saved / "resumed.jsonl")
    ]
    found, expected = ([json.loads(line) for line in part] for part in lines)
    assert [entry["step"] for entry in found] == [entry["step"] for entry in expected]
    assert expected[-1]["step"] == 60
    losses = [[e["loss"] for e in entries if "loss" in e] for entries in (found, expected)]
    assert losses[0] == pytest.approx(losses[1], rel=LOSS)


def test_a_bundle_runs_with_monai_as_the_model_does(saved: Path) -> None:
    case = saved / "one" / "case-30"
    case.mkdir(parents=True)
    for name, sequence in (("flair", "flair"), ("seq7", "t1c")):
        shutil.copy(saved / f"cohort/case-30/case-30_{name}.nii.gz", case / f"{sequence}.nii.gz")
    settings = {
        "config_file": "configs/inference.json",
        "dataset_dir": str(saved / "one"),
        "output_dir": str(saved / "again"),
    }
    call = f"from monai.bundle import run; run(**{settings!r})"
    path = os.pathsep.join(str(ROOT / name) for name in ("MDALSelector", "CIMLSegment"))
    done = subprocess.run(
        [sys.executable, "-c", call],
        cwd=saved / "bundle",
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found, expected = (saved / name / "case-30" for name in ("again", "results"))
    labels = "segmentation.nii.gz"
    assert (array(found / labels) == array(expected / labels)).mean() >= EQUAL_VOXELS
    assert array(found / labels).any()


def test_results_are_compared_with_labels_as_they_were(saved: Path) -> None:
    arguments = ["evaluate", str(saved / "results"), "--reference", str(saved / "reference")]
    assert segmenter([*arguments, "--output", str(saved / "again")]) == 0
    columns = {"case", "region", "dice", "hd95_mm", "predicted_ml", "reference_ml", "has_result"}
    names = (saved / folder / "evaluation.csv" for folder in ("again", "evaluation"))
    assert_same_table(*names, columns, 1e-6)


def test_results_are_shown_on_a_page(saved: Path) -> None:
    arguments = ["report", str(saved / "results"), "--images", str(saved / "cohort")]
    assert segmenter([*arguments, "--output", str(saved / "page.html")]) == 0
    page = (saved / "page.html").read_text(encoding="utf-8")
    assert "case-30" in page
    assert "case-31" in page
    assert "data:image/" in page
