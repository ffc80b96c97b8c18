"""The end of a round: drafts for the rest, Dice on the evaluation set, an entry in the record."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from small_example import SmallExample

from CIMLSegmentLib.__main__ import main
from CIMLSegmentLib.commands.next_round import labels_of_cohort, round_cases
from CIMLSegmentLib.model.model_files import read_model_files
from CIMLSegmentLib.model.result_place import result_place
from MultimodalImagingLib.cohorts.cohort import find_cohort
from MultimodalImagingLib.record.cohort_record import CaseState, CohortRecord, open_record
from MultimodalImagingLib.record.history import read_history
from MultimodalImagingLib.record.rounds import read_rounds


@pytest.fixture
def record(small_example: SmallExample, tmp_path: Path) -> CohortRecord:
    """A cohort of five cases; one of two labels is of the evaluation set, one case is skipped."""
    shutil.copytree(small_example.cohort, tmp_path / "cohort")
    (tmp_path / "labels").mkdir()
    for label in sorted((tmp_path / "cohort").glob("*/seg.nii.gz")):
        label.rename(tmp_path / "labels" / f"{label.parent.name}.nii.gz")
    record = open_record(tmp_path / "cohort")
    record.labels.mkdir()
    for name in ("case00", "case01"):
        shutil.copy(tmp_path / "labels" / f"{name}.nii.gz", record.labels)
    record.set_evaluation({"case01": "a", "case02": "b"}, seed=0)
    record.change_states({"case03": CaseState.SKIPPED})
    return record


def model_of_the_rest(
    small_example: SmallExample, folder: Path, seen: Sequence[str] = ("case00",)
) -> Path:
    """Copy the model, and let it say that it has seen `case00` alone, or others."""
    shutil.copytree(small_example.model, folder)
    place = folder / "model.json"
    content: dict[str, object] = json.loads(place.read_text(encoding="utf-8"))
    content |= {"training_cases": [*seen], "validation_cases": []}
    place.write_text(json.dumps(content), encoding="utf-8")
    return folder


def test_evaluation_cases_get_no_draft_before_they_have_a_label(record: CohortRecord) -> None:
    cohort = find_cohort(record.folder.parent)
    found = round_cases(cohort, record, {"case00"})
    assert [case.case_id for case in found.evaluation] == ["case01"]
    assert [case.case_id for case in found.rest] == ["case04"]  # 02 is set aside, 03 is skipped
    assert not round_cases(cohort, record, {"case00", "case01"}).evaluation


def test_other_cases_of_a_patient_follow_the_one_that_is_set_aside_or_was_seen(
    record: CohortRecord,
) -> None:
    found = find_cohort(record.folder.parent)
    patients = {"case00": "p", "case01": "p"}
    cases = [replace(c, patient_id=patients.get(c.case_id, c.case_id)) for c in found.cases]
    cohort = replace(found, cases=tuple(cases))
    assert not round_cases(cohort, record, {"case00"}).evaluation
    assert round_cases(cohort, record, {"case04"}).evaluation


def test_a_model_that_has_seen_no_case_of_the_cohort_ends_no_round(
    record: CohortRecord, small_example: SmallExample, tmp_path: Path, capsys
) -> None:
    cohort = find_cohort(record.folder.parent)
    seen = {"case03", "case00", "elsewhere"}
    assert labels_of_cohort(cohort, seen, tmp_path) == ("case00", "case03")
    model = model_of_the_rest(small_example, tmp_path / "model", seen=["elsewhere"])
    assert main(["round", str(record.folder.parent), "--model", str(model)]) == 2
    assert "seen none of them, so it ends no round" in " ".join(capsys.readouterr().err.split())
    assert read_rounds(record) == ()
    assert not record.results.exists()


def test_results_of_other_weights_have_a_place_of_their_own(
    record: CohortRecord, small_example: SmallExample, tmp_path: Path
) -> None:
    model = model_of_the_rest(small_example, tmp_path / "model")
    first = result_place(record, model)
    description = model / "model.json"
    content = json.loads(description.read_text(encoding="utf-8"))
    earlier = record.results / f"model-{content['model_id'][:8]}-{content['step']}"
    (earlier / "case04").mkdir(parents=True)
    (earlier / "case04" / "result.json").touch()
    assert result_place(record, model) == earlier  # of a version that named it by the training
    later = (earlier / "case04" / "result.json").stat().st_mtime + 10
    os.utime(model / "model.safetensors", (later, later))
    assert result_place(record, model) == first
    description.write_text(json.dumps({**content, "weights_sha256": "f" * 64}), encoding="utf-8")
    assert result_place(record, model).name == f"{earlier.name}-ffffffff"


def test_a_round_is_noted_with_its_labels_drafts_and_dice(
    record: CohortRecord, small_example: SmallExample, tmp_path: Path
) -> None:
    model = model_of_the_rest(small_example, tmp_path / "model")
    command = ["round", str(record.folder.parent), "--model", str(model), "--device", "cpu"]
    assert main(command) == 0
    (found,) = read_rounds(record)
    assert (found.number, found.labels, found.n_drafts) == (1, ("case00",), 1)
    files = read_model_files(model)
    assert (
        found.model_id
        == f"{files.description.model_id}-{files.description.facts.step}-{files.sha256[:16]}"
    )
    assert set(found.evaluation) == {"case01"}
    assert set(found.evaluation["case01"]) == {"WT", "TC", "ET"}
    place = next(record.results.iterdir())
    assert {path.name for path in place.iterdir()} == {"case01", "case04"}
    draft = json.loads((place / "case04" / "result.json").read_text(encoding="utf-8"))
    assert 0 <= draft["uncertainty"]["mean_nats"] < 0.7
    states = record.read_states()
    assert states.of("case04") is CaseState.UNLABELLED  # a draft is no label
    assert [event.event for event in read_history(record)][-1] == "segmented"
    assert main(command) == 0  # again: drafts are kept, and the round is the same
    assert [entry.number for entry in read_rounds(record)] == [1]
