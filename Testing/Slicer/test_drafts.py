"""Labels that begin as a draft: a copy of a model's result, which is no label until it is saved."""

from __future__ import annotations

import hashlib
import json

import pytest
from desk import CASES, LABELLED, Desk, hashes, paint, write_cohort, write_results
from slicer_host.save_dialog import save, save_rows


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    return write_cohort(tmp_path_factory.mktemp("draft") / "cohort")


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return write_results(tmp_path_factory.mktemp("draft") / "results")


@pytest.fixture
def desk(scene, load_module, messages, wait_until, cohort, results):
    return _desk(load_module, wait_until, cohort, results)


def _desk(load_module, wait_until, cohort, results):
    record = results.parent / "record"
    desk = Desk(load_module, wait_until, cohort, record)
    desk.know(results, drafts=True)
    return desk


@pytest.fixture(autouse=True)
def unchanged(cohort, results, scene):
    """Neither cohort nor results are ever written to; the record of a test goes with it."""
    import shutil

    scene.SetRootDirectory(str(results.parent))
    before = hashes(cohort), all_hashes(results)
    yield
    assert (hashes(cohort), all_hashes(results)) == before
    shutil.rmtree(results.parent / "record", ignore_errors=True)


def all_hashes(folder):
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def labels(desk):
    return desk.case.loader.segmentation()


def entry(desk, case):
    return json.loads((desk.record / "cases.json").read_text())["cases"][case]


def edited_in_editor():
    import slicer

    editor = slicer.mrmlScene.GetSingletonNode("SegmentEditor", "vtkMRMLSegmentEditorNode")
    return editor.GetSegmentationNode()


def test_segment_editor_opens_on_a_copy_of_the_result(desk, drive, scene):
    from MultimodalSlicerLib.label_contents import areAlike, contentsOf, readContents

    desk.open("case-2")
    result = desk.results / "case-2" / "segmentation.seg.nrrd"
    assert areAlike(contentsOf(labels(desk)), readContents(scene, result))
    assert labels(desk).GetSegmentation().GetNumberOfSegments()
    assert labels(desk).GetName().startswith("case-2 draft of made up")
    assert labels(desk).GetAttribute("CrossModal.Draft").startswith("made up")
    assert labels(desk).GetDisplayNode().GetSliceIntersectionThickness() > 1  # labels: 1
    assert "draft" in desk.selector.ui.currentCaseLabel.text
    drive.click(desk.selector.ui.segmentEditorButton)
    assert edited_in_editor() is labels(desk)


def test_a_case_with_a_label_opens_that_label(desk, results):
    desk.open(LABELLED[0])
    assert labels(desk).GetAttribute("CrossModal.Draft") is None
    assert labels(desk).GetName() == desk.reader


def test_a_label_of_a_reader_comes_before_a_result(desk):
    desk.open("case-2")
    paint(labels(desk))
    desk.case.save()
    before = labels(desk).GetSegmentation().GetNumberOfSegments()
    desk.open("case-3")
    desk.open("case-2")
    assert labels(desk).GetAttribute("CrossModal.Draft") is None
    assert labels(desk).GetSegmentation().GetNumberOfSegments() == before


@pytest.mark.usefixtures("scene", "messages")
def test_the_next_uncertain_place_of_a_draft_is_shown_in_all_views(
    load_module, wait_until, drive, cohort, tmp_path
):
    import slicer

    from MultimodalImagingLib.record.draft_uncertainty import (
        DraftUncertainty,
        UncertainPlace,
        uncertainty_to_json,
    )

    results = write_results(tmp_path / "results")
    file = results / "case-2" / "result.json"
    places = (
        UncertainPlace("GTV", (10.0, -20.0, 30.0), 0.5),
        UncertainPlace("GTV", (5.0, 0.5, 7.0), 0.4),
    )
    uncertainty = uncertainty_to_json(DraftUncertainty({"GTV": 0.4}, places))
    content = json.loads(file.read_text(encoding="utf-8")) | {"uncertainty": uncertainty}
    file.write_text(json.dumps(content), encoding="utf-8")
    desk = _desk(load_module, wait_until, cohort, results)
    button = desk.selector.ui.nextPlaceButton
    assert not button.enabled
    desk.open("case-2")
    for number, ras in ((1, (-10.0, 20.0, 30.0)), (2, (-5.0, -0.5, 7.0)), (1, (-10.0, 20.0, 30.0))):
        drive.click(button)
        assert button.text == f"Next uncertain place ({number} of 2)"
        view = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSliceNode").GetSliceToRAS()
        assert [view.GetElement(row, 3) for row in range(3)] == pytest.approx(ras)
    desk.open(LABELLED[0])
    assert not button.enabled
    assert button.text == "Next uncertain place"


def test_a_draft_is_never_saved_before_the_user_saves(desk, scene, messages):
    desk.open("case-2")
    assert not desk.case.hasUnsavedChanges()
    assert not [row for row in save_rows(scene) if row.node is labels(desk)]
    save(scene)
    desk.open("case-3")  # nobody is asked: nothing of the user's goes
    scene.Clear(0)
    assert messages.messages == []
    assert not list(desk.record.rglob("*.seg.nrrd"))
    assert "labelled" not in (desk.record / "cases.json").read_text()  # claims are noted


@pytest.mark.parametrize("way", ["paint", "delete", "rename", "add"])
def test_a_draft_that_is_edited_becomes_the_labels(desk, scene, messages, way):
    desk.open("case-2")
    node, segmentation = labels(desk), labels(desk).GetSegmentation()
    if way == "paint":
        paint(node)
    elif way == "delete":
        segmentation.RemoveSegment(segmentation.GetNthSegmentID(0))
    elif way == "rename":
        segmentation.GetNthSegment(0).SetName("mine")
    else:
        segmentation.AddEmptySegment("other", "other")
    assert node.GetAttribute("CrossModal.Draft") is None
    assert node.GetName() == desk.reader
    assert node.GetDisplayNode().GetSliceIntersectionThickness() == 1
    assert desk.case.hasUnsavedChanges()
    [row] = [row for row in save_rows(scene) if row.node is node]
    assert row.isChecked
    assert row.path == desk.labelPath("case-2")
    messages.answers.append("Escape")
    desk.open("case-3")
    assert labels(desk) is node


def test_showing_a_draft_in_3d_does_not_make_it_labels(desk):
    desk.open("case-2")
    labels(desk).CreateClosedSurfaceRepresentation()
    labels(desk).GetDisplayNode().SetVisibility3D(True)
    assert labels(desk).GetAttribute("CrossModal.Draft")


@pytest.mark.parametrize("way", ["button", "Slicer's Save"])
def test_the_record_says_what_labels_began_as(desk, scene, drive, way):
    from MultimodalSlicerLib.drafts import origin

    for case, start in (
        ("case-2", "Began as a draft of the model made up"),
        ("case-3", "Began em"),
    ):
        desk.open(case)
        if start == "Began em":
            drive.choose(desk.selector.ui.labelStartComboBox, "Start empty")
        paint(labels(desk))
        if way == "button":
            desk.selector.updateButtons()
            drive.click(desk.selector.ui.saveLabelButton)
            assert desk.selector.cases.row(case).state.value == "labelled"
        else:
            assert desk.labelPath(case) in save(scene)
        desk.open("case-1")
        assert entry(desk, case)["state"] == "labelled"
        assert entry(desk, case)["note"].startswith(start)
    desk.open("case-2")  # the file says it, too
    assert origin(labels(desk)).startswith("Began as a draft of the model made up")
    image = next(iter(desk.case.loader.volumes().values()))
    labels(desk).SetReferenceImageGeometryParameterFromVolumeNode(image)  # as Segment Editor
    paint(labels(desk), seed=5)
    desk.case.save()
    assert entry(desk, "case-2")["note"].startswith("Began as a draft of the model made up")
    assert not (desk.record / "cases.json").read_text().count("case-1")


def test_a_draft_that_is_right_can_be_saved_as_it_is(desk, drive):
    desk.open("case-2")
    desk.selector.updateButtons()
    drive.click(desk.selector.ui.saveLabelButton)
    assert desk.labelPath("case-2").is_file()
    assert labels(desk).GetName() == desk.reader
    assert labels(desk).GetAttribute("CrossModal.Draft") is None
    assert "draft" not in desk.selector.ui.currentCaseLabel.text


def test_one_may_start_empty_and_change_ones_mind(desk, drive):
    from MultimodalSlicerLib.label_contents import contentsOf

    box = desk.selector.ui.labelStartComboBox
    assert [box.itemText(n) for n in range(box.count)] == [
        "Start from the model's result",
        "Start empty",
    ]
    desk.open("case-2")
    drive.choose(box, "Start empty")
    assert [content.voxels.size for content in contentsOf(labels(desk))] == [0]  # of the task
    assert labels(desk).GetName() == desk.reader
    assert not desk.case.hasUnsavedChanges()
    desk.open("case-3")  # the choice holds for the next case
    assert [content.voxels.size for content in contentsOf(labels(desk))] == [0]
    drive.choose(box, "Start from the model's result")
    assert labels(desk).GetAttribute("CrossModal.Draft")
    paint(labels(desk))
    drive.choose(box, "Start empty")  # nothing of what was drawn goes
    assert desk.case.hasUnsavedChanges()
    assert labels(desk).GetSegmentation().GetNumberOfSegments()


def test_correcting_a_shown_result_edits_a_draft_and_not_the_result(desk, drive):
    from MultimodalSlicerLib.label_contents import areAlike, contentsOf

    desk.openResult("case-2")
    result = desk.segmenter._parameterNode.result
    before = contentsOf(result)
    drive.click(desk.segmenter.ui.segmentEditorButton)
    assert edited_in_editor() is labels(desk)
    assert labels(desk) is not result
    assert labels(desk).GetAttribute("CrossModal.Draft")
    assert not result.GetDisplayNode().GetVisibility()
    paint(labels(desk))
    assert desk.case.hasUnsavedChanges()
    assert areAlike(contentsOf(result), before)


def test_a_case_that_tests_a_model_begins_without_its_draft_in_both_modules(desk, drive):
    """Its labels are those of the cohort, whichever module opens it first."""
    from MultimodalImagingLib.record.cohort_record import open_record
    from MultimodalImagingLib.record.label_set_file import LabelSet, write_label_set

    record = open_record(desk.cohort, folder=desk.record)
    record.set_evaluation({"case-2": ""}, seed=0)
    write_label_set(record, LabelSet("", ("tumor", "edema")))
    desk.openResult("case-2")
    drive.click(desk.segmenter.ui.segmentEditorButton)
    assert edited_in_editor() is labels(desk)
    assert segments(desk) == ["tumor", "edema"]
    desk.case.close()
    desk.open("case-2")
    assert segments(desk) == ["tumor", "edema"]
    assert labels(desk).GetAttribute("CrossModal.Draft") is None


def segments(desk):
    segmentation = labels(desk).GetSegmentation()
    found = range(segmentation.GetNumberOfSegments())
    return [segmentation.GetNthSegment(n).GetName() for n in found]


def test_correcting_a_shown_result_opens_the_label_that_there_is(desk, drive):
    desk.open("case-2")
    paint(labels(desk))
    desk.case.save()
    desk.openResult("case-2")
    drive.click(desk.segmenter.ui.segmentEditorButton)
    assert edited_in_editor() is labels(desk)
    assert labels(desk).GetName() == desk.reader


def test_a_case_segmented_by_itself_offers_its_result(desk, drive, tmp_path):
    """As after *Segment* on the images of the open case, whose result no batch knows."""
    import shutil

    from CIMLSegmentPanelLib.nodes.result_segments import offerResult

    desk.openResult("case-3")
    alone = shutil.copytree(desk.results / "case-3", tmp_path / "alone")
    node = desk.segmenter._parameterNode.result
    facts = json.loads(node.GetAttribute("CIMLSegment.Result"))
    node.SetAttribute("CIMLSegment.Result", json.dumps({**facts, "folder": str(alone)}))
    offerResult(node)
    assert set(desk.case.offered.values()) == {alone}
    desk.segmenter._parameterNode.batchPath = str(tmp_path / "none")
    desk.open("case-3")
    assert labels(desk).GetAttribute("CrossModal.Draft")
    desk.case._scene.Clear(0)
    assert desk.case.offered == {}


def test_a_result_that_cannot_be_read_is_told_and_the_case_opens(desk, messages, tmp_path):
    import shutil

    from MultimodalSlicerLib.label_contents import contentsOf

    broken = shutil.copytree(desk.results / "case-2", tmp_path / "broken" / "case-2")
    (broken / "segmentation.seg.nrrd").write_bytes(b"nothing")
    desk.segmenter.logic.getParameterNode().batchPath = str(tmp_path / "broken")
    with pytest.raises(ValueError, match=r"cannot be read\. Start empty"):
        desk.open("case-2")
    assert desk.case.loader.caseID == "case-2"
    assert not any(content.voxels.any() for content in contentsOf(labels(desk)))
    assert len(messages.messages) == 1
    assert desk.selector.ui.currentCaseLabel.text == "Open: case-2"
    assert desk.selector.ui.editorWidget.visible
    assert desk.selector.logic.labeling.previousCase("").caseID == "case-2"


def test_a_record_that_cannot_be_written_does_not_lose_the_label(desk, monkeypatch):
    from MultimodalImagingLib.errors import CohortError
    from MultimodalImagingLib.record.cohort_record import CohortRecord

    def refuse(*_args, **_options):
        msg = "locked"
        raise CohortError(msg)

    desk.open("case-2")
    paint(labels(desk))
    with monkeypatch.context() as patch:
        patch.setattr(CohortRecord, "update", refuse)
        assert desk.case.save().is_file()
        assert not desk.case.hasUnsavedChanges()
        assert "could not be told about case-2 yet" in desk.case.notes.problem
    desk.keep()
    assert desk.case.notes.problem == ""
    assert entry(desk, "case-2")["state"] == "labelled"


def test_cases_without_a_result_begin_empty(desk, tmp_path):
    from MultimodalSlicerLib.label_contents import contentsOf

    desk.segmenter.logic.getParameterNode().batchPath = str(tmp_path)
    for case in CASES[1:]:
        desk.open(case)
        assert not any(content.voxels.any() for content in contentsOf(labels(desk)))
        assert labels(desk).GetName() == desk.reader
