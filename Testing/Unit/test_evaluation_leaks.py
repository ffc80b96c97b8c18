"""Nothing learns from cases that are set aside for testing, and every Dice says its cases."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from example_training import PET_CT, QUICK, SPEC, TINY, bright_balls
from exports import Desk, make_desk
from labelled_toy import toy_cohort

from CIMLSegmentLib.__main__ import main as ciml
from CIMLSegmentLib.config import TrainingJob
from CIMLSegmentLib.model.model import TrainedModel, load_model, save_model
from CIMLSegmentLib.model.model_description import (
    EvaluatedCase,
    ModelDescription,
    ModelFacts,
    description_from_json,
    description_to_json,
)
from CIMLSegmentLib.network.network import build_network
from CIMLSegmentLib.results.case_roles import CaseRole, by_role, role_text
from CIMLSegmentLib.training.evaluation import dice_sentences
from CIMLSegmentLib.training.train import train
from MDALSelectorLib.__main__ import main as mdal
from MDALSelectorLib.selection.run_folder import read_selection
from MultimodalImagingLib.cohorts.cohort import find_cohort
from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.jobs.progress import NullReporter
from MultimodalImagingLib.record.cohort_record import open_record

SMALL = ("--steps", "2", "--validate-every", "2", "--features", "4", "--largest-patch", "16")


class Listener(NullReporter):
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warning(self, text: str) -> None:
        self.warnings.append(text)


def write_model(folder: Path, facts: ModelFacts) -> Path:
    network = build_network(PET_CT, TINY, seed=5)
    description = ModelDescription(PET_CT, TINY, QUICK, SPEC, facts)
    save_model(folder, TrainedModel(network, description))
    return folder


def job(**changes) -> TrainingJob:
    return TrainingJob(QUICK, TINY, device="cpu", n_workers=0, **changes)


@pytest.fixture(scope="module")
def balls(tmp_path_factory):
    return bright_balls(tmp_path_factory.mktemp("cases"), 8)


def test_the_evaluation_set_changes_nothing_about_the_network(tmp_path: Path, balls) -> None:
    six = balls.subset([f"case {n}" for n in range(6)])
    train(six, PET_CT, job(), output=tmp_path / "six", reporter=NullReporter())
    eight = balls.setting_aside(["case 6", "case 7"])
    found = train(eight, PET_CT, job(), output=tmp_path / "eight", reporter=NullReporter())
    plain, tested = load_model(tmp_path / "six"), load_model(tmp_path / "eight")
    for name, values in plain.network.state_dict().items():
        assert values.equal(tested.network.state_dict()[name]), name
    assert plain.description.model_id == tested.description.model_id
    assert tested.facts.training_cases == plain.facts.training_cases
    assert tested.facts.validation_cases == plain.facts.validation_cases
    assert tested.facts.intensities == plain.facts.intensities
    assert {*tested.facts.evaluation} == {"case 6", "case 7"}
    assert tested.facts.evaluation == found.facts.evaluation
    assert not {"case 6", "case 7"} & tested.facts.seen_cases
    assert plain.facts.evaluation == {}
    with pytest.raises(CohortError, match="beside the evaluation set, found none"):
        six.setting_aside([case.case_id for case in six.cases])


def test_a_region_that_test_cases_alone_have_cannot_be_learned(balls) -> None:
    name = next(iter(balls.cases[0].regions))
    bare = [replace(case, regions={name: 0}) for case in balls.cases[:7]]
    parts = replace(balls, cases=(*bare, balls.cases[7]))
    with pytest.raises(CohortError, match=f"none of {name} in any of 7 cases"):
        parts.setting_aside(["case 7"])


def test_what_the_start_model_has_seen_cannot_test(tmp_path: Path, balls) -> None:
    start = write_model(tmp_path / "first", ModelFacts(("case 6",)))
    listener = Listener()
    parts = balls.setting_aside(["case 6", "case 7"])
    output = tmp_path / "model"
    train(parts, PET_CT, job(start=start), output=output, reporter=listener)
    assert {*load_model(output).facts.evaluation} == {"case 7"}
    (text,) = [text for text in listener.warnings if "evaluation case" in text]
    assert "1 of 2 evaluation cases was seen by the model first" in text
    assert "case 6" in text


def test_a_description_with_an_evaluation_survives_its_json(tmp_path: Path) -> None:
    case = EvaluatedCase({"lesion": 0.5}, {"lesion": 3.0})
    facts = ModelFacts(("a",), ("b",), seen_before=("c",), evaluation={"d": case})
    description = load_model(write_model(tmp_path / "m", facts)).description
    content = description_to_json(description)
    assert content["evaluation"] == {"d": {"dice": {"lesion": 0.5}, "hd95_mm": {"lesion": 3.0}}}
    content.pop("model_id")
    again = description_from_json({**content, "model_id": description.model_id}, where="x")
    assert again == description
    roles = {name: facts.role_of(name) for name in "abcd"}
    assert list(roles.values()) == [
        CaseRole.TRAINING,
        CaseRole.VALIDATION,
        CaseRole.BEFORE,
        CaseRole.UNSEEN,
    ]


def test_sentences_say_which_cases_a_dice_comes_from() -> None:
    cases = {n: EvaluatedCase({"A": d, "B": 1.0}, {}) for n, d in (("x", 0.4), ("y", 0.6))}
    facts = ModelFacts(("a",), ("b", "c"), evaluation=cases)
    validation, evaluation = dice_sentences({"dice": 0.9}, facts)
    assert "Dice 0.900 on 2 validation cases, by which the state" in validation
    assert "Dice 0.750 on the evaluation set, 2 cases" in evaluation
    assert "(A 0.500, B 1.000)" in evaluation
    (nothing,) = dice_sentences({}, replace(facts, evaluation={}))
    assert "No labeled case is set aside for testing" in nothing
    assert role_text(CaseRole.EVALUATION, 1) == "1 case of the evaluation set"
    assert "flatter" in role_text(CaseRole.VALIDATION, 2)
    assert by_role({"a": CaseRole.TRAINING}, "ab") == {
        CaseRole.UNSEEN: ["b"],
        CaseRole.TRAINING: ["a"],
    }


def test_no_label_folder_brings_a_test_case_into_a_training(tmp_path: Path, capsys) -> None:
    manifest = toy_cohort(tmp_path / "cohort", n_cases=8, n_visits=2)
    record = open_record(manifest)
    record.set_evaluation({"case04": ""}, seed=0)  # case05 is of the same patient
    labels = tmp_path / "labels"
    labels.mkdir()
    for number in range(8):
        file = manifest.parent / f"case{number:02d}" / "seg.nii.gz"
        shutil.copy(file, labels / f"case{number:02d}.nii.gz")
    words = ["train", str(manifest), "--task", "single-target", "--primary", "T1"]
    words += ["--device", "cpu", *SMALL, "--batch-size", "1", "--labels", str(labels)]
    assert ciml([*words, "--output", str(tmp_path / "x"), "--validation-case", "case04"]) == 2
    assert "--validation-case names case04, which is set aside" in plain(capsys)
    assert ciml([*words, "--output", str(tmp_path / "model")]) == 0
    output = plain(capsys)
    assert "1 case is set aside for testing and not trained on; 1 of them labeled." in output
    assert "1 more case of patients that are set aside" in output
    assert "on the evaluation set, 1 case that had no part" in output
    facts = load_model(tmp_path / "model").facts
    assert {*facts.training_cases, *facts.validation_cases} == {
        f"case{n:02d}" for n in (0, 1, 2, 3, 6, 7)
    }
    assert {*facts.evaluation} == {"case04"}


def plain(capsys) -> str:
    found = capsys.readouterr()
    return " ".join((found.out + found.err).split())


def test_a_selection_suggests_no_case_that_is_set_aside(tmp_path: Path, capsys) -> None:
    manifest = toy_cohort(tmp_path / "cohort", n_cases=12, n_visits=2)
    record = open_record(manifest)
    record.set_evaluation({"case04": ""}, seed=0)
    words = ["select", str(manifest), "--estimator", "gaussian", "--labelled", "record"]
    run = tmp_path / "run"
    assert mdal([*words, "--strategy", "Random", "--budget", "10", "--output", str(run)]) == 0
    cases = {case.case_id: case for case in read_selection(run).cases}
    others = {name for name, case in cases.items() if not case.suggested}
    assert others == {"case04", "case05"}
    assert "Not to be trained on: set aside for testing" in cases["case04"].reason
    assert "another case of its patient is set aside" in cases["case05"].reason
    capsys.readouterr()
    assert mdal([*words, "--budget", "11"]) == 2
    assert "2 are set aside for testing" in plain(capsys)


def test_a_retrospective_takes_no_labels_that_are_set_aside(tmp_path: Path, capsys) -> None:
    manifest = toy_cohort(tmp_path / "cohort", n_cases=11)
    open_record(manifest).set_evaluation({"case04": "", "case05": ""}, seed=0)
    assert mdal(["retrospect", str(manifest), "--budgets", "2"]) == 2
    output = plain(capsys)
    assert "2 labeled cases set aside for testing take no part" in output
    assert "at least 10 cases with a label, found 9" in output


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return make_desk(tmp_path / "desk", [f"pat{n}" for n in range(1, 8)])


def names(desk: Desk, folder: str) -> list[str]:
    return sorted(path.name.split(".")[0] for path in (desk.output / folder).iterdir())


def test_nnunet_gets_test_cases_with_their_labels_in_no_fold(desk: Desk, capsys) -> None:
    desk.label(*(f"pat{n}" for n in range(1, 7)))
    assert desk.run("export", desk.cohort, "--nnunet", desk.output) == 0
    record = open_record(desk.cohort)
    record.set_evaluation({"pat2": "", "pat7": ""}, seed=0)
    capsys.readouterr()
    assert desk.run("export", desk.cohort, "--nnunet", desk.output) == 0
    output = plain(capsys)
    assert "1 label of the evaluation set in labelsTs" in output
    assert "no longer among the cases to train on: pat2" in output
    assert names(desk, "labelsTr") == ["pat1", "pat3", "pat4", "pat5", "pat6"]
    assert names(desk, "labelsTs") == ["pat2"]
    assert {name[:4] for name in names(desk, "imagesTs")} == {"pat2", "pat7"}
    file = desk.output / "splits_final.json"
    splits = json.loads(file.read_text()) if file.is_file() else []
    assert "pat2" not in {case for fold in splits for part in fold.values() for case in part}
    record.update(lambda current: replace(current, evaluation={}))
    assert desk.run("export", desk.cohort, "--nnunet", desk.output) == 0
    assert "pat2" in names(desk, "labelsTr")
    assert names(desk, "labelsTs") == []


def test_monai_label_gets_no_label_of_a_test_case(desk: Desk) -> None:
    desk.label("pat1", "pat2")
    open_record(desk.cohort).set_evaluation({"pat2": ""}, seed=0)
    assert desk.run("export", desk.cohort, "--monai-label", desk.output) == 0
    assert names(desk, "labels/final") == ["pat1"]
    assert (desk.output / "pat2.nii.gz").is_file()


def test_the_cohort_of_a_manifest_knows_its_record(tmp_path: Path) -> None:
    manifest = toy_cohort(tmp_path / "cohort", n_cases=4)
    assert mdal(["evaluation", str(manifest), "--share", "1", "--seed", "3"]) == 0
    states = open_record(manifest).read_states()
    assert len(states.evaluation) == 1
    assert {*states.evaluation} <= {case.case_id for case in find_cohort(manifest).cases}
