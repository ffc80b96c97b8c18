"""Evaluation: scores, pooling, missing cases, and what the command writes."""

from __future__ import annotations

import csv
import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from CIMLSegmentLib.__main__ import main
from CIMLSegmentLib.commands.evaluate import find_references
from CIMLSegmentLib.results.evaluation import Evaluation, evaluate_results
from CIMLSegmentLib.results.evaluation_files import read_evaluation, remarks, write_evaluation
from CIMLSegmentLib.results.result_io import write_result
from CIMLSegmentLib.results.segmentation_report import ReportRequest, write_segmentation_report
from CIMLSegmentLib.results.segmentation_result import SegmentationResult
from CIMLSegmentLib.task.task import Task
from CIMLSegmentLib.task.task_io import load_task
from MultimodalImagingLib.errors import CohortError, CrossModalError
from MultimodalImagingLib.images.geometry import Grid, Volume
from MultimodalImagingLib.images.stored_image import ImageFile
from MultimodalImagingLib.images.volume_io import write_volume
from MultimodalImagingLib.jobs.progress import NullReporter

GRID = Grid((20, 18, 10), (1.0, 1.0, 3.0), (0.0, 5.0, -7.0), tuple(np.eye(3).ravel()))


def box(start: int, length: int, value: int = 1) -> np.ndarray:
    """A box 3 x 4 x `length` voxels that begins at `start` along I."""
    labels = np.zeros(GRID.array_shape, dtype=np.uint8)
    labels[2:5, 3:7, start : start + length] = value
    return labels


def save_result(folder: Path, case_id: str, labels: np.ndarray, task: Task | None = None) -> None:
    task = load_task("pet-ct") if task is None else task
    primary = task.subtasks[0].primary
    write_result(SegmentationResult(case_id, task, primary, Volume(labels, GRID)), folder)


def save_reference(folder: Path, case_id: str, labels: np.ndarray, grid: Grid = GRID) -> ImageFile:
    folder.mkdir(parents=True, exist_ok=True)
    write_volume(folder / f"{case_id}.nii.gz", Volume(labels, grid))
    return ImageFile(folder / f"{case_id}.nii.gz")


CASES = {
    "a": (box(2, 8), box(6, 8)),  # half overlap, 4 mm apart
    "b": (box(0, 0), box(0, 0)),  # both empty
    "c": (box(2, 4), box(0, 0)),  # false alarm
    "d": (box(0, 0), box(2, 2)),  # missed
}


@pytest.fixture
def references(tmp_path: Path) -> dict[str, ImageFile]:
    found = {}
    for case_id, (predicted, expected) in CASES.items():
        save_result(tmp_path / "results", case_id, predicted)
        found[case_id] = save_reference(tmp_path / "labels", case_id, expected)
    return found


def evaluate(
    folder: Path,
    references: dict[str, ImageFile],
    *,
    count_missing: bool = False,
    label_values: str = "",
) -> Evaluation:
    return evaluate_results(
        folder / "results",
        references,
        count_missing=count_missing,
        label_values=label_values,
        reporter=NullReporter(),
    )


def test_scores_follow_closed_forms(tmp_path: Path, references: dict[str, ImageFile]) -> None:
    scores = {score.case_id: score for score in evaluate(tmp_path, references).scores}
    assert {case: score.dice for case, score in scores.items()} == {
        "a": 0.5,
        "b": 1,
        "c": 0,
        "d": 0,
    }
    assert scores["a"].hd95_mm == pytest.approx(4)
    assert [scores[case].hd95_mm for case in "bcd"] == [0, 373.13, 373.13]
    assert scores["a"].predicted_ml == pytest.approx(3 * 4 * 8 * 3 / 1000)
    assert scores["a"].common_ml == pytest.approx(3 * 4 * 4 * 3 / 1000)


def test_the_summary_pools_cases(tmp_path: Path, references: dict[str, ImageFile]) -> None:
    (summary,) = evaluate(tmp_path, references).summary()
    assert summary.n_cases == 4
    assert summary.dice_mean == pytest.approx((0.5 + 1) / 4)
    assert summary.dice_sd == pytest.approx(np.std([0.5, 1, 0, 0], ddof=1))
    assert summary.dice_median == pytest.approx(0.25)
    assert summary.hd95_mean_mm == pytest.approx((4 + 2 * 373.13) / 4)
    assert summary.dsc_agg == pytest.approx(2 * 4 / (8 + 8 + 4 + 2))


def test_anisotropic_spacing_is_used_along_the_right_axis(tmp_path: Path) -> None:
    shifted = np.roll(box(2, 8), 2, axis=0)  # two slices of 3 mm
    save_result(tmp_path / "results", "a", box(2, 8))
    reference = save_reference(tmp_path / "labels", "a", shifted)
    (score,) = evaluate(tmp_path, {"a": reference}).scores
    assert score.hd95_mm == pytest.approx(6)


def test_missing_cases_are_listed_and_count_only_when_asked(
    tmp_path: Path, references: dict[str, ImageFile]
) -> None:
    references["z"] = save_reference(tmp_path / "labels", "z", box(2, 2))
    left_out = evaluate(tmp_path, references)
    counted = evaluate(tmp_path, references, count_missing=True)
    assert left_out.missing == counted.missing == ("z",)
    assert left_out.summary()[0].n_cases == 4
    assert counted.summary()[0].n_cases == 5
    (worst,) = [score for score in counted.scores if score.case_id == "z"]
    assert (worst.dice, worst.hd95_mm, worst.has_result) == (0, 373.13, False)
    assert counted.summary()[0].dsc_agg == pytest.approx(2 * 4 / (8 + 8 + 4 + 2 + 2))
    assert "do not count: z" in remarks(left_out)[0]
    assert "count as empty predictions: z" in remarks(counted)[0]


def test_a_missing_case_is_read_only_where_it_counts(
    tmp_path: Path, references: dict[str, ImageFile]
) -> None:
    references["z"] = save_reference(tmp_path / "labels", "z", box(2, 2))
    references["z"].path.write_bytes(b"no image")
    assert evaluate(tmp_path, references).missing == ("z",)
    with pytest.raises(CohortError, match=r"Case z: .*z\.nii\.gz"):
        evaluate(tmp_path, references, count_missing=True)


def test_what_was_said_about_values_for_training_counts_unless_something_else_is_said(
    tmp_path: Path,
) -> None:
    both = box(6, 8)
    both[0, 0, 0] = 7
    task = load_task("pet-ct")
    result = SegmentationResult("a", task, "PET", Volume(box(2, 8), GRID))
    said = dataclasses.replace(result, model={"label_values": "7=ignore"})
    write_result(said, tmp_path / "results")
    reference = save_reference(tmp_path / "labels", "a", both)
    (score,) = evaluate(tmp_path, {"a": reference}).scores
    assert score.reference_ml == pytest.approx(3 * 4 * 8 * 3 / 1000)
    (other,) = evaluate(tmp_path, {"a": reference}, label_values="1=lesion,7=lesion").scores
    assert other.reference_ml == pytest.approx((3 * 4 * 8 + 1) * 3 / 1000)


def test_results_without_reference_are_listed(
    tmp_path: Path, references: dict[str, ImageFile]
) -> None:
    save_result(tmp_path / "results", "extra", box(2, 2))
    evaluation = evaluate(tmp_path, references)
    assert evaluation.without_reference == ("extra",)
    assert "extra" in remarks(evaluation)[0]


def test_cases_that_the_model_has_seen_are_named_beside_the_scores(
    tmp_path: Path, references: dict[str, ImageFile]
) -> None:
    assert evaluate(tmp_path, references).seen == ()
    task = load_task("pet-ct")
    for name in ("c", "extra"):
        known = SegmentationResult(name, task, "PET", Volume(box(2, 4), GRID), is_seen=True)
        write_result(known, tmp_path / "results", overwrite=True)
    evaluation = evaluate(tmp_path, references)
    assert evaluation.seen == ("c",)
    text = remarks(evaluation)[-1]
    assert "1 of 4 cases, so the scores flatter: c. " in text
    write_evaluation(evaluation, tmp_path)
    assert read_evaluation(tmp_path)["seen"] == ["c"]


def test_a_reference_on_another_grid_is_resampled_and_said(tmp_path: Path) -> None:
    fine = Grid((40, 36, 10), (0.5, 0.5, 3.0), (-0.25, 4.75, -7.0), GRID.direction)
    labels = np.repeat(np.repeat(box(2, 8), 2, axis=1), 2, axis=2)
    save_result(tmp_path / "results", "a", box(2, 8))
    reference = save_reference(tmp_path / "labels", "a", labels, fine)
    evaluation = evaluate(tmp_path, {"a": reference})
    assert evaluation.scores[0].dice == 1
    assert "another grid (40 x 36 x 10 voxels of 0.5 x 0.5 x 3 mm)" in evaluation.warnings[0]


def test_a_reference_of_the_same_size_that_lies_off_is_told_with_its_offset(tmp_path: Path) -> None:
    x, y, z = GRID.origin_mm
    moved = Grid(GRID.size, GRID.spacing_mm, (x, y, z + 6.0), GRID.direction)
    save_result(tmp_path / "results", "a", box(2, 8))
    reference = save_reference(tmp_path / "labels", "a", box(2, 8), moved)
    warning = evaluate(tmp_path, {"a": reference}).warnings[0]
    assert "its origin is off by 6 mm (0, 0, 6 mm" in warning
    assert "slightly off" not in warning


def test_label_values_that_the_task_does_not_know_are_asked_about(
    tmp_path: Path, references: dict[str, ImageFile]
) -> None:
    both = box(6, 8)
    both[0, 0, 0] = 7
    references["a"] = save_reference(tmp_path / "labels", "a", both)
    with pytest.raises(CohortError, match=r'7 in 1 case \(a\).* --label-values "7=lesion"'):
        evaluate(tmp_path, references)
    scores = evaluate(tmp_path, references, label_values="7=ignore").scores
    assert [score.dice for score in scores if score.case_id == "a"] == [0.5]


def test_another_value_everywhere_is_taken_for_the_only_label_and_said(
    tmp_path: Path, references: dict[str, ImageFile]
) -> None:
    plain = evaluate(tmp_path, references)
    for case_id, (_, expected) in CASES.items():
        references[case_id] = save_reference(
            tmp_path / "labels", case_id, (expected * 255).astype(np.uint8)
        )
    found = evaluate(tmp_path, references)
    assert found.scores == plain.scores
    assert any("255 in place of 1" in text for text in found.warnings)


def test_references_without_a_region_are_named(
    tmp_path: Path, references: dict[str, ImageFile]
) -> None:
    empty = dict.fromkeys(references, references["b"])
    assert any("No reference has a voxel" in text for text in evaluate(tmp_path, empty).warnings)


def test_reference_cut_off_at_its_rim_is_scored_exactly(
    tmp_path: Path, references: dict[str, ImageFile]
) -> None:
    plain = evaluate(tmp_path, references)
    for case_id, (_, expected) in CASES.items():
        origin = GRID.index_to_lps @ np.array([1.0, 0.0, 0.0, 1.0])
        size = (GRID.size[0] - 1, *GRID.size[1:])
        cut = dataclasses.replace(GRID, size=size, origin_mm=tuple(origin[:3].tolist()))
        if not expected[..., 0].any():
            references[case_id] = save_reference(
                tmp_path / "cut", case_id, np.ascontiguousarray(expected[..., 1:]), cut
            )
    found = evaluate(tmp_path, references)
    assert found.scores == plain.scores
    assert found.warnings == plain.warnings


def test_nested_regions_are_scored_as_regions_not_as_labels(tmp_path: Path) -> None:
    predicted, expected = box(2, 8, 2), box(2, 8, 2)
    predicted[3, 4, 3:5], expected[3, 4, 3:5] = 1, 4
    save_result(tmp_path / "results", "a", predicted, load_task("brats"))
    reference = save_reference(tmp_path / "labels", "a", expected)
    evaluation = evaluate(tmp_path, {"a": reference})
    assert [score.dice for score in evaluation.scores] == [1, 1, 0]
    assert evaluation.mean_dsc_agg == pytest.approx(2 / 3)


def test_results_of_two_tasks_are_refused(tmp_path: Path) -> None:
    save_result(tmp_path / "results", "a", box(2, 8))
    save_result(tmp_path / "results", "b", box(2, 8, 2), load_task("brats"))
    references = {c: save_reference(tmp_path / "labels", c, box(2, 8)) for c in "ab"}
    with pytest.raises(CrossModalError, match="one task"):
        evaluate(tmp_path, references)


def test_two_results_of_one_case_are_refused_with_their_folders(tmp_path: Path) -> None:
    save_result(tmp_path / "results", "a", box(2, 8))
    shutil.copytree(tmp_path / "results" / "a", tmp_path / "results" / "a old")
    reference = save_reference(tmp_path / "labels", "a", box(2, 8))
    with pytest.raises(CohortError, match=r"one result of case a .* in a and a old\."):
        evaluate(tmp_path, {"a": reference})
    with pytest.raises(CohortError, match=r"one result of case a .* in a and a old\."):
        write_segmentation_report(ReportRequest(tmp_path / "results", {}), reporter=NullReporter())


def test_nothing_to_compare_is_explained(tmp_path: Path) -> None:
    reference = save_reference(tmp_path / "labels", "x", box(2, 8))
    with pytest.raises(CohortError, match="found none"):
        evaluate(tmp_path, {"x": reference})
    save_result(tmp_path / "results", "a", box(2, 8))
    with pytest.raises(CohortError, match=r"\(such as a\).*\(such as x\)"):
        evaluate(tmp_path, {"x": reference})


def test_references_come_from_a_cohort_or_from_a_flat_folder(tmp_path: Path) -> None:
    save_reference(tmp_path / "flat", "a", box(2, 8))
    assert list(find_references(tmp_path / "flat").labels) == ["a"]
    save_reference(tmp_path / "named", "case_1_seg", box(2, 8))
    save_reference(tmp_path / "named", "other", box(2, 8))
    assert list(find_references(tmp_path / "named", case_ids=["case_1"]).labels) == [
        "case_1",
        "other",
    ]
    save_reference(tmp_path / "folders" / "case_1", "seg", box(2, 8))
    assert list(find_references(tmp_path / "folders", case_ids=["case_1"]).labels) == ["case_1"]
    for case_id in ("a", "b"):
        folder = tmp_path / "cohort" / case_id
        save_reference(folder, "seg", box(2, 8))
        write_volume(folder / "ct.nii.gz", Volume(box(1, 3).astype(np.float32), GRID))
    assert list(find_references(tmp_path / "cohort").labels) == ["a", "b"]
    for case_id in ("a", "b"):
        (tmp_path / "cohort" / case_id / "seg.nii.gz").unlink()
    with pytest.raises(CohortError, match="found 2 cases without any"):
        find_references(tmp_path / "cohort")


def test_the_command_writes_tables_and_prints_a_summary(
    tmp_path: Path, references: dict[str, ImageFile], capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(tmp_path / "results"), "--reference", str(tmp_path / "labels")]
    assert main(["evaluate", *arguments]) == 0
    assert "0.375 ± 0.479" in capsys.readouterr().out
    with (tmp_path / "results" / "evaluation.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["case"] for row in rows] == list("abcd")
    assert [float(row["hd95_mm"]) for row in rows] == [4, 0, 373.13, 373.13]
    content = json.loads((tmp_path / "results" / "evaluation.json").read_text())
    assert content["summary"][0]["dsc_agg"] == pytest.approx(8 / 22)


def test_the_command_speaks_json_lines(
    tmp_path: Path, references: dict[str, ImageFile], capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(tmp_path / "results"), "--reference", str(tmp_path / "labels")]
    assert main(["evaluate", *arguments, "--output", str(tmp_path / "new"), "--events"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert events[-1]["event"] == "result"
    assert Path(events[-1]["evaluation"]).parent == tmp_path / "new"
    stages = [event["stage"] for event in events if event["event"] == "progress"]
    assert list(dict.fromkeys(stages)) == ["Read label values", "Evaluate cases"]


def test_one_case_has_no_deviation_and_a_locked_folder_is_said(
    tmp_path: Path, references: dict[str, ImageFile], capsys: pytest.CaptureFixture[str]
) -> None:
    results, labels = str(tmp_path / "results" / "b"), str(tmp_path / "labels")
    assert main(["evaluate", results, "--reference", labels]) == 0
    assert "1.000 " in (text := capsys.readouterr().out)
    assert "±" not in text.replace("mean ± SD", "")
    (tmp_path / "locked").mkdir(mode=0o555)
    output = ["--output", str(tmp_path / "locked" / "new")]
    assert main(["evaluate", results, "--reference", labels, *output]) == 2
    assert "may not be written" in capsys.readouterr().err.replace("\n", " ")


def test_unusable_input_exits_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "labels").mkdir()
    arguments = ["evaluate", str(tmp_path), "--reference", str(tmp_path / "labels")]
    assert main(arguments) == 2
    assert "Expected a cohort" in capsys.readouterr().err


def test_results_of_two_tasks_are_not_shown_on_one_page(tmp_path: Path) -> None:
    save_result(tmp_path / "results", "a", box(2, 8))
    save_result(tmp_path / "results", "b", box(2, 8, 2), load_task("brats"))
    with pytest.raises(CohortError, match="results of one task"):
        write_segmentation_report(ReportRequest(tmp_path / "results", {}), reporter=NullReporter())
    assert not list(tmp_path.rglob("*.html"))
