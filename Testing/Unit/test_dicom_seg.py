"""DICOM Segmentation objects: written on series of all kinds, read back by pydicom alone."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from dicom_files import AXIAL, SAGITTAL, SPACING, SeriesPlan, write_enhanced, write_series
from exports import TASK
from phantoms import save_nifti
from pydicom import dcmread
from pydicom.pixels import pixel_array
from segment_files import save_segments

from CIMLSegmentLib.__main__ import main
from CIMLSegmentLib.results.map_kinds import MapKey
from CIMLSegmentLib.results.result_io import write_result
from CIMLSegmentLib.results.segmentation_result import ResultMap, SegmentationResult
from CIMLSegmentLib.task.task import Task
from CIMLSegmentLib.task.task_io import load_task
from MultimodalImagingLib.cohorts.cohort import find_cohort
from MultimodalImagingLib.images.geometry import Grid, Volume
from MultimodalImagingLib.images.label_names import BEGAN_TAG
from MultimodalImagingLib.images.volume_io import write_volume

C, S, C2, S2 = np.cos(0.4), np.sin(0.4), np.cos(0.3), np.sin(0.3)
OBLIQUE = (C, S, 0.0, -S * C2, C * C2, S2)
CASE = "case-0001"


@dataclass(frozen=True)
class Room:
    """A cohort of one DICOM case, its grid, and the task."""

    folder: Path
    grid: Grid
    task: Task

    @property
    def output(self) -> Path:
        return self.folder / "out"

    @property
    def file(self) -> Path:
        return self.output / f"{CASE}.dcm"

    def export(self, *words: object) -> int:
        own = ("export", self.folder / "cohort", "--dicom-seg", self.output)
        return main([*map(str, (*own, *words))])

    def export_labels(self, *words: object) -> int:
        labels = ("--labels", self.folder / "labels", "--task", self.folder / "task.json")
        return self.export(*labels, *words)

    def save_labels(self, values: np.ndarray) -> None:
        (self.folder / "labels").mkdir(exist_ok=True)
        write_volume(self.folder / "labels" / f"{CASE}.nii.gz", Volume(values, self.grid))


def make_room(folder: Path, orientation=AXIAL, *, is_enhanced: bool = False) -> Room:
    for number, description in ((4, "flair"), (5, "t1_mprage")):
        plan = SeriesPlan(description=description, number=number, orientation=orientation)
        if is_enhanced:
            path = folder / "cohort" / "a" / f"{description}.dcm"
            write_enhanced(path, plan, order=[3, 1, 2, 0, 5, 4])
        else:
            write_series(folder / "cohort" / "a", plan)
    (folder / "task.json").write_text(TASK, encoding="utf-8")
    cohort = find_cohort(folder / "cohort")
    grid = cohort.grids[cohort.cases[0].images["FLAIR"]]
    return Room(folder, grid, load_task(folder / "task.json"))


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return make_room(tmp_path)


def label_values(grid: Grid, seed: int = 0) -> np.ndarray:
    values = np.random.default_rng(seed).choice([0, 1, 2, 4], size=grid.array_shape)
    values[[0, 3]] = 0  # frames of nothing, at the end and in between
    return values.astype(np.uint8)


def placed_frames(path: Path, grid: Grid) -> np.ndarray:
    """Read an object by pydicom, a frame at a time, each where its own position says."""
    dataset = dcmread(path)
    frames = np.atleast_3d(pixel_array(dataset)).reshape(-1, dataset.Rows, dataset.Columns)
    is_map = dataset.SegmentationType == "LABELMAP"
    n_segments = 1 if is_map else len(dataset.SegmentSequence)
    found = np.zeros((n_segments, *grid.array_shape))
    shared = dataset.SharedFunctionalGroupsSequence[0]
    orientation = shared.PlaneOrientationSequence[0].ImageOrientationPatient
    assert np.allclose(orientation, grid.direction_matrix[:, :2].T.ravel(), atol=1e-6)
    spacing = shared.PixelMeasuresSequence[0].PixelSpacing
    assert np.allclose(spacing, [SPACING[1], SPACING[0]])
    to_index = np.linalg.inv(grid.index_to_lps)
    for frame, own in zip(frames, dataset.PerFrameFunctionalGroupsSequence, strict=True):
        position = own.PlanePositionSequence[0].ImagePositionPatient
        i, j, k, _ = to_index @ [*map(float, position), 1.0]
        assert abs(i) + abs(j) + abs(k - round(k)) < 1e-3
        number = 1 if is_map else own.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        found[number - 1, round(k)] = frame
    return found[0] if is_map else found


@pytest.mark.parametrize("is_enhanced", [False, True], ids=["files", "frames"])
@pytest.mark.parametrize(
    "orientation", [AXIAL, SAGITTAL, OBLIQUE], ids=["axial", "sagittal", "oblique"]
)
def test_labels_come_back_voxel_by_voxel(tmp_path: Path, orientation, is_enhanced: bool) -> None:
    room = make_room(tmp_path, orientation, is_enhanced=is_enhanced)
    values = label_values(room.grid)
    room.save_labels(values)
    assert room.export_labels() == 0
    regions = [np.isin(values, region.labels) for region in room.task.regions]
    assert np.array_equal(placed_frames(room.file, room.grid), regions)


def test_segments_say_what_they_are_and_where_they_belong(room: Room) -> None:
    room.save_labels(label_values(room.grid))
    assert room.export_labels() == 0
    dataset, source = (
        dcmread(room.file),
        dcmread(next((room.folder / "cohort" / "a").glob("*_4.dcm"))),
    )
    whole, core, _ = dataset.SegmentSequence
    assert (whole.SegmentLabel, core.SegmentLabel) == ("Whole tumor", "Core")
    assert whole.SegmentAlgorithmType == "MANUAL"
    kind = whole.SegmentedPropertyTypeCodeSequence[0]
    assert (kind.CodeValue, kind.CodingSchemeDesignator, kind.CodeMeaning) == (
        "52988006",
        "SCT",
        "Lesion",
    )
    assert whole.SegmentedPropertyCategoryCodeSequence[0].CodeValue == "49755003"
    assert whole.AnatomicRegionSequence[0].CodeMeaning == "Brain"
    for keyword in ("StudyInstanceUID", "FrameOfReferenceUID", "PatientID"):
        assert dataset[keyword].value == source[keyword].value
    assert dataset.SeriesInstanceUID != source.SeriesInstanceUID
    referenced = dataset.ReferencedSeriesSequence[0]
    assert referenced.SeriesInstanceUID == source.SeriesInstanceUID
    assert len(referenced.ReferencedInstanceSequence) == room.grid.size[2]
    assert "not for clinical use" in dataset.ContentDescription


def test_a_label_map_holds_labels_that_do_not_overlap(room: Room) -> None:
    values = label_values(room.grid)
    room.save_labels(values)
    assert room.export_labels("--seg-type", "labelmap") == 0
    expected = np.select([values == 1, values == 2, values == 4], [1, 2, 3])
    assert np.array_equal(placed_frames(room.file, room.grid), expected)
    segments = {s.SegmentNumber: s.SegmentLabel for s in dcmread(room.file).SegmentSequence}
    assert {n: segments[n] for n in (1, 2, 3)} == {1: "core", 2: "edema", 3: "enhancing"}


def test_an_empty_label_is_written_as_such(room: Room) -> None:
    room.save_labels(np.zeros(room.grid.array_shape, np.uint8))
    assert room.export_labels() == 0
    assert not placed_frames(room.file, room.grid).any()


def test_labels_that_began_as_a_draft_say_so(room: Room) -> None:
    mask = label_values(room.grid) == 1
    path = room.folder / "labels" / f"{CASE}.seg.nrrd"
    save_segments(path, [mask], [("core", 1, 0)], room.grid)
    head, end, voxels = path.read_bytes().partition(b"\n\n")
    path.write_bytes(head.replace(b"~^^|", f"~^^|{BEGAN_TAG}:glioma 77|".encode()) + end + voxels)
    assert room.export_labels() == 0
    segment = dcmread(room.file).SegmentSequence[1]
    assert segment.SegmentAlgorithmType == "SEMIAUTOMATIC"
    assert segment.SegmentationAlgorithmIdentificationSequence[0].AlgorithmName == "glioma 77"


def write_results(room: Room, values: np.ndarray, grid: Grid, *, shares=None) -> Path:
    maps = tuple(
        ResultMap(MapKey("probability", region=name), Volume(share, grid))
        for name, share in (shares or {}).items()
    )
    model = {"model_id": "1c0ffee5aaaa", "step": 400}
    result = SegmentationResult(
        CASE, room.task, "FLAIR", Volume(values, grid), maps=maps, model=model
    )
    write_result(result, room.folder / "results")
    return room.folder / "results"


def test_results_name_model_and_version(room: Room) -> None:
    values = label_values(room.grid)
    assert room.export("--results", write_results(room, values, room.grid)) == 0
    regions = [np.isin(values, region.labels) for region in room.task.regions]
    assert np.array_equal(placed_frames(room.file, room.grid), regions)
    segment = dcmread(room.file).SegmentSequence[0]
    assert segment.SegmentAlgorithmType == "AUTOMATIC"
    algorithm = segment.SegmentationAlgorithmIdentificationSequence[0]
    assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == (
        "CrossModal glioma 1c0ffee5",
        "400",
    )
    assert "not for clinical use" in algorithm.AlgorithmSource


def test_probabilities_become_a_fractional_object(room: Room) -> None:
    generator = np.random.default_rng(3)
    shares = {
        name: generator.random(room.grid.array_shape).astype(np.float32)
        for name in room.task.region_names
    }
    results = write_results(room, label_values(room.grid), room.grid, shares=shares)
    assert room.export("--results", results, "--seg-type", "fractional") == 0
    found = placed_frames(room.file, room.grid) / dcmread(room.file).MaximumFractionalValue
    assert np.abs(found - np.stack(list(shares.values()))).max() < 0.51 / 255 + 1e-3
    assert dcmread(room.file).SegmentationFractionalType == "PROBABILITY"


def test_what_has_no_probabilities_is_refused(room: Room, capsys) -> None:
    results = write_results(room, label_values(room.grid), room.grid)
    assert room.export("--results", results, "--seg-type", "fractional") == 2
    assert "--probabilities" in capsys.readouterr().err
    room.save_labels(label_values(room.grid))
    assert room.export_labels("--seg-type", "fractional") == 2
    assert not list(room.output.glob("*.dcm"))


def test_a_result_on_another_grid_is_resampled_only_on_request(room: Room, capsys) -> None:
    grid = room.grid
    i, j, k = grid.spacing_mm
    fine = Grid(  # four voxels in the place of one, with the same outer edges
        (2 * grid.size[0], 2 * grid.size[1], grid.size[2]),
        (i / 2, j / 2, k),
        tuple((grid.index_to_lps @ [-0.25, -0.25, 0, 1])[:3].tolist()),
        grid.direction,
    )
    values = label_values(grid)
    results = write_results(room, values.repeat(2, axis=1).repeat(2, axis=2), fine)
    assert room.export("--results", results) == 2
    assert "--resample" in capsys.readouterr().err
    assert room.export("--results", results, "--resample") == 0
    assert f"Resampled to the grid of the primary image: 1 case, {CASE}" in " ".join(
        capsys.readouterr().err.split()
    )
    regions = [np.isin(values, region.labels) for region in room.task.regions]
    assert np.array_equal(placed_frames(room.file, room.grid), regions)


def test_a_cohort_of_other_files_has_no_series(tmp_path: Path, capsys) -> None:
    image = np.random.default_rng(0).random((8, 8, 8)).astype(np.float32)
    for name in ("flair", "t1"):
        save_nifti(tmp_path / "cohort" / CASE / f"{name}.nii.gz", image)
    save_nifti(tmp_path / "labels" / f"{CASE}.nii.gz", np.ones((8, 8, 8), np.uint8))
    (tmp_path / "task.json").write_text(TASK, encoding="utf-8")
    room = Room(
        tmp_path,
        Grid((8, 8, 8), (1, 1, 1), (0, 0, 0), (1, 0, 0, 0, 1, 0, 0, 0, 1)),
        load_task(tmp_path / "task.json"),
    )
    assert room.export_labels() == 2
    assert "is no DICOM series" in " ".join(capsys.readouterr().err.split())


def test_without_highdicom_the_sentence_says_what_to_install(
    room: Room, monkeypatch, capsys
) -> None:
    room.save_labels(label_values(room.grid))
    monkeypatch.setitem(sys.modules, "highdicom", None)
    assert room.export_labels() == 2
    assert re.search(r"pip install\s+highdicom", capsys.readouterr().err)
    assert not room.output.exists()


def test_a_second_export_writes_nothing_anew(room: Room) -> None:
    room.save_labels(label_values(room.grid))
    assert room.export_labels() == 0
    before = room.file.read_bytes()
    assert room.export_labels() == 0
    assert room.file.read_bytes() == before
    room.save_labels(label_values(room.grid, seed=1))
    assert room.export_labels() == 0
    assert room.file.read_bytes() != before
