"""Results of a cohort that are opened one after the other, and what a batch says of its cases."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "Helpers"))


@pytest.fixture
def jobs(scene, tmp_path, monkeypatch):
    """Two segmented cases, one labeled one; opening a case gives its PET alone."""
    import example_result as example

    from CIMLSegmentPanelLib.nodes.cohort_cases import CohortCases
    from CIMLSegmentPanelLib.nodes.cohort_jobs import CohortJobs
    from MultimodalSlicerLib.cohort_files import CohortFiles, FoundCase
    from MultimodalSlicerLib.volume_nodes import addVolume

    grid = example.grid()
    (tmp_path / "cohort").mkdir()
    (tmp_path / "cohort" / "seg.nii").write_bytes(b"a label")
    files = CohortFiles(str(tmp_path / "cohort"), str(tmp_path / "record"))
    found = [FoundCase("a"), FoundCase("b"), FoundCase("c", label="seg.nii")]
    jobs = CohortJobs(scene)
    jobs.cases = CohortCases(files, found)
    for case in "abc":
        folder = example.write_example(tmp_path / "out", grid, case=case)
        jobs.takeEvent({"folder": str(folder)}, files.path)
    pet = addVolume(scene, example.image("PET", grid), "PET")
    jobs.case.close()

    def opened(*_, beforeClosing, **__):
        beforeClosing()
        return {"PET": pet}

    monkeypatch.setattr(jobs.case.loader, "open", opened)
    return jobs


def names(scene, kind: str) -> list[str]:
    nodes = [scene.GetNthNodeByClass(n, kind) for n in range(scene.GetNumberOfNodesByClass(kind))]
    return sorted(node.GetName() for node in nodes)


def states(jobs) -> list[str]:
    return [jobs.cases.cases[name].state for name in "abc"]


def rename(node) -> None:
    node.GetSegmentation().GetNthSegment(0).SetName("corrected")


def paint(node) -> None:
    import slicer

    segment = node.GetSegmentation().GetNthSegmentID(0)
    array = slicer.util.arrayFromSegmentBinaryLabelmap(node, segment)
    array[0, 0, :3] = 1
    slicer.util.updateSegmentBinaryLabelmapFromArray(array, node, segment)


def brush(node) -> None:
    """Change the voxels in place, as the effects of the segment editor do."""
    from vtk.util.numpy_support import vtk_to_numpy

    segmentation = node.GetSegmentation()
    image = segmentation.GetNthSegment(0).GetRepresentation("Binary labelmap")
    vtk_to_numpy(image.GetPointData().GetScalars())[:3] = 1
    image.Modified()


def test_an_opened_result_gives_way_to_the_next_one(scene, jobs) -> None:
    jobs.openResult("a")
    jobs.openResult("b")
    assert names(scene, "vtkMRMLSegmentationNode") == ["b segmentation"]


@pytest.mark.parametrize("edit", [rename, paint, brush])
def test_an_opened_result_that_the_user_edited_stays(scene, jobs, edit) -> None:
    edit(jobs.openResult("a"))
    jobs.openResult("b")
    assert names(scene, "vtkMRMLSegmentationNode") == ["a segmentation", "b segmentation"]


def test_only_cases_with_a_result_are_opened_and_labeled_ones_stay_labeled(scene, jobs) -> None:
    assert [jobs.cases.cases[name].state for name in "abc"] == [
        "segmented",
        "segmented",
        "labelled",
    ]
    failed = {"failed": {"b": "no memory", "c": "no memory", "z": "unknown"}}
    assert not jobs.takeEvent(failed, "/another/cohort")  # with cases of the same names
    assert states(jobs) == ["segmented", "segmented", "labelled"]
    assert jobs.takeEvent(failed, jobs.cases.files.path)
    assert states(jobs) == ["segmented", "failed", "labelled"]
    for name in "bcz":
        with pytest.raises(ValueError, match=f"{name} has no result"):
            jobs.openResult(name)
    assert names(scene, "vtkMRMLSegmentationNode") == []


def test_events_before_an_inspection_change_nothing(scene, tmp_path) -> None:
    from CIMLSegmentPanelLib.nodes.cohort_jobs import CohortJobs

    assert not CohortJobs(scene).takeEvent({"folder": str(tmp_path)}, str(tmp_path))
    assert not CohortJobs(scene).takeEvent({"failed": {"a": "no memory"}}, str(tmp_path))


def test_a_search_that_was_overtaken_does_not_end_the_one_that_runs(jobs, tmp_path) -> None:
    first = jobs._search(jobs.cases, tmp_path / "out")
    jobs._searched, jobs._isSearching = tmp_path / "other", True
    list(first)
    assert jobs._isSearching
    jobs._searched = tmp_path / "out"
    list(jobs._search(jobs.cases, tmp_path / "out"))
    assert not jobs._isSearching


def test_edited_notes_name_no_folder(scene, jobs) -> None:
    from CIMLSegmentPanelLib.nodes.run_files import ResultFolders
    from CIMLSegmentPanelLib.nodes.segmentation_runs import SegmentationRuns

    node, runs = jobs.openResult("a"), SegmentationRuns(scene, ResultFolders())
    assert runs.temporaryFolder(node).endswith("a")
    node.SetAttribute("CIMLSegment.Result", "{broken")
    assert runs.temporaryFolder(node) == ""
