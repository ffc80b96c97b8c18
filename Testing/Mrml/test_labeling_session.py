"""One reader at a case: what is kept for whom, and what a record in use is told later."""

from __future__ import annotations

import types

import pytest

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")

from MultimodalImagingLib.cohorts.reader_labels import reader_label_place  # noqa: E402
from MultimodalImagingLib.record import cohort_record  # noqa: E402
from MultimodalImagingLib.record.case_states import CaseState  # noqa: E402
from MultimodalImagingLib.record.cohort_record import CohortRecord  # noqa: E402
from MultimodalImagingLib.record.history import read_history  # noqa: E402
from MultimodalImagingLib.record.locks import locked  # noqa: E402
from MultimodalSlicerLib.autosave import Autosave  # noqa: E402
from MultimodalSlicerLib.known_labels import KnownLabels  # noqa: E402
from MultimodalSlicerLib.label_contents import areAlike, contentsOf, writeLabels  # noqa: E402
from MultimodalSlicerLib.labeling_session import sessionOf  # noqa: E402
from MultimodalSlicerLib.patience import noBreath  # noqa: E402
from MultimodalSlicerLib.record_notes import RecordNotes  # noqa: E402
from MultimodalSlicerLib.volume_nodes import addVolume  # noqa: E402

CASE = "case-1"


@pytest.fixture(autouse=True)
def logic(scene, monkeypatch):
    """`slicer.util` asks modules for their logics, and makes nodes in the scene."""
    logics = {
        "segmentations": slicer.vtkSlicerSegmentationsModuleLogic(),
        "volumes": slicer.vtkSlicerVolumesLogic(),
    }
    modules = {
        name: types.SimpleNamespace(logic=lambda one=one: one) for name, one in logics.items()
    }
    for one in logics.values():
        one.SetMRMLScene(scene)
    monkeypatch.setattr(slicer, "modules", types.SimpleNamespace(**modules), raising=False)
    monkeypatch.setattr(slicer, "mrmlScene", scene, raising=False)


@pytest.fixture
def record(tmp_path):
    return CohortRecord(tmp_path)


@pytest.fixture
def image(scene, oblique_volume):
    return addVolume(scene, oblique_volume, "image")


@pytest.fixture
def node(scene, image):
    """Labels of two segments."""
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(image)
    for name in ("edema", "core"):
        node.GetSegmentation().AddEmptySegment(name, name)
    return node


@pytest.fixture
def notes():
    return RecordNotes()


@pytest.fixture
def session(record, node, notes):
    return begin(record, node, notes)


def begin(record, node, notes, *, isBlinded=False):
    place = reader_label_place(CASE, "ana", record, is_blinded=isBlinded)
    session = sessionOf(CASE, place, notes)
    session.follow(node)
    return session


def draw(node, image, first, last, *, names=("edema",)):
    """Fill a box of some segments, voxel by voxel the same."""
    for name in names:
        array = slicer.util.arrayFromSegmentBinaryLabelmap(node, name, image)
        array[:] = 0
        array[first:last, first:last, first:last] = 1
        slicer.util.updateSegmentBinaryLabelmapFromArray(array, node, name, image)


def test_work_with_overlapping_segments_is_kept_once(session, node, image):
    """Writing splits them up, which is no change by the user."""
    draw(node, image, 1, 4, names=("edema", "core"))
    before = contentsOf(node)
    drawn = session.time.times.drawing_s
    assert session.keep(node, noBreath) is not None
    assert areAlike(contentsOf(node), before)
    assert not session.hasNewWork
    assert session.time.times.drawing_s == drawn
    draw(node, image, 1, 3)
    assert session.hasNewWork


def test_changes_while_others_are_written_are_kept_next_time(session, node, image):
    draw(node, image, 1, 4)
    session.keep(node, lambda: draw(node, image, 1, 3))
    assert session.hasNewWork


@pytest.mark.parametrize("isBlinded", [False, True])
def test_kept_work_is_offered_to_the_reading_that_it_is_of(
    record, node, image, notes, session, isBlinded
):
    if isBlinded:
        session = begin(record, node, notes, isBlinded=True)
    for number in range(2):  # two sessions that crashed
        draw(node, image, 1, 3 + number)
        file = session.keep(node, noBreath)
        session = begin(record, node, notes, isBlinded=isBlinded)
    assert session.kept.leftBehind == file
    assert len(list(file.parent.iterdir())) == 2
    other = begin(record, node, notes, isBlinded=not isBlinded)
    assert other.kept.leftBehind is None
    assert Autosave(record, CASE, "anabel").leftBehind is None
    assert Autosave(record, CASE, "Ana").leftBehind == (None if isBlinded else file)


def test_what_was_drawn_is_kept_and_offered_when_other_work_is_taken_over(
    record, node, image, notes, session
):
    draw(node, image, 1, 3)
    crashed = contentsOf(node)
    left = session.keep(node, noBreath)
    session = begin(record, node, notes)
    draw(node, image, 2, 5)
    drawn = contentsOf(node)
    own = session.keep(node, noBreath)
    session.kept.takeOver(node)
    assert areAlike(contentsOf(node), crashed)
    assert session.kept.leftBehind == own
    assert own.is_file()
    session.keep(node, noBreath)  # under another name
    session.kept.takeOver(node)
    assert areAlike(contentsOf(node), drawn)
    assert left.is_file()


@pytest.fixture
def busy(record, monkeypatch):
    """A record that another process writes."""
    monkeypatch.setattr(cohort_record, "LOCK_WAIT_S", 0.05)
    return locked(record.folder / "cases.lock", wait_s=0, silent_for_s=60, what="It")


def test_a_record_in_use_is_told_later_what_was_saved_and_with_all_seconds(
    record, node, image, session, notes, busy
):
    draw(node, image, 1, 4)
    file = reader_label_place(CASE, "ana", record)
    file.parent.mkdir(parents=True)
    writeLabels(node, file)
    session.time._looking = 90.0
    with busy:
        session.saved(node, file)
        session.end(isWorkLost=False)
        notes.tell(noBreath)
        assert record.read_states().of(CASE) is CaseState.UNLABELLED
        assert f"could not be told about {CASE} yet" in notes.problem
        session.time._looking = 10.0
        session.saved(node, file)
        notes.tell(noBreath)
    notes.tell(noBreath)
    assert notes.problem == ""
    states = record.read_states()
    assert states.of(CASE) is CaseState.LABELLED
    [saved] = states.labels[CASE].values()
    assert saved.looking_s == pytest.approx(100.0)
    assert [event.event for event in read_history(record)] == ["saved", "saved"]


def test_what_is_told_again_is_counted_once(record, node, image, session, notes, monkeypatch):
    """The record was written, but not its history."""
    from MultimodalImagingLib.cohorts import saved_labels
    from MultimodalImagingLib.errors import CrossModalError

    def refuse(*_args, **_options):
        msg = "No space"
        raise CrossModalError(msg)

    draw(node, image, 1, 4)
    file = reader_label_place(CASE, "ana", record)
    file.parent.mkdir(parents=True)
    writeLabels(node, file)
    session.time._looking = 90.0
    with monkeypatch.context() as patch:
        patch.setattr(saved_labels, "append_event", refuse)
        session.saved(node, file)
        notes.tell(noBreath)
    assert "No space" in notes.problem
    notes.tell(noBreath)
    assert notes.problem == ""
    [saved] = record.read_states().labels[CASE].values()
    assert saved.looking_s == pytest.approx(90.0)
    assert [event.event for event in read_history(record)] == ["saved"]


def test_a_record_is_told_in_order_and_a_claim_of_another_reader_hinders_nothing(
    record, notes, busy
):
    record.claim("a", "bo")
    told = []
    notes.add(record, "a", lambda: record.release("a", "ana"))
    notes.add(record, "b", lambda: record.change_states({"b": CaseState.IN_PROGRESS}))
    notes.add(record, "b", lambda: told.append(record.read_states().of("b")))
    with busy:
        notes.tell(noBreath)
        assert told == []
    assert notes.inTurn(lambda: tuple(told), noBreath) == (CaseState.IN_PROGRESS,)
    assert record.read_states().claims["a"].reader == "bo"
    assert notes.problem == ""


def test_an_error_that_nobody_waits_for_is_logged_and_hinders_nothing(record, notes, caplog):
    told = []
    notes.add(record, "a", lambda: 1 / 0)
    notes.add(record, "b", lambda: told.append("b"))
    assert notes.inTurn(lambda: "done", noBreath) == "done"
    notes.tell(noBreath)
    assert told == ["b"]
    [logged] = [entry for entry in caplog.records if entry.exc_info]
    assert logged.exc_info[0] is ZeroDivisionError


def test_labels_that_are_gone_are_nothing_to_tell_for_ever(session, node, notes, record, image):
    """A folder that has vanished comes back; a file that was deleted does not."""
    draw(node, image, 1, 4)
    file = reader_label_place(CASE, "ana", record)
    file.parent.mkdir(parents=True, exist_ok=True)
    writeLabels(node, file, noBreath)
    away = record.folder.with_name("away")
    record.folder.rename(away)
    session.saved(node, file)
    notes.tell(noBreath)
    assert CASE in notes.problem
    away.rename(record.folder)
    file.unlink()
    notes.tell(noBreath)
    assert notes.problem == ""
    assert not record.read_states().labels


def test_labels_that_went_into_a_bundle_are_not_saved_in_the_record(node, record, image, tmp_path):
    """The name of the file is that in the record all the same."""
    file = reader_label_place(CASE, "ana", record)
    file.parent.mkdir(parents=True, exist_ok=True)
    known = KnownLabels()
    known.note(node, contentsOf(node))
    draw(node, image, 1, 4)
    writeLabels(node, file, noBreath)
    assert known.wasSavedSince(node, file)
    file.unlink()
    assert not known.wasSavedSince(node, file)
