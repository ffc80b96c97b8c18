"""The label map beside a segmentation: its grid, its numbers, and whose file it may replace."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from segment_files import save_segments

from MultimodalImagingLib.cohorts.label_maps import label_map_place, write_label_map
from MultimodalImagingLib.cohorts.labelled_cases import label_that_counts, reader_labels
from MultimodalImagingLib.cohorts.reader_labels import (
    EARLIER,
    consensus_place,
    reader_label_place,
)
from MultimodalImagingLib.cohorts.saved_labels import new_saved_label, note_saved_label
from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.images.flat_labels import by_majority, flat_labels
from MultimodalImagingLib.images.geometry import Grid, Volume, is_same_grid
from MultimodalImagingLib.images.stored_image import ImageFile
from MultimodalImagingLib.images.volume_io import read_stored_volume
from MultimodalImagingLib.record.cohort_record import CohortRecord, open_record

TURNED = (0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0)
GRID = Grid((12, 10, 8), (2.0, 2.0, 3.0), (-5.0, 4.0, 7.0), TURNED)


def finer(grid: Grid, factor: int) -> Grid:
    """Return the grid with each voxel in parts, over the same box."""
    shift = np.append(np.full(3, 0.5 / factor - 0.5), 1.0)
    return replace(
        grid,
        size=tuple(factor * n for n in grid.size),
        spacing_mm=tuple(s / factor for s in grid.spacing_mm),
        origin_mm=tuple((grid.index_to_lps @ shift)[:3].tolist()),
    )


def cut_out(volume: Volume, low: int, high: int) -> Volume:
    """Return a part of a volume, as Slicer saves the smallest box around the segments."""
    grid = volume.grid
    origin = (grid.index_to_lps @ np.array([low, low, low, 1.0]))[:3]
    part = volume.array[low:high, low:high, low:high]
    return Volume(part, replace(grid, size=(high - low,) * 3, origin_mm=tuple(origin.tolist())))


def random_labels(seed: int) -> Volume:
    source = np.random.default_rng(seed)
    array = np.zeros(GRID.array_shape, np.uint8)
    array[2:6, 2:6, 2:6] = source.integers(0, 3, (4, 4, 4))
    return Volume(array, GRID)


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_a_label_comes_back_from_a_finer_grid(factor: int) -> None:
    labels = random_labels(1)
    array = labels.array
    for axis in range(3):
        array = array.repeat(factor, axis=axis)
    drawn = Volume(array, finer(GRID, factor))
    assert np.array_equal(by_majority(drawn, GRID).array, labels.array)


def test_the_majority_counts_and_a_label_before_background() -> None:
    drawn = np.zeros((2, 2, 6), np.uint8)
    drawn[:, :, :2] = 1
    drawn[0, 0, :2] = 2  # 2 of 8 parts
    drawn[:, 0, 2:4] = 1  # 4 of 8: as much as background
    drawn[0, 0, 4:] = 2  # 2 of 8
    coarse = Grid((3, 1, 1), (2.0, 2.0, 2.0), (0.0, 0.0, 0.0), TURNED)
    assert by_majority(Volume(drawn, finer(coarse, 2)), coarse).array.tolist() == [[[1, 1, 0]]]


def test_a_turned_grid_keeps_the_volume_and_the_place() -> None:
    angle = np.deg2rad(30)
    turned = (np.cos(angle), -np.sin(angle), 0.0, np.sin(angle), np.cos(angle), 0.0, 0.0, 0.0, 1.0)
    fine = Grid(
        (60, 60, 30), (0.5, 0.5, 1.0), (-15.0, -15.0, -15.0), (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0)
    )
    k, j, i = np.indices(fine.array_shape)
    ball = (((i - 30) / 16) ** 2 + ((j - 30) / 16) ** 2 + ((k - 15) / 8) ** 2 < 1).astype(np.uint8)
    coarse = Grid((24, 24, 24), (2.0, 2.0, 2.0), (-15.0, -35.0, -23.0), tuple(map(float, turned)))
    found = by_majority(Volume(ball, fine), coarse)
    centers = np.argwhere(found.array)[:, ::-1]
    lps = centers @ coarse.index_to_lps[:3, :3].T + coarse.origin_mm
    assert found.array.sum() * 8 == pytest.approx(ball.sum() * 0.25, rel=0.05)
    assert lps.mean(axis=0) == pytest.approx([0, 0, 0], abs=0.4)


def test_a_cut_out_is_completed(tmp_path: Path) -> None:
    labels = random_labels(2)
    part = cut_out(labels, 2, 6)
    file = save_segments(
        tmp_path / "x.seg.nrrd", [part.array], [("one", 1, 0), ("two", 2, 0)], part.grid
    )
    flat = flat_labels(file, GRID)
    assert np.array_equal(flat.volume.array, labels.array)
    assert flat.values == {"one": 1, "two": 2}
    assert flat.remarks == ()


def test_numbers_go_by_name_and_overlaps_are_told(tmp_path: Path) -> None:
    first, second = np.zeros((2, *GRID.array_shape), np.uint8)
    first[1:5, 1:5, 1:5] = 1
    second[3:7, 3:7, 3:7] = 1
    file = save_segments(
        tmp_path / "x.seg.nrrd", [first, second], [("Edema", 1, 0), ("core", 1, 1)], GRID
    )
    flat = flat_labels(file, GRID, {"core": 4, "edema": 2, "other": 1})
    assert flat.values == {"Edema": 2, "core": 4}
    assert (flat.volume.array == 4).sum() == second.sum()
    assert (flat.volume.array == 2).sum() == first.sum() - 8
    assert len(flat.remarks) == 1
    assert "Segments overlap in 0.096 ml" in flat.remarks[0]
    unknown = flat_labels(file, GRID, {"core": 1})
    assert unknown.values == {"Edema": 2, "core": 1}
    assert "'Edema' is no label of the task" in unknown.remarks[0]
    assert flat_labels(file, GRID).values == {"Edema": 1, "core": 2}


@pytest.mark.parametrize(("inner", "is_news"), [((2, 4), False), ((1, 5), True), ((0, 3), True)])
def test_nested_segments_are_no_news_unless_nothing_is_left_of_one(
    tmp_path: Path, inner: tuple[int, int], is_news: bool
) -> None:
    outer, core = np.zeros((2, *GRID.array_shape), np.uint8)
    outer[1:5, 1:5, 1:5] = 1
    box = slice(*inner)
    core[box, box, box] = 1
    segments = [("whole", 1, 0), ("core", 1, 1)]
    file = save_segments(tmp_path / "x.seg.nrrd", [outer, core], segments, GRID)
    remarks = flat_labels(file, GRID).remarks
    assert bool(remarks) == is_news
    assert all("Segments overlap" in remark for remark in remarks)


def test_what_lies_outside_is_told(tmp_path: Path) -> None:
    array = np.ones(GRID.array_shape, np.uint8)
    far = replace(GRID, origin_mm=(-5.0, 14.0, 7.0))
    file = save_segments(tmp_path / "x.seg.nrrd", [array], [("one", 1, 0)], far)
    (remark,) = flat_labels(file, GRID).remarks
    assert "ml are on the grid of the image" in remark


def test_an_empty_segmentation_is_an_empty_label_map(tmp_path: Path) -> None:
    empty = np.zeros((1, 1, 1), np.uint8)
    grid = replace(GRID, size=(1, 1, 1))
    file = save_segments(tmp_path / "x.seg.nrrd", [empty], [("one", 1, 0)], grid)
    flat = flat_labels(file, GRID)
    assert not flat.volume.array.any()
    assert flat.volume.array.shape == GRID.array_shape
    assert flat.remarks == ()


def test_large_numbers_are_kept(tmp_path: Path) -> None:
    labels = random_labels(3)
    file = save_segments(tmp_path / "x.seg.nrrd", [labels.array], [("a", 1, 0), ("b", 2, 0)], GRID)
    flat = flat_labels(file, GRID, {"a": 300, "b": 1})
    assert set(np.unique(flat.volume.array)) == {0, 1, 300}


# --- beside the labels of readers -----------------------------------------------------------------


@pytest.fixture
def record(tmp_path: Path) -> CohortRecord:
    return open_record(tmp_path)


def save(record: CohortRecord, reader: str, seed: int, case: str = "a+b") -> Path:
    labels = random_labels(seed)
    place = reader_label_place(case, reader, record)
    save_segments(place, [labels.array], [("one", 1, 0), ("two", 2, 0)], GRID)
    note_saved_label(record, new_saved_label(case, reader, place, record))
    return place


def read(path: Path) -> np.ndarray:
    volume = read_stored_volume(ImageFile(path))
    assert is_same_grid(volume.grid, GRID)
    return volume.array


def test_the_map_is_nobodys_label_unless_somebody_changes_it(record: CohortRecord) -> None:
    label = save(record, "ana", 1, "plain")
    path = write_label_map("plain", record, GRID).path
    assert path is not None
    assert reader_labels("plain", record) == {"ana": label}
    path.write_bytes(path.read_bytes() + b"0")
    assert reader_labels("plain", record) == {"ana": label, EARLIER: path}


def test_the_map_is_that_of_the_label_that_counts(record: CohortRecord) -> None:
    assert write_label_map("a+b", record, GRID).path is None
    save(record, "ana", 1)
    written = write_label_map("a+b", record, GRID)
    assert written.path == label_map_place("a+b", record)
    assert written.path.name == "a%2Bb.nii.gz"
    assert np.array_equal(read(written.path), random_labels(1).array)
    save(record, "bo", 2)
    save(record, "ana", 3)
    write_label_map("a+b", record, GRID)
    assert np.array_equal(read(written.path), random_labels(3).array)
    agreed = random_labels(4)
    place = consensus_place("a+b", record)
    save_segments(place, [agreed.array], [("one", 1, 0), ("two", 2, 0)], GRID)
    write_label_map("a+b", record, GRID, {"one": 2, "two": 1})
    assert np.array_equal(read(written.path) > 0, agreed.array > 0)
    assert (read(written.path) == 2).sum() == (agreed.array == 1).sum()


def test_training_uses_the_segmentation_and_not_the_map(record: CohortRecord) -> None:
    place = save(record, "ana", 1)
    write_label_map("a+b", record, GRID)
    assert label_that_counts("a+b", None, record) == ImageFile(place)


@pytest.mark.parametrize("is_known", [True, False])
def test_a_file_of_another_program_is_left_as_it_is(
    record: CohortRecord, *, is_known: bool
) -> None:
    place = save(record, "ana", 1)
    target = label_map_place("a+b", record)
    if is_known:
        write_label_map("a+b", record, GRID)
    target.write_bytes(b"drawn elsewhere")
    written = write_label_map("a+b", record, GRID)
    assert written.path is None
    assert "was left as it is" in written.remarks[0]
    assert target.read_bytes() == b"drawn elsewhere"
    target.unlink()
    assert write_label_map("a+b", record, GRID).path == target
    assert place.is_file()


def test_crashes_between_noting_and_writing_do_not_make_it_foreign(
    record: CohortRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(record, "ana", 1)
    target = write_label_map("a+b", record, GRID).path
    before = target.read_bytes()
    update = CohortRecord.update

    def then_crash(self: CohortRecord, change):
        update(self, change)
        raise KeyboardInterrupt

    for seed in (2, 3, 4):
        save(record, "ana", seed)
        with monkeypatch.context() as patch:
            patch.setattr(CohortRecord, "update", then_crash)
            with pytest.raises(KeyboardInterrupt):
                write_label_map("a+b", record, GRID)
        assert target.read_bytes() == before
    assert write_label_map("a+b", record, GRID).path == target
    assert np.array_equal(read(target), random_labels(4).array)


def test_a_label_that_cannot_be_read_is_an_explained_error(record: CohortRecord) -> None:
    place = save(record, "ana", 1)
    place.write_bytes(place.read_bytes()[:-20])
    with pytest.raises(CohortError, match=place.name):
        write_label_map("a+b", record, GRID)
    assert not label_map_place("a+b", record).exists()
