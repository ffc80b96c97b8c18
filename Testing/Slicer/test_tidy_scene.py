"""The scene stays tidy, and nothing breaks when the user deletes what the modules put there."""

from __future__ import annotations

from pathlib import Path

import pytest
from desk import Desk, Done, hashes

N_CASES = 3
# Made by Slicer for each view and each file.
SLICERS = (
    *("vtkMRMLSliceDisplayNode", "vtkMRMLLinearTransformNode", "vtkMRMLModelNode"),
    *("vtkMRMLVolumeArchetypeStorageNode", "vtkMRMLSegmentationStorageNode"),
)


@pytest.fixture(scope="module")
def cohort(host, tmp_path_factory):
    """Three small cases; the first one is labeled."""
    from runs import write_small_cohort

    folder = write_small_cohort(tmp_path_factory.mktemp("tidy") / "cohort", N_CASES)
    for number in (2, 3):
        (folder / f"case-{number:04d}" / "seg.nii.gz").unlink()
    return folder


@pytest.fixture(scope="module")
def results(host, tmp_path_factory):
    import sys

    sys.path.append(str(Path(__file__).parents[1] / "Helpers"))
    import example_result as example

    folder = tmp_path_factory.mktemp("tidy") / "results"
    for number in (2, 3):
        example.write_example(folder, example.grid(), task_name="pet-ct", case=f"case-{number:04d}")
    return folder


class Work:
    """Both panels with a ranking, maps and results, and what a user does with them."""

    def __init__(self, desk, drive, run) -> None:
        self.desk, self.drive, self.run = desk, drive, run
        self.selector, self.segmenter = desk.selector, desk.segmenter

    def to(self, name):
        import slicer

        if slicer.util.selectedModule() != name:
            slicer.util.selectModule(name)

    def settle(self):
        import slicer

        for _ in range(3):
            slicer.app.processEvents()

    def rank(self):
        """A new ranking arrives."""
        self.to("MDALSelector")
        self.selector.onSelected(Done({"run": str(self.run)}, self.desk.cohort))
        self.desk._wait(lambda: len(self.selector.cases.visibleCases()) == N_CASES)

    def open(self):
        self.to("MDALSelector")
        self.selector.onLoadCase(self.mapped())
        self.settle()

    def mapped(self):
        """The case that the ranking has a map of."""
        return self.selector.cases.rows[0].case_id

    def show_map(self):
        self.open()
        self.selector._parameterNode.showsMap = True
        self.settle()
        assert self.selector.logic.overlay.node is not None

    def result(self):
        self.desk.openResult("case-0002")
        self.settle()

    def result_map(self):
        self.result()
        self.drive.click_cell(self.segmenter.ui.shareTable, 0, 0)
        self.settle()
        assert self.segmenter.logic.browser.shown is not None

    def side_by_side(self):
        self.result_map()
        self.segmenter._parameterNode.isSideBySide = True
        self.settle()

    def train(self):
        """Two points of a training arrive."""
        from CIMLSegmentPanelLib.nodes.training_nodes import CurvePoint

        self.to("CIMLSegment")
        for step in (1, 2):
            self.segmenter.cohort.work.curve.add(CurvePoint(step, 1.0 / step, 0.1 * step))
        self.segmenter.cohort.train.showCurve()

    def leave(self):
        """Close what is open."""
        for panel, name in ((self.selector, "MDALSelector"), (self.segmenter, "CIMLSegment")):
            self.to(name)
            panel._parameterNode.showsMap = False
            panel._parameterNode.isSideBySide = False
        if self.segmenter.ui.removeOverlayButton.enabled:
            self.drive.click(self.segmenter.ui.removeOverlayButton)
        self.to("MDALSelector")
        self.selector.onCloseCaseButton()
        self.settle()

    def go_on(self):
        """Use all there is, once."""
        self.rank()
        self.selector.cases.selectCase(self.mapped())
        self.show_map()
        self.selector._parameterNode.showsMap = False
        assert [self.desk.case.loader.caseID] == [self.mapped()]
        self.side_by_side()
        self.train()
        self.whole()
        self.leave()

    def whole(self):
        """Both plots show what there is."""
        for panel in (self.selector, self.segmenter):
            plot = panel.plot if panel is self.selector else panel.cohort.train.lossPlot
            assert not plot.view.isHidden()
            assert plot.view.chart().GetNumberOfPlots() > 0


STATES = {
    "nothing": lambda work: None,
    "ranking": Work.rank,
    "case": Work.open,
    "map": Work.show_map,
    "result": Work.result,
    "map of the result": Work.result_map,
    "side by side": Work.side_by_side,
    "training": Work.train,
}
# What these show, others show too; a minute and a half together.
CONTAINED = ("case", "result", "map of the result")
LONG = {state: [pytest.mark.evidence] for state in CONTAINED}


@pytest.fixture
def desk(scene, load_module, wait_until, cohort, tmp_path):
    scene.SetRootDirectory(str(tmp_path))
    return Desk(load_module, wait_until, cohort, tmp_path / "record")


@pytest.fixture
def work(desk, messages, drive, cohort, results, tmp_path):
    from runs import write_mapped_run

    run = write_mapped_run(tmp_path / "record" / "runs" / "001-DiverseMD", N_CASES)
    before = hashes(cohort)
    desk.know(results)
    yield Work(desk, drive, run)
    desk.segmenter.logic.browser.remove()
    desk.case.close()
    assert hashes(cohort) == before
    assert messages.messages == []


def kind_of(node):
    """What a node is, also when it is made anew."""
    name = node.GetName() if node.GetAttribute("CrossModal.Role") else ""
    modality = node.GetAttribute("CrossModal.Modality") or ""
    return node.GetClassName(), node.GetSingletonTag() or "", name, modality


def nodes(scene):
    return [scene.GetNthNode(index) for index in range(scene.GetNumberOfNodes())]


def our_kinds(scene, before):
    """Kinds of nodes that came since, each with a node of it."""
    found = {kind_of(node): node for node in nodes(scene)}
    return {kind: node for kind, node in found.items() if kind not in before}


@pytest.mark.parametrize("state", [pytest.param(s, marks=LONG.get(s, ())) for s in STATES])
def test_every_node_may_be_deleted_in_every_state(work, scene, state):
    slicers_own = {kind for kind in map(kind_of, nodes(scene)) if not is_ours(kind)}
    STATES[state](work)
    kinds = [kind for kind in our_kinds(scene, slicers_own) if kind[0] not in SLICERS]
    assert kinds
    for kind in kinds:
        STATES[state](work)
        node = our_kinds(scene, slicers_own).get(kind)
        if node is None:
            continue
        chosen = work.desk.selector.logic.getParameterNode().cohortPath
        scene.RemoveNode(node)
        work.settle()
        for plot in (work.selector.plot, work.segmenter.cohort.train.lossPlot):
            assert plot.view.isHidden() or plot.view.chart().GetNumberOfPlots() > 0, kind
        hint = work.selector.ui.plotHintLabel
        assert bool(work.selector.logic.ranking.plot.chart()) or hint.text, kind
        assert work.desk.selector.logic.getParameterNode().cohortPath == chosen, kind
        work.rank()
        work.leave()
    work.go_on()


def is_ours(kind):
    return any("MDAL" in part or "CIML" in part or "CrossModal" in part for part in kind[1:])


# --- what is in the scene ----------------------------------------------------------------------


def top_items(scene):
    """What Slicer's Data shows at the top."""
    from MultimodalSlicerLib.volume_nodes import subjectHierarchy

    hierarchy = subjectHierarchy(scene)
    top = hierarchy.GetSceneItemID()
    items = [
        hierarchy.GetItemByPositionUnderParent(top, index)
        for index in range(hierarchy.GetNumberOfItemChildren(top))
    ]
    shown = [
        item
        for item in items
        if hierarchy.GetItemDataNode(item) is None
        or not hierarchy.GetItemDataNode(item).GetHideFromEditors()
    ]
    return sorted(hierarchy.GetItemName(item) for item in shown)


def test_data_shows_the_case_and_one_folder(work, scene):
    work.rank()
    assert top_items(scene) == ["CrossModal"]
    work.show_map()
    assert top_items(scene) == ["CrossModal", work.mapped()]
    work.side_by_side()
    work.train()
    assert top_items(scene) == ["CrossModal", "case-0002"]
    work.leave()
    assert top_items(scene) == ["CrossModal"]


def test_open_cases_leave_nothing_and_keep_their_names(work, scene, census):
    for case in ("case-0001", "case-0002", "case-0003"):
        work.desk.open(case)
    work.result_map()
    work.leave()
    before = census()
    for number in (1, 2, 3, 1, 2):
        work.desk.open(f"case-{number:04d}")
        images = work.desk.case.loader.volumes()
        assert {name: node.GetName() for name, node in images.items()} == {"CT": "ct", "PET": "pet"}
        assert work.desk.case.loader.segmentation().GetName() == work.desk.reader
        work.leave()
    work.result_map()
    assert [node.GetName() for node in nodes(scene) if node.IsA("vtkMRMLTableNode")][-2:] == [
        "case-0002 contributions",
        "case-0002 volumes",
    ]
    work.leave()
    grown = {name for name in census().grown(before) if name.startswith("vtkMRML")}
    assert not grown
    assert "observers" not in census().grown(before)


def roles(scene):
    found = [node.GetAttribute("CrossModal.Role") for node in nodes(scene)]
    return sorted(role for role in found if role)


@pytest.mark.parametrize("isCleared", [True, False], ids=["instead", "added"])
def test_a_scene_that_was_saved_brings_one_set_of_helpers(work, scene, tmp_path, isCleared):
    import slicer

    work.rank()
    work.train()
    before, views = roles(scene), top_items(scene)
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    if isCleared:
        scene.Clear(0)
        work.settle()
        assert not {"MDAL ranking", "CIML training course"} & set(roles(scene))
        assert top_items(scene) == []
    slicer.util.loadScene(str(tmp_path / "scene.mrb"), {"clear": isCleared})
    work.desk._wait(lambda: len(work.selector.cases.visibleCases()) == N_CASES)
    work.desk._wait(lambda: (roles(scene), top_items(scene)) == (before, views))
    work.to("CIMLSegment")
    work.whole()
    points = work.segmenter.cohort.work.curve._points
    assert [(p.step, p.loss, p.dice) for p in points] == [(1, 1.0, 0.1), (2, 0.5, 0.2)]


@pytest.mark.parametrize("state", ["ImportState", "BatchProcessState"])
def test_nothing_is_tidied_while_a_scene_is_read(work, scene, state):
    """Slicer handles events while it reads, and the saved folder may come last."""
    from MultimodalSlicerLib import helper_nodes

    work.rank()
    work.train()
    views = top_items(scene)
    reading = getattr(scene, state)
    scene.StartState(scene.ImportState)
    scene.EndState(scene.ImportState)  # the panels are told, and wait for the end of the next
    scene.StartState(reading)
    hierarchy = helper_nodes.subjectHierarchy(scene)
    ours = helper_nodes._folders(scene)
    late = helper_nodes._newFolder(scene)
    for _ in range(3):
        work.settle()
        assert helper_nodes._folders(scene) == [*ours, late]
    later = helper_nodes._newFolder(scene)
    scene.EndState(reading)
    work.desk._wait(lambda: top_items(scene) == views)
    assert not {late, later} & set(helper_nodes._folders(scene))
    assert hierarchy.GetNumberOfItemChildren(ours[0]) > 0


def test_helpers_are_hidden_or_saved(work, scene):
    """Slicer's Save leaves the content of hidden nodes out, so none that counts may be hidden."""
    work.rank()
    work.show_map()
    work.train()
    own = [node for node in nodes(scene) if node.GetAttribute("CrossModal.Role")]
    saved = sorted(node.GetName() for node in own if node.GetSaveWithScene())
    assert saved == ["CIML training course", "MDAL ranking"]
    for node in own:
        assert bool(node.GetHideFromEditors()) != bool(node.GetSaveWithScene())
    hidden = work.selector.logic.overlay.node
    for node in (hidden, hidden.GetDisplayNode(), hidden.GetDisplayNode().GetColorNode()):
        assert node.GetHideFromEditors()
        assert not node.GetSaveWithScene()


def test_a_deleted_ranking_says_how_to_see_it_again(work, scene, messages):
    from MultimodalSlicerLib.helper_nodes import findNode

    work.rank()
    scene.RemoveNode(findNode(scene, "vtkMRMLTableNode", "MDAL ranking"))
    work.settle()
    work.desk._wait(lambda: len(work.selector.cases.visibleCases()) == N_CASES)
    assert [row.rank for row in work.selector.cases.rows] == [None] * N_CASES
    assert "Press Inspect" in work.selector.ui.plotHintLabel.text
    work.selector.onInspected(Done(_inspected(work), work.desk.cohort))
    assert [row.rank for row in work.selector.cases.rows] == [1, 2, 3]


def _inspected(work):
    from MDALSelectorLib.inspection.cohort_inspection import inspect_cohort

    return inspect_cohort(work.desk.cohort).to_json()


def test_a_deleted_table_of_contributions_says_what_to_do(work, scene):
    work.result_map()
    ui = work.segmenter.ui
    assert not ui.shareTable.isHidden()
    node = work.segmenter._parameterNode.result
    scene.RemoveNode(node.GetNthNodeReference("CIMLSegment.Table", 0))
    work.settle()
    assert not ui.shareTable.visible
    assert "open its result again" in ui.contributionsHintLabel.text
    work.result()
    assert not ui.shareTable.isHidden()


def test_a_deleted_map_takes_its_words_and_views_along(work, scene):
    work.result_map()
    ui = work.segmenter.ui
    assert ui.overlayLabel.text
    scene.RemoveNode(work.segmenter.logic.browser.overlay._nodes[0])
    work.settle()
    assert ui.overlayLabel.isHidden()
    assert not ui.removeOverlayButton.enabled
    assert scene.GetNumberOfNodesByClass("vtkMRMLColorLegendDisplayNode") == 0
