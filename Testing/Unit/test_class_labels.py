"""Classes of cases in the record: the task, labels of readers, and classes a cohort came with."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from MDALSelectorLib.exchange.record_content import read_content
from MDALSelectorLib.exchange.record_export import export_record
from MDALSelectorLib.exchange.record_merge import merge_content
from MDALSelectorLib.exchange.record_status import record_status
from MultimodalImagingLib.cohorts import class_labels
from MultimodalImagingLib.cohorts.case_table import export_table
from MultimodalImagingLib.cohorts.cases import Case, Cohort
from MultimodalImagingLib.cohorts.class_agreement import class_agreements, cohens_kappa
from MultimodalImagingLib.cohorts.class_labels import (
    ClassLabel,
    ClassLabels,
    class_label_place,
    class_that_counts,
    new_class_label,
    read_class_labels,
    save_class_label,
    take_back_class_label,
)
from MultimodalImagingLib.cohorts.class_table import known_classes, write_class_table
from MultimodalImagingLib.cohorts.given_classes import (
    given_classes,
    read_class_table,
)
from MultimodalImagingLib.cohorts.modality_patterns import ModalityPatterns
from MultimodalImagingLib.cohorts.reader_labels import reader_label_place
from MultimodalImagingLib.cohorts.saved_labels import (
    changed_elsewhere,
    new_saved_label,
    note_saved_label,
)
from MultimodalImagingLib.errors import CohortError, CrossModalError, ModelError, UsageError
from MultimodalImagingLib.jobs.progress import NullReporter
from MultimodalImagingLib.record import locks
from MultimodalImagingLib.record.class_task import (
    COLORS,
    ClassTask,
    read_class_task,
    read_task_file,
    remove_class_task,
    task_of_names,
    write_class_task,
)
from MultimodalImagingLib.record.cohort_record import CaseState, CohortRecord, open_record
from MultimodalImagingLib.record.history import read_history

TASK = task_of_names(["benign", "malignant"])


@pytest.fixture
def record(tmp_path: Path) -> CohortRecord:
    record = open_record(tmp_path)
    write_class_task(record, TASK)
    return record


class ListReporter(NullReporter):
    """Keeps what it is warned of."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warning(self, text: str) -> None:
        self.warnings.append(text)


def cohort_of(root: Path, classes: dict[str, str]) -> Cohort:
    cases = tuple(
        Case(name, name, {}, attributes={"Class": text} if text else {})
        for name, text in sorted(classes.items())
    )
    return Cohort(root, "CSV manifest", ("T1",), cases, (), ModalityPatterns(()))


def at(name: str, reader: str, time: str) -> ClassLabel:
    return ClassLabel("a", reader, name, f"2026-01-01T{time}+00:00")


@pytest.mark.parametrize(
    "classes",
    [
        ["benign", "malignant"],
        [{"name": "benign"}, {"name": "malignant", "color": "#ff0000", "value": "1"}],
        {"0": "benign", "1": "malignant"},
    ],
)
def test_a_task_may_be_written_in_three_ways(tmp_path: Path, classes: object) -> None:
    path = tmp_path / "task.json"
    path.write_text(json.dumps({"question": "Is it?", "classes": classes}), encoding="utf-8")
    task = read_task_file(path)
    assert task.names == ("benign", "malignant")
    assert task.question == "Is it?"
    record = open_record(tmp_path)
    write_class_task(record, task)
    assert read_class_task(record) == task


def test_texts_of_tables_mean_classes_by_name_or_value() -> None:
    task = read_value_task()
    assert task.meant(" MALIGNANT ") == "malignant"
    assert task.meant("0") == "benign"
    assert task.meant("2") is None
    assert task.color_of("benign") == COLORS[0]


def read_value_task() -> ClassTask:
    from MultimodalImagingLib.record.class_task import CaseClass

    return ClassTask((CaseClass("benign", value="0"), CaseClass("malignant", value="1")))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"classes": ["one"]}, "Expected 2 to 36 classes, got 1"),
        ({"classes": ["a", "A"]}, "got a twice"),
        ({"classes": ["a", "b,c"]}, "without commas"),
        ({"classes": [{"name": "a"}, {"name": "b", "color": "red"}]}, "color like #0072b2"),
        ({"classes": [{"name": "a"}, {"nme": "b"}]}, "did you mean 'name'"),
        ({"classes": 3}, "to be a list"),
        (["a", "b"], "JSON object"),
    ],
)
def test_a_task_that_is_none_is_refused_with_a_sentence(
    tmp_path: Path, content: object, message: str
) -> None:
    path = tmp_path / "task.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises((ModelError, UsageError), match=message):
        read_task_file(path)


def test_a_damaged_task_is_an_error_and_no_cohort_to_segment(record: CohortRecord) -> None:
    (record.folder / "classes.json").write_text('{"format": 1, "classes"', encoding="utf-8")
    with pytest.raises(CohortError, match="Restore it from a backup"):
        read_class_task(record)


def test_a_class_that_cases_have_cannot_be_dropped(record: CohortRecord) -> None:
    with pytest.raises(UsageError, match=r"not among the new ones: malignant \(2\)"):
        write_class_task(record, task_of_names(["benign", "odd"]), used={"malignant": 2})
    assert read_class_task(record) == TASK
    remove_class_task(record)
    assert read_class_task(record) is None


def test_a_saved_class_is_labeled_and_stands_in_file_record_and_history(
    record: CohortRecord,
) -> None:
    label = new_class_label("a", "AB", "malignant", looking_s=12.34, began="001", drafted="benign")
    states = save_class_label(record, label)
    assert states.of("a") is CaseState.LABELLED
    found = read_class_labels(record, TASK)
    assert found.of_case == {"a": (label,)}
    assert found.that_count == {"a": "malignant"}
    saved = states.labels["a"]["AB~class"]
    assert (saved.looking_s, saved.began) == (12.3, "001")
    event = read_history(record)[-1]
    assert (event.event, event.case, event.reader) == ("saved", "a", "AB")
    assert event.details["class"] == "malignant"


def test_readers_keep_their_own_and_the_majority_counts(record: CohortRecord) -> None:
    for reader, name in (("AB", "benign"), ("CD", "malignant"), ("EF", "benign")):
        save_class_label(record, new_class_label("a", reader, name))
    found = read_class_labels(record, TASK)
    assert {label.reader: label.name for label in found.of_case["a"]} == {
        "AB": "benign",
        "CD": "malignant",
        "EF": "benign",
    }
    assert found.that_count == {"a": "benign"}
    assert found.disputed == ("a",)


def test_of_as_many_readers_the_latest_counts() -> None:
    assert class_that_counts([at("x", "A", "10:00:00"), at("y", "B", "11:00:00")]) == "y"
    three = [at("x", "A", "10:00:00"), at("x", "B", "10:30:00"), at("y", "C", "11:00:00")]
    assert class_that_counts(three) == "x"


def test_names_of_cases_and_readers_may_be_anything(record: CohortRecord) -> None:
    for case, reader in (("a/b: 1", "Ö"), ("con", "aux"), ("x.nii.gz", "r.seg")):
        save_class_label(record, new_class_label(case, reader, "benign"))
    found = read_class_labels(record, TASK)
    assert {*found.of_case} == {"a/b: 1", "con", "x.nii.gz"}
    assert not found.problems


def test_other_capitals_are_the_same_reader(record: CohortRecord) -> None:
    save_class_label(record, new_class_label("a", "ab", "benign"))
    save_class_label(record, new_class_label("a", "AB", "malignant"))
    found = read_class_labels(record, TASK)
    assert [label.name for label in found.of_case["a"]] == ["malignant"]
    assert len(record.read_states().labels["a"]) == 1


def test_undo_brings_the_former_class_or_none_back(record: CohortRecord) -> None:
    first, second = (new_class_label("a", "AB", name) for name in TASK.names)
    save_class_label(record, first)
    save_class_label(record, second)
    take_back_class_label(record, second, first)
    assert read_class_labels(record, TASK).that_count == {"a": "benign"}
    states = take_back_class_label(record, first, None)
    assert states.of("a") is not CaseState.LABELLED
    assert read_class_labels(record, TASK).of_case == {}


def test_an_undo_that_a_crash_cut_can_be_undone_again(
    record: CohortRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    label = new_class_label("a", "AB", "benign")
    record.change_states({"a": CaseState.SUGGESTED})
    save_class_label(record, label)

    def crash(_path: Path, **_options: object) -> None:
        raise KeyboardInterrupt

    unused = record.folder / "lock that was released"

    with monkeypatch.context() as patch:
        patch.setattr(class_labels, "append_event", crash)
        patch.setattr(Path, "unlink", crash)
        patch.setattr(locks.FolderLock, "release", lambda lock: lock._path.replace(unused))
        with pytest.raises(KeyboardInterrupt):
            take_back_class_label(record, label, None)
    assert changed_elsewhere(record) == ()  # nothing is noted that is not there
    assert take_back_class_label(record, label, None).of("a") is CaseState.SUGGESTED
    assert read_class_labels(record, TASK).of_case == {}


def test_a_class_that_has_no_place_is_told_with_what_to_do(
    record: CohortRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_path: Path, **_options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", fails)
    with pytest.raises(CrossModalError, match="Get permission to write there"):
        save_class_label(record, new_class_label("a", "AB", "benign"))


def test_undo_of_one_reader_leaves_the_case_labeled_by_another(record: CohortRecord) -> None:
    save_class_label(record, new_class_label("a", "CD", "benign"))
    label = new_class_label("a", "AB", "malignant")
    save_class_label(record, label)
    assert take_back_class_label(record, label, None).of("a") is CaseState.LABELLED
    assert read_class_labels(record, TASK).that_count == {"a": "benign"}


def test_undo_leaves_a_case_labeled_that_has_a_segmentation(record: CohortRecord) -> None:
    file = reader_label_place("a", "AB", record)
    file.parent.mkdir(parents=True)
    file.write_bytes(b"labels")
    note_saved_label(record, new_saved_label("a", "AB", file, record))
    label = new_class_label("a", "AB", "benign")
    save_class_label(record, label)
    states = take_back_class_label(record, label, None)
    assert states.of("a") is CaseState.LABELLED
    assert set(states.labels["a"]) == {"AB"}


def test_undo_leaves_what_was_changed_elsewhere(record: CohortRecord) -> None:
    label = new_class_label("a", "AB", "malignant")
    save_class_label(record, label)
    save_class_label(record, new_class_label("a", "AB", "benign"))
    with pytest.raises(CohortError, match="changed elsewhere and is left as it is"):
        take_back_class_label(record, label, None)
    assert read_class_labels(record, TASK).that_count == {"a": "benign"}


def test_damaged_files_are_told_and_the_others_are_used(record: CohortRecord) -> None:
    save_class_label(record, new_class_label("a", "AB", "benign"))
    save_class_label(record, new_class_label("b", "AB", "benign"))
    class_label_place("b", "AB", record).write_text("{", encoding="utf-8")
    path = class_label_place("c", "AB", record)
    path.parent.mkdir()
    odd = new_class_label("c", "AB", "odd")
    path.write_text(json.dumps({"format": 1, **vars(odd)}), encoding="utf-8")
    found = read_class_labels(record, TASK)
    assert found.that_count == {"a": "benign"}
    assert len(found.problems) == 2
    assert "found 'odd'; it is not used" in found.problems[1]


def test_a_full_disk_leaves_the_former_class(
    record: CohortRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_class_label(record, new_class_label("a", "AB", "benign"))

    def full(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(CrossModalError):
        save_class_label(record, new_class_label("a", "AB", "malignant"))
    monkeypatch.undo()
    assert read_class_labels(record, TASK).that_count == {"a": "benign"}


def test_classes_come_from_the_manifest_and_from_a_table_beside_it(tmp_path: Path) -> None:
    cohort = cohort_of(tmp_path, {"a": "benign", "b": "1", "c": "", "d": "odd"})
    (tmp_path / "classes.csv").write_text("uid;class\na;malignant\nz;benign\n", encoding="utf-8")
    found = given_classes(cohort, read_value_task())
    assert found.of_case == {"a": "malignant", "b": "malignant"}
    assert "1 case has a class and no images: z" in found.problems[0]
    assert "found odd (1); these are not used" in found.problems[1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("case,label\na,benign\n", "found case, label"),
        ("case,class\na,benign\na,malignant\n", "found benign and malignant"),
        ("", "found nothing"),
    ],
)
def test_tables_that_are_none_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "classes.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CohortError, match=message):
        read_class_table(path)


def test_a_written_table_is_read_back(record: CohortRecord, tmp_path: Path) -> None:
    cohort = cohort_of(tmp_path, {"a": "benign", "b": "", "c,d": ""})
    save_class_label(record, new_class_label("c,d", "AB", "malignant"))
    save_class_label(record, new_class_label("a", "CD", "malignant"))
    known = known_classes(cohort, record, TASK)
    assert known.of_case == {"a": "malignant", "c,d": "malignant"}
    path = tmp_path / "out.csv"
    write_class_table(path, known, TASK, ["a", "b", "c,d"])
    assert read_class_table(path) == known.of_case
    write_class_table(path, known, TASK, ["a", "b", "c,d"])  # one of ours may be replaced
    everything = tmp_path / "out.json"
    write_class_table(everything, known, TASK, ["a"])
    content = json.loads(everything.read_text(encoding="utf-8"))
    assert {label["reader"] for label in content["labels"]} == {"AB", "CD"}
    assert content["came_with"] == {"a": "benign"}


def test_a_foreign_table_is_not_replaced(record: CohortRecord, tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("my,own\n1,2\n", encoding="utf-8")
    known = known_classes(cohort_of(tmp_path, {"a": ""}), record, TASK)
    with pytest.raises(UsageError, match="was left as it is"):
        write_class_table(path, known, TASK, ["a"])
    assert path.read_text(encoding="utf-8") == "my,own\n1,2\n"


def test_classes_go_into_an_export_and_from_there_into_another_record(
    record: CohortRecord, tmp_path: Path
) -> None:
    label = new_class_label("a", "AB", "malignant")
    save_class_label(record, label)
    folder = tmp_path / "export"
    warned = ListReporter()
    export_record(record, folder, warned)
    assert warned.warnings == []
    other = open_record(tmp_path / "other", folder=tmp_path / "other")
    merged = merge_content(other, read_content(folder), folder, may_replace=False)
    assert merged.conflicts == []
    assert read_class_task(other) == TASK
    assert read_class_labels(other, TASK).of_case == {"a": (label,)}
    assert other.read_states().labels["a"].keys() == {"AB~class"}
    assert changed_elsewhere(other) == ()


def test_an_import_leaves_a_readers_other_class_and_names_it(
    record: CohortRecord, tmp_path: Path
) -> None:
    save_class_label(record, new_class_label("a", "AB", "malignant"))
    export_record(record, tmp_path / "export", ListReporter())
    save_class_label(record, new_class_label("a", "AB", "benign"))
    content = read_content(tmp_path / "export")
    merged = merge_content(record, content, tmp_path / "export", may_replace=False)
    assert any("The label of AB for case a" in text for text in merged.conflicts)
    assert read_class_labels(record, TASK).that_count == {"a": "benign"}


def test_status_counts_classes_and_names_disputed_cases(
    record: CohortRecord, tmp_path: Path
) -> None:
    save_class_label(record, new_class_label("a", "AB", "malignant"))
    save_class_label(record, new_class_label("a", "CD", "benign"))
    status = record_status(cohort_of(tmp_path, {"a": "", "b": "benign"}), record)
    lines = list(status.lines())
    assert "Classes: benign 2, malignant 0" in lines
    assert "Readers gave different classes: a" in lines
    assert not any("ciml-segmenter" in line for line in lines)


def test_the_table_for_cart_has_the_class(record: CohortRecord, tmp_path: Path) -> None:
    save_class_label(record, new_class_label("b", "AB", "malignant"))
    export_table(cohort_of(tmp_path, {"a": "benign", "b": ""}), record, tmp_path / "cart.csv")
    table = (tmp_path / "cart.csv").read_text(encoding="utf-8").splitlines()
    assert table[0].startswith("uid,")
    assert [line.rsplit(",", 1)[1] for line in table] == ["class", "benign", "malignant"]


def test_kappa_is_the_agreement_beyond_chance() -> None:
    """Worked example: 20 both, 15 neither of 50, shares 25 and 30 of 50: kappa 0.4."""
    first = ["yes"] * 25 + ["no"] * 25
    second = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    assert cohens_kappa(first, second) == pytest.approx(0.4)
    assert cohens_kappa(["a", "b"], ["a", "b"]) == 1.0
    assert cohens_kappa(["a", "b"], ["b", "a"]) == -1.0
    assert math.isnan(cohens_kappa(["a"], ["a"]))


def test_readers_are_compared_on_the_cases_that_both_have_read() -> None:
    given = {"1": {"AB": "x", "cd": "x"}, "2": {"AB": "y", "CD": "x"}, "3": {"AB": "y"}}
    labels = ClassLabels(
        {c: tuple(ClassLabel(c, who, n, "") for who, n in own.items()) for c, own in given.items()}
    )
    (pair,) = class_agreements(labels)
    assert (pair.first, pair.second, pair.n_cases, pair.n_alike) == ("AB", "cd", 2, 1)
    assert pair.sentence == "Classes by AB and cd: 1 of 2 cases alike, Cohen's kappa 0.00."
