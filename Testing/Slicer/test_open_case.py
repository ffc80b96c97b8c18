"""One owner of the open case: what Slicer's Save does with it, leaving it, its views."""

from __future__ import annotations

import numpy as np
import pytest
from desk import (
    CASES,
    LABELLED,
    SEGMENTED,
    Desk,
    black_views,
    hashes,
    paint,
    shown_views,
    untrue_headers,
    write_cohort,
    write_results,
)
from slicer_host.in_application import is_real_application
from slicer_host.save_dialog import save, save_rows


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    return write_cohort(tmp_path_factory.mktemp("open") / "cohort")


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return write_results(tmp_path_factory.mktemp("open") / "results")


@pytest.fixture
def sit_down(scene, load_module, messages, wait_until, tmp_path):
    """Return a function that shows a cohort, and results if there are some, in both panels."""

    def sit_down(cohort, results=None):
        desk = Desk(load_module, wait_until, cohort, tmp_path / "record")
        scene.SetRootDirectory(str(tmp_path))
        desk.know(results)
        return desk

    return sit_down


@pytest.fixture
def desk(sit_down, cohort, results):
    """Both panels, which know cohort and results; no file of the cohort may change."""
    before = hashes(cohort)
    yield sit_down(cohort, results)
    assert hashes(cohort) == before


def labels(desk):
    return desk.case.loader.segmentation()


# --- what Slicer's Save does with an open case ------------------------------------------------


@pytest.mark.parametrize("case", CASES)
def test_save_offers_no_image_of_a_cohort(desk, scene, case):
    desk.open(case)
    rows = {row.node.GetName(): row for row in save_rows(scene)}
    assert {"ct", "pet"} <= set(rows)
    assert not rows["ct"].isChecked
    assert rows["ct"].path == desk.cohort / case / "ct.nii.gz"
    assert not rows["pet"].isChecked


def test_save_writes_labels_to_the_record_and_nothing_beside_the_images(desk, scene):
    desk.open("case-2")
    paint(labels(desk))
    written = save(scene)
    assert desk.labelPath("case-2") in written
    assert not [path for path in written if path.is_relative_to(desk.cohort)]
    assert not desk.case.hasUnsavedChanges()
    desk.open("case-1")
    desk.open("case-2")
    assert labels(desk).GetSegmentation().GetNthSegment(0).GetName() == "Lesion"
    assert not [row for row in save_rows(scene) if row.isChecked and row.node is labels(desk)]


def test_save_never_writes_over_a_label_that_the_cohort_came_with(desk, scene):
    desk.open(LABELLED[0])
    paint(labels(desk))
    [row] = [row for row in save_rows(scene) if row.node is labels(desk)]
    assert row.path == desk.labelPath(LABELLED[0])


def test_a_segmentation_of_the_cohort_is_saved_in_the_record(scene, cohort, tmp_path):
    """A `.seg.nrrd` keeps its own file when it is read; Save would write over it."""
    import shutil

    from MultimodalImagingLib.images.stored_image import ImageFile
    from MultimodalSlicerLib.open_case import openCaseOf

    case, folder = openCaseOf(scene), shutil.copytree(cohort / "case-1", tmp_path / "case-1")
    images = {"CT": ImageFile(folder / "ct.nii.gz")}
    place = tmp_path / "record" / "labels" / "case-1.seg.nrrd"
    place.parent.mkdir(parents=True)
    case.open("case-1", images, ImageFile(folder / "seg.nii.gz"), place=place)
    given = ImageFile(case.save().rename(folder / "seg.seg.nrrd"))
    for where in (place, None):  # there may be no record
        case.open("case-1", images, given, place=where)
        before = hashes(folder)
        image, node = case.loader.volumes()["CT"], case.loader.segmentation()
        node.SetReferenceImageGeometryParameterFromVolumeNode(image)
        paint(node)
        assert not [path for path in save(scene) if path.is_relative_to(folder)]
        assert hashes(folder) == before


@pytest.mark.parametrize("change", ["rename", "voxels", "image", "harden"])
def test_an_image_that_the_user_changes_is_never_saved_into_the_cohort(desk, scene, change):
    import slicer
    import vtk

    desk.open("case-2")
    node = desk.case.loader.volumes()["CT"]
    if change == "rename":
        node.SetName("my CT")
    elif change == "voxels":
        slicer.util.arrayFromVolume(node)[:] = 0
        slicer.util.arrayFromVolumeModified(node)
    elif change == "image":
        node.GetImageData().Modified()
    else:
        transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        matrix = vtk.vtkMatrix4x4()
        matrix.SetElement(0, 3, 5.0)
        transform.SetMatrixTransformToParent(matrix)
        node.SetAndObserveTransformNodeID(transform.GetID())
        node.HardenTransform()
    rows = {row.node.GetID(): row for row in save_rows(scene)}
    assert not rows[node.GetID()].path.is_relative_to(desk.cohort)
    assert not [path for path in save(scene) if path.is_relative_to(desk.cohort)]
    desk.open("case-1")  # the node is still one of the case


def test_nothing_that_the_modules_make_is_saved_into_the_cohort(desk, scene):
    """Maps, tables, plots, transforms and segmentations of a result."""
    desk.openResult("case-2")
    desk.segmenter.contributions.onLoadMapsButton()
    kinds = {row.node.GetClassName() for row in save_rows(scene)}
    assert {"vtkMRMLTableNode", "vtkMRMLSegmentationNode", "vtkMRMLScalarVolumeNode"} <= kinds
    before = hashes(desk.cohort)
    written = save(scene)
    assert written
    assert not [path for path in written if path.is_relative_to(desk.cohort)]
    assert not list((desk.record / "labels").rglob("*.*"))  # no prediction becomes a label unasked
    assert hashes(desk.cohort) == before


@pytest.mark.parametrize("name", ["ct+contrast", "ct,2", "größe ct", "CT [1]"])
def test_files_whose_names_save_would_change_are_not_offered_at_all(scene, cohort, tmp_path, name):
    import shutil

    from MultimodalImagingLib.images.stored_image import ImageFile
    from MultimodalSlicerLib.open_case import openCaseOf

    path = tmp_path / f"{name}.nii.gz"
    shutil.copy(cohort / "case-1" / "ct.nii.gz", path)
    [node] = openCaseOf(scene).open("case+1", {"CT": ImageFile(path)}).values()
    assert save_rows(scene) == []
    assert openCaseOf(scene).loader.volumes()["CT"].GetName() == "case+1 CT"
    node.SetName("mine")  # it is the user's own from now on
    assert [row.node.GetID() for row in save_rows(scene)] == [node.GetID()]


def test_parts_of_a_file_are_not_offered(scene, tmp_path):
    import SimpleITK as sitk  # noqa: N813

    from MultimodalImagingLib.images.stored_image import ImageFile
    from MultimodalSlicerLib.open_case import openCaseOf

    array = np.arange(2 * 4 * 5 * 6, dtype=np.int16).reshape(2, 4, 5, 6)
    image = sitk.JoinSeries([sitk.GetImageFromArray(part) for part in array])
    path = tmp_path / "brats.nii.gz"
    sitk.WriteImage(image, str(path))
    openCaseOf(scene).open("case", {"A": ImageFile(path, 0), "B": ImageFile(path, 1)})
    assert save_rows(scene) == []


@pytest.mark.parametrize("case", ["case 1", "a+b", "a+", "Ä-1", "100%", " x"])
def test_labels_of_any_case_are_found_again_after_save(scene, cohort, tmp_path, case):
    from MultimodalSlicerLib.cohort_files import CohortFiles, FoundCase
    from MultimodalSlicerLib.open_case import openCaseOf

    files, record = CohortFiles(str(cohort), str(tmp_path / "record")), tmp_path / "record"
    found = FoundCase(case, {"CT": "case-1/ct.nii.gz"})
    owner = openCaseOf(scene)
    owner.open(case, files.images(found), place=files.label_place(found))
    paint(owner.segmentationForEditing())
    written = save(scene)
    assert [path.parent.parent for path in written] == [record / "labels"]
    assert files.label(found).path == written[0]
    assert files.is_labelled(found, None)
    assert not files.is_labelled(FoundCase(f"{case}2"), None)


# --- leaving a case whose labels were edited --------------------------------------------------


def ways(desk):
    return {
        "next case": lambda: desk.open("case-3"),
        "same case": lambda: desk.open("case-2"),
        "close": desk.selector.onCloseCaseButton,
        "result": lambda: desk.openResult("case-3"),
    }


WAYS = ("next case", "same case", "close", "result")


@pytest.fixture
def edited(desk):
    """The second case with labels that were painted now."""
    desk.open("case-2")
    paint(labels(desk))
    assert desk.case.hasUnsavedChanges()
    return desk


@pytest.mark.parametrize("way", WAYS)
def test_enter_saves_the_labels_before_anything_is_closed(edited, messages, way):
    from MultimodalSlicerLib.label_contents import areAlike, contentsOf, readContents

    before = contentsOf(labels(edited))
    ways(edited)[way]()
    [message] = messages.messages
    assert message == "The labels of case-2 have unsaved changes. Save them?"
    assert areAlike(readContents(edited.case._scene, edited.labelPath("case-2")), before)


@pytest.mark.parametrize("way", WAYS)
def test_escape_keeps_the_case_and_saves_nothing(edited, messages, way):
    import qt

    node = labels(edited)
    for answer in ("Escape", qt.QMessageBox.Cancel):
        messages.answers.append(answer)
        ways(edited)[way]()
        assert labels(edited) is node
        assert edited.case.hasUnsavedChanges()
        assert not edited.labelPath("case-2").exists()


@pytest.mark.parametrize("way", WAYS)
def test_only_the_answer_not_to_save_loses_the_labels(edited, messages, way):
    import qt

    node = labels(edited)
    messages.answers.append(qt.QMessageBox.Discard)
    ways(edited)[way]()
    assert node.GetScene() is None
    assert not edited.labelPath("case-2").exists()


@pytest.mark.parametrize("way", WAYS)
def test_labels_that_cannot_be_saved_stay_open(edited, messages, way, monkeypatch):
    from pathlib import Path

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    node = labels(edited)
    ways(edited)[way]()
    monkeypatch.undo()
    assert "No space left" in messages.messages[1]
    assert labels(edited) is node
    assert edited.case.hasUnsavedChanges()
    assert not list((edited.record / "labels").rglob("*.*"))
    edited.case.save()
    assert not edited.case.hasUnsavedChanges()


def test_a_file_that_does_not_hold_the_labels_is_not_taken_for_saved(edited, messages, monkeypatch):
    from MultimodalSlicerLib import label_contents

    monkeypatch.setattr(label_contents, "readContents", lambda *_: ())
    edited.open("case-3")
    assert "would not hold the labels" in messages.messages[1]
    assert edited.case.loader.caseID == "case-2"
    assert edited.case.hasUnsavedChanges()
    assert not edited.labelPath("case-2").exists()


def test_labels_that_someone_else_wrote_meanwhile_are_not_replaced(edited, messages, tmp_path):
    import shutil

    other = edited.case.save()
    shutil.copy(other, tmp_path / "first.seg.nrrd")
    paint(labels(edited), seed=1)
    edited.case.save()
    paint(labels(edited), seed=2)
    shutil.copy(tmp_path / "first.seg.nrrd", other)  # as if another person had saved
    theirs = other.read_bytes()
    edited.open("case-3")
    assert "changed by someone else" in messages.messages[1]
    assert edited.case.loader.caseID == "case-2"
    assert other.read_bytes() == theirs


@pytest.mark.parametrize("savedBy", ["the panel", "Slicer's Save"])
@pytest.mark.parametrize("isChanged", [False, True])
def test_labels_begun_anew_after_a_deletion_may_replace_the_own_ones(
    edited, scene, messages, tmp_path, savedBy, isChanged
):
    """Who deletes the labels in the scene and draws others saves them; those of others stay."""
    import shutil

    from MultimodalSlicerLib.label_contents import areAlike, contentsOf, readContents

    shutil.copy(edited.case.save(), tmp_path / "others.seg.nrrd")
    paint(labels(edited), seed=1)
    edited.case.save() if savedBy == "the panel" else save(scene)
    file = edited.labelPath("case-2")
    scene.RemoveNode(labels(edited))
    if isChanged:
        shutil.copy(tmp_path / "others.seg.nrrd", file)
    edited.selector.logic.openSegmentEditor()
    node = labels(edited)
    [image, *_] = edited.case.loader.volumes().values()
    node.SetReferenceImageGeometryParameterFromVolumeNode(image)
    paint(node, seed=3)
    drawn, before = contentsOf(node), file.read_bytes()
    edited.open("case-3")
    if isChanged:
        assert "changed by someone else" in messages.messages[1]
        assert file.read_bytes() == before
    else:
        assert len(messages.messages) == 1
        assert areAlike(readContents(scene, file), drawn)


def test_labels_that_someone_else_wrote_just_alike_may_be_saved(edited, tmp_path):
    import shutil

    folder = tmp_path / "elsewhere"
    folder.mkdir()
    shutil.copy(edited.case.saveCopy(folder), edited.labelPath("case-2"))
    assert edited.case.save() == edited.labelPath("case-2")
    assert not edited.case.hasUnsavedChanges()


def test_labels_saved_with_slicers_save_in_between_may_be_saved_again(edited, scene, messages):
    save(scene)
    paint(labels(edited), seed=1)
    edited.open("case-3")
    assert len(messages.messages) == 1
    assert edited.case.loader.caseID == "case-3"


def test_labels_without_a_place_are_not_lost(scene, cohort, messages):
    from MultimodalImagingLib.images.stored_image import ImageFile
    from MultimodalSlicerLib.open_case import openCaseOf
    from MultimodalWidgetsLib.leaving import mayLeave

    case = openCaseOf(scene)
    case.open("case-1", {"CT": ImageFile(cohort / "case-1" / "ct.nii.gz")})
    paint(case.segmentationForEditing())
    assert not mayLeave(case)
    assert "Slicer's Save" in messages.messages[1]


def test_closing_the_scene_asks_and_saves(edited, scene, messages):
    scene.Clear(0)
    assert messages.messages == ["The labels of case-2 have unsaved changes. Save them?"]
    assert edited.labelPath("case-2").is_file()


def test_labels_that_cannot_be_saved_when_the_scene_is_closed_are_kept_elsewhere(
    edited, scene, messages
):
    import shutil
    from pathlib import Path

    from MultimodalSlicerLib.label_contents import areAlike, contentsOf, readContents

    before = contentsOf(labels(edited))
    shutil.rmtree(edited.record / "labels")
    scene.Clear(0)
    [_question, _why, where] = messages.messages
    file = Path(where.partition(" are in ")[2].partition(" now.")[0])
    assert areAlike(readContents(scene, file), before)
    file.unlink()


def test_labels_that_are_kept_elsewhere_replace_none_that_are_kept_there(edited, tmp_path):
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    first = edited.case.saveCopy(folder)
    kept = first.read_bytes()
    paint(labels(edited), seed=1)
    second = edited.case.saveCopy(folder)
    assert first.read_bytes() == kept
    assert second.read_bytes() != kept


def test_escape_does_not_lose_labels_when_the_scene_is_closed(edited, scene, messages):
    messages.answers.append("Escape")
    scene.Clear(0)
    assert edited.labelPath("case-2").is_file()


def test_closing_the_scene_loses_labels_only_if_told_to(edited, scene, messages):
    import qt

    messages.answers.append(qt.QMessageBox.Discard)
    scene.Clear(0)
    assert not edited.labelPath("case-2").exists()
    scene.Clear(0)
    assert len(messages.messages) == 1


@pytest.mark.parametrize(("answer", "isClosed"), [("Save", 1), ("Discard", 1), ("Escape", 0)])
def test_closing_slicer_asks(edited, messages, answer, isClosed):
    import qt
    import slicer

    messages.answers.append("Escape" if answer == "Escape" else getattr(qt.QMessageBox, answer))
    messages.answers.append("Escape")  # to what Slicer itself asks then, so that it goes on
    event = qt.QCloseEvent()
    slicer.app.sendEvent(slicer.util.mainWindow(), event)
    slicer.util.mainWindow().show()
    assert bool(event.isAccepted()) == (bool(isClosed) and not is_real_application())
    asked = ["unsaved changes. Save them?" in text for text in messages.messages]
    assert asked == [True] + [False] * (bool(isClosed) and is_real_application())
    assert edited.labelPath("case-2").exists() == (answer == "Save")


def test_nobody_asks_once_the_panels_are_gone(edited, scene, messages):
    import qt
    import slicer

    from MultimodalWidgetsLib.leaving import endGuard

    endGuard()
    messages.answers.append("Escape")  # to what Slicer itself asks
    event = qt.QCloseEvent()
    slicer.app.sendEvent(slicer.util.mainWindow(), event)
    slicer.util.mainWindow().show()
    scene.Clear(0)
    assert event.isAccepted() or is_real_application()
    assert not [text for text in messages.messages if "unsaved changes. Save them?" in text]


def test_a_scene_that_is_added_does_not_make_changes_saved(edited, scene, tmp_path):
    import slicer

    other = slicer.vtkMRMLScene()
    other.AddNewNodeByClass("vtkMRMLTextNode", "note")
    other.SetURL(str(tmp_path / "other.mrml"))
    other.Commit()
    scene.SetURL(str(tmp_path / "other.mrml"))
    scene.Import()
    assert edited.case.hasUnsavedChanges()


def test_a_copy_of_the_labels_stays_when_the_case_goes(edited, scene, messages):
    import slicer

    node = labels(edited)
    copy = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    copy.Copy(node)
    copy.SetName("my copy")
    assert labels(edited) is node
    edited.open("case-3")
    assert copy.GetScene() is scene
    assert slicer.util.getNode("my copy") is copy


# --- opening a result asks the loader that opened the case ------------------------------------


def test_an_unedited_case_is_left_without_a_question_by_both_modules(desk, messages):
    for case, result in zip(CASES, (*SEGMENTED, SEGMENTED[0]), strict=True):
        desk.open(case)
        desk.openResult(result)
    assert messages.messages == []


def test_a_saved_case_is_left_without_a_question_by_the_other_module(edited, messages):
    edited.case.save()
    edited.openResult("case-2")
    edited.open("case-2")
    assert messages.messages == []


def test_who_edits_beside_a_result_begins_with_the_labels_that_there_are(edited, messages):
    from MultimodalSlicerLib.label_contents import areAlike, contentsOf

    edited.case.save()
    saved = contentsOf(labels(edited))
    edited.openResult("case-2")
    assert not labels(edited).GetDisplayNode().GetVisibility()  # the result is looked at
    edited.selector.logic.openSegmentEditor()
    assert labels(edited).GetDisplayNode().GetVisibility()
    assert areAlike(contentsOf(labels(edited)), saved)
    image = next(iter(edited.case.loader.volumes().values()))
    labels(edited).SetReferenceImageGeometryParameterFromVolumeNode(image)  # as Segment Editor
    paint(labels(edited), seed=7)
    edited.case.save()
    edited.open("case-2")
    assert not areAlike(contentsOf(labels(edited)), saved)
    assert messages.messages == []


def test_a_result_goes_with_its_case_whichever_module_opens_the_next(desk, scene):
    desk.openResult("case-2")
    desk.open("case-1")
    names = [node.GetName() for node in nodes_of(scene, "vtkMRMLSegmentationNode")]
    assert names == [desk.reader]
    assert desk.segmenter.logic.getParameterNode().result is None


def nodes_of(scene, kind):
    return [scene.GetNthNodeByClass(n, kind) for n in range(scene.GetNumberOfNodesByClass(kind))]


# --- views ------------------------------------------------------------------------------------

PLACES = {
    "around zero": ((0.0, 0.0, -40.0), None),
    "above": ((0.0, 0.0, 500.0), None),
    "below": ((0.0, 0.0, -900.0), None),
    "left": ((700.0, 0.0, 0.0), None),
    "behind": ((0.0, 700.0, 30.0), None),
    "oblique": ((300.0, -400.0, 694.9), "oblique"),
}


@pytest.fixture
def fresh_views(scene):
    """No slice view of the modules, as at the beginning of a session."""
    for name in ("vtkMRMLSliceNode", "vtkMRMLSliceCompositeNode"):
        for node in nodes_of(scene, name):
            if node.GetLayoutName().startswith("CrossModal"):
                scene.RemoveNode(node)


@pytest.mark.parametrize("place", PLACES)
def test_the_first_case_of_a_session_is_seen(
    scene, fresh_views, sit_down, wait_until, tmp_path, place
):
    import example_result as example

    origin, kind = PLACES[place]
    direction = example.oblique() @ np.array([[1, 0, 0], [0, 0.8, -0.6], [0, 0.6, 0.8]])
    turned = direction if kind else None
    desk = sit_down(write_cohort(tmp_path / "cohort", origin=origin, direction=turned))
    desk.open("case-2")
    wait_until(lambda: True)
    assert black_views(scene) == []
    middle = desk.case.loader.volumes()["CT"]
    bounds = [0.0] * 6
    middle.GetRASBounds(bounds)
    [first, *_] = [view for view in nodes_of(scene, "vtkMRMLSliceNode") if is_own(view)]
    assert first.GetSliceOffset() == pytest.approx((bounds[4] + bounds[5]) / 2, abs=0.01)


def is_own(view):
    return view.GetLayoutName().startswith("CrossModal")


@pytest.mark.parametrize("place", PLACES)
def test_a_result_that_is_opened_first_is_seen_in_every_view(
    scene, sit_down, wait_until, results, tmp_path, place
):
    origin, _ = PLACES[place]
    desk = sit_down(write_cohort(tmp_path / "cohort", origin=origin), results)
    for view in nodes_of(scene, "vtkMRMLSliceNode"):
        view.SetSliceOffset(5000.0)
    for case in ("case-2", "case-3"):  # the second one finds views that have had an image
        desk.openResult(case)
        wait_until(lambda: True)
        assert black_views(scene) == []


def test_a_batch_result_is_shown_in_the_layout_from_before_the_case(desk, scene):
    import slicer

    before = slicer.app.layoutManager().layout
    desk.open("case-1")
    assert desk.case.layout.isShown
    desk.openResult("case-2")
    assert slicer.app.layoutManager().layout == before
    images = desk.case.loader.volumes().values()
    backgrounds = {composite.GetBackgroundVolumeID() for _, composite, _ in shown_views(scene)}
    assert backgrounds <= {image.GetID() for image in images}
    assert untrue_headers(scene) == black_views(scene) == []


@pytest.mark.parametrize("isEdited", [False, True])
@pytest.mark.parametrize("isSideBySide", [False, True])
def test_a_map_over_a_case_goes_before_the_next_case(desk, scene, isSideBySide, isEdited):
    import slicer

    desk.openResult("case-2")
    node = desk.segmenter._parameterNode.result
    if isEdited:  # such a result stays
        paint(node)
    desk.segmenter._parameterNode.isSideBySide = isSideBySide
    region = node.GetSegmentation().GetNthSegmentID(0)
    desk.segmenter.contributions.onCellPicked(region, "PET", "CT")
    slicer.app.processEvents()
    assert untrue_headers(scene) == []
    headers = [view.GetLayoutLabel() for view, *_ in shown_views(scene)]
    assert ("CT with map" in headers) == isSideBySide
    desk.open("case-1")
    assert (node.GetScene() is scene) == isEdited
    wanted = {image.GetID() for image in desk.case.loader.volumes().values()}
    assert {composite.GetBackgroundVolumeID() for _, composite, _ in shown_views(scene)} == wanted
    assert untrue_headers(scene) == black_views(scene) == []
    assert not desk.segmenter.logic.browser.overlay.former


def test_segment_editors_let_go_of_a_case_before_its_nodes_go(desk, scene, drive):
    """Else they take other images by themselves, and Slicer logs an error."""
    import slicer
    import vtk

    held = []

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def look(_scene, _event, node):
        editors = slicer.util.getNodesByClass("vtkMRMLSegmentEditorNode")
        for editor in editors:
            if node in (editor.GetSegmentationNode(), editor.GetSourceVolumeNode()):
                held.append((editor.GetSingletonTag(), node.GetName()))

    desk.open("case-2")
    drive.click(desk.selector.ui.segmentEditorButton)
    slicer.util.selectModule("MDALSelector")
    tag = scene.AddObserver(scene.NodeAboutToBeRemovedEvent, look)
    try:
        desk.open("case-3")
        editor = scene.GetSingletonNode("SegmentEditor", "vtkMRMLSegmentEditorNode")
        assert editor.GetSegmentationNode() is labels(desk)
        desk.selector.onCloseCaseButton()
    finally:
        scene.RemoveObserver(tag)
    assert held == []
    assert editor.GetSegmentationNode() is None
    assert editor.GetSourceVolumeNode() is None


def test_images_renamed_before_a_map_is_shown_are_named_in_the_headers(desk, scene):
    import slicer

    desk.openResult("case-2")
    desk.case.loader.volumes()["PET"].SetName("ct")  # as the other image is called
    desk.segmenter._parameterNode.isSideBySide = True
    region = desk.segmenter._parameterNode.result.GetSegmentation().GetNthSegmentID(0)
    desk.segmenter.contributions.onCellPicked(region, "PET", "CT")
    slicer.app.processEvents()
    assert [view.GetLayoutLabel() for view, *_ in shown_views(scene)] == ["CT with map", "ct"]


def test_a_map_that_is_deleted_is_no_longer_in_the_header(desk, scene):
    import slicer

    desk.openResult("case-2")
    before = [view.GetLayoutLabel() for view, *_ in shown_views(scene)]
    desk.segmenter._parameterNode.isSideBySide = True
    node = desk.segmenter._parameterNode.result
    desk.segmenter.contributions.onCellPicked(
        node.GetSegmentation().GetNthSegmentID(0), "PET", "CT"
    )
    slicer.app.processEvents()
    images = nodes_of(scene, "vtkMRMLScalarVolumeNode")
    [volume] = [image for image in images if image.GetAttribute("CIMLSegment.Map")]
    scene.RemoveNode(volume)
    slicer.app.processEvents()
    assert [view.GetLayoutLabel() for view, *_ in shown_views(scene)] == before


@pytest.mark.parametrize("layer", ["Background", "Foreground"])
def test_an_image_that_is_chosen_in_a_view_stays_out_of_the_others(desk, scene, layer):
    """Although they are linked; a choice is also what Slicer sees when an image is renamed."""
    desk.open("case-1")
    (_, first, _), (_, second, _) = shown_views(scene)
    before = getattr(second, f"Get{layer}VolumeID")()
    other = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "other")
    first.SetInteractionFlags(getattr(first, f"{layer}VolumeFlag"))
    first.InteractingOn()
    getattr(first, f"Set{layer}VolumeID")(other.GetID())
    first.InteractingOff()
    assert getattr(second, f"Get{layer}VolumeID")() == before


@pytest.mark.parametrize("change", ["delete", "rename", "replace", "empty", "swap"])
def test_headers_name_what_the_views_show(desk, scene, change):
    import slicer

    desk.open("case-1")
    ct, pet = desk.case.loader.volumes().values()
    (_, first, _), (_, second, _) = shown_views(scene)
    if change == "delete":
        scene.RemoveNode(ct)
    elif change == "rename":
        ct.SetName("follow-up")
    elif change == "replace":
        other = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "other")
        first.SetBackgroundVolumeID(other.GetID())
    elif change == "empty":
        first.SetBackgroundVolumeID(None)
    else:
        first.SetBackgroundVolumeID(pet.GetID())
        second.SetBackgroundVolumeID(ct.GetID())
    slicer.app.processEvents()
    headers = [view.GetLayoutLabel() for view, *_ in shown_views(scene)]
    assert untrue_headers(scene) == []
    if change == "delete":  # Segment Editor, once opened, takes another image for its source
        assert headers in (["-", "PET"], ["PET", "PET"])
        return
    expected = {
        "rename": ["follow-up", "PET"],
        "replace": ["other", "PET"],
        "empty": ["-", "PET"],
        "swap": ["PET", "CT"],
    }
    assert headers == expected[change]


def test_slicer_showing_another_volume_in_all_views_changes_the_headers(desk, scene):
    import slicer

    desk.open("case-1")
    other = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "other")
    slicer.util.setSliceViewerLayers(background=other)
    assert [view.GetLayoutLabel() for view, *_ in shown_views(scene)] == ["other", "other"]


def test_opening_a_case_leaves_the_users_own_views_alone(desk, scene):
    import slicer

    slicer.util.selectModule("SegmentEditor")  # it follows its node once it was shown
    own = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "mine")
    slicer.util.setSliceViewerLayers(background=own)
    slicer.util.selectModule("MDALSelector")
    desk.open("case-1")
    desk.open("case-2")
    desk.selector.onCloseCaseButton()
    assert {image for _view, _composite, image in shown_views(scene)} == {own}


def test_headers_stay_true_in_a_scene_that_was_saved(desk, scene, tmp_path):
    import slicer

    desk.open("case-1")
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    scene.Clear(0)
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    slicer.app.processEvents()
    assert desk.case.loader.caseID == "case-1"
    assert untrue_headers(scene) == []
    desk.case.loader.volumes()["CT"].SetName("old")
    assert untrue_headers(scene) == []
    desk.case.close()


def test_images_of_a_closed_case_are_kept_alive_by_nobody(desk, scene):
    import gc

    desk.open("case-1")
    data = desk.case.loader.volumes()["CT"].GetImageData()
    assert data.GetReferenceCount() > 1
    desk.open("case-2")
    gc.collect()
    assert data.GetReferenceCount() == 1  # this test's


def test_an_error_while_a_case_is_opened_leaves_views_and_case(desk, scene, messages):
    import shutil

    desk.open("case-1")
    before = [
        (view.GetLayoutLabel(), c.GetBackgroundVolumeID()) for view, c, _ in shown_views(scene)
    ]
    path, kept = desk.cohort / "case-2" / "pet.nii.gz", desk.record / "kept"
    shutil.move(path, kept)
    try:
        with pytest.raises(ValueError, match="Inspect the cohort again"):
            desk.openResult("case-2")
    finally:
        shutil.move(kept, path)
    assert desk.case.loader.caseID == "case-1"
    after = [
        (view.GetLayoutLabel(), c.GetBackgroundVolumeID()) for view, c, _ in shown_views(scene)
    ]
    assert after == before
