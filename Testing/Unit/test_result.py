"""Result folders: complete or absent, never replaced unasked, and read back as they were."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from CIMLSegmentLib.results import result_io
from CIMLSegmentLib.results.map_kinds import MapKey
from CIMLSegmentLib.results.result_io import (
    check_replaceable,
    has_result,
    map_file_name,
    result_folder,
    write_result,
)
from CIMLSegmentLib.results.segmentation_nrrd import segmentation_nrrd, terminology_entry
from CIMLSegmentLib.results.segmentation_result import (
    Contribution,
    ResultMap,
    SegmentationResult,
    contributions,
    find_results,
    read_result,
)
from CIMLSegmentLib.task.regions import region_masks
from CIMLSegmentLib.task.task import Task
from CIMLSegmentLib.task.task_io import load_task
from MultimodalImagingLib.errors import (
    CancelledError,
    CohortError,
    CrossModalError,
    ModelError,
    UsageError,
)
from MultimodalImagingLib.images.geometry import Grid, Volume
from MultimodalImagingLib.jobs import progress

C, S = float(np.cos(0.3)), float(np.sin(0.3))
GRID = Grid((5, 4, 3), (1.0, 2.0, 2.5), (7.0, -8.0, 9.5), (C, -S, 0, S, C, 0, 0, 0, -1))


def brats_labels() -> np.ndarray:
    labels = np.zeros(GRID.array_shape, dtype=np.uint8)
    labels[0], labels[1, :2], labels[1, 2] = 2, 4, 1
    return labels


def some_map(seed: int) -> Volume:
    values = np.random.default_rng(seed).random(GRID.array_shape, dtype=np.float32)
    return Volume(values, GRID)


def result(case_id: str = "patient-1", **changes: object) -> SegmentationResult:
    shared = some_map(1)
    content: dict[str, object] = {
        "case_id": case_id,
        "task": load_task("brats"),
        "primary": "FLAIR",
        "label_map": Volume(brats_labels(), GRID),
        "contributions": (
            Contribution("WT", "FLAIR", "T1", 12.5, 0.25),
            Contribution("ET", "T1c", "T1", 0.0, None),
        ),
        "maps": (
            ResultMap(MapKey("attention", "T1c", "T1", "TC"), shared),
            ResultMap(MapKey("attention", "T1c", "T1", "ET"), shared),
            ResultMap(MapKey("information", "T1c", "T1"), some_map(2)),
            ResultMap(MapKey("uncertainty", region="WT"), some_map(3)),
        ),
        "missing": ("T2",),
        "warnings": ("Something was odd.",),
        "timings_s": {"network": 1.5},
        "model": {"name": "small"},
    }
    return SegmentationResult(**{**content, **changes})  # type: ignore[arg-type]


FILES = {
    "segmentation.nii.gz",
    "segmentation.seg.nrrd",
    "attention_T1_to_T1c_TC.nii.gz",
    "attention_T1_to_T1c_ET.nii.gz",
    "information_T1_to_T1c.nii.gz",
    "uncertainty_WT.nii.gz",
    "result.json",
}


def test_a_result_folder_holds_exactly_the_promised_files(tmp_path: Path) -> None:
    folder = write_result(result(), tmp_path / "new" / "results")
    assert folder == tmp_path / "new" / "results" / "patient-1"
    assert {path.name for path in folder.iterdir()} == FILES
    assert [path.name for path in folder.parent.iterdir()] == ["patient-1"]


def test_images_keep_values_and_geometry(tmp_path: Path) -> None:
    folder = write_result(result(), tmp_path)
    labels = sitk.ReadImage(str(folder / "segmentation.nii.gz"))
    assert np.array_equal(sitk.GetArrayFromImage(labels), brats_labels())
    assert labels.GetSpacing() == pytest.approx(GRID.spacing_mm)
    assert labels.GetOrigin() == pytest.approx(GRID.origin_mm, abs=1e-5)
    assert labels.GetDirection() == pytest.approx(GRID.direction, abs=1e-6)
    for item in result().maps:
        values = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / map_file_name(item.key))))
        assert np.allclose(values, item.volume.array, rtol=1.3e-4, atol=0)
        assert values.mean() == pytest.approx(item.volume.array.mean(), rel=1e-4)


def test_reading_gives_back_what_was_written(tmp_path: Path) -> None:
    stored = read_result(write_result(result(), tmp_path))
    assert stored.case_id == "patient-1"
    assert stored.task == load_task("brats")
    assert stored.contributions == result().contributions
    assert stored.missing == ("T2",)
    assert stored.warnings == ("Something was odd.",)
    assert stored.model == {"name": "small"}
    assert [(m.key.kind, m.key.auxiliary, m.key.region) for m in stored.maps] == [
        ("attention", "T1", "TC"),
        ("attention", "T1", "ET"),
        ("information", "T1", None),
        ("uncertainty", None, "WT"),
    ]
    assert all(item.path.is_file() for item in stored.maps)
    assert stored.maps[2].unit == "nats per voxel"
    assert stored.maps[2].maximum == pytest.approx(float(some_map(2).array.max()))


def test_volumes_of_nested_regions_count_their_inner_ones(tmp_path: Path) -> None:
    stored = read_result(write_result(result(), tmp_path))
    voxel_ml = 1.0 * 2.0 * 2.5 / 1000
    assert stored.volumes_ml["WT"] == pytest.approx((20 + 10 + 5) * voxel_ml)
    assert stored.volumes_ml["TC"] == pytest.approx((10 + 5) * voxel_ml)
    assert stored.volumes_ml["ET"] == pytest.approx(10 * voxel_ml)


def test_an_existing_result_is_kept_unless_asked(tmp_path: Path) -> None:
    folder = write_result(result(), tmp_path)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(UsageError, match=r"holds a result already.*--overwrite"):
        write_result(result(maps=()), tmp_path)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    write_result(result(maps=()), tmp_path, overwrite=True)
    assert len(list(folder.iterdir())) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["patient-1"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_that_is_no_result_is_refused_before_the_work(
    tmp_path: Path, overwrite: bool
) -> None:
    folder = write_result(result(), tmp_path)
    check_replaceable(tmp_path, "patient-1", overwrite=True)
    check_replaceable(tmp_path, "patient-2", overwrite=False)
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"notes\.txt"):
        check_replaceable(tmp_path, "patient-1", overwrite=overwrite)


def test_a_failed_write_leaves_neither_a_half_result_nor_touches_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def disk_full(path: Path, volume: Volume) -> None:
        raise OSError(28, "No space left on device")

    write_result(result("old"), tmp_path)
    monkeypatch.setattr(result_io, "write_volume", disk_full)
    with pytest.raises(CrossModalError, match="No space left"):
        write_result(result("new"), tmp_path)
    with pytest.raises(CrossModalError, match="No space left"):
        write_result(result("old"), tmp_path, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["old"]
    assert len(list((tmp_path / "old").iterdir())) == len(FILES)


def test_cancelling_while_maps_are_written_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = progress.threading.Event()
    monkeypatch.setattr(progress, "_cancel_requested", event)
    event.set()
    with pytest.raises(CancelledError):
        write_result(result(), tmp_path)
    assert not list(tmp_path.iterdir())


def test_case_names_that_no_file_system_takes_are_changed_and_stay_different(
    tmp_path: Path,
) -> None:
    names = ["a/b", "a\\b", "..", ".hidden", "täst ü", "a:b"]
    folders = [result_folder(tmp_path, name) for name in names]
    assert len(set(folders)) == len(names)
    assert all(folder.parent == tmp_path for folder in folders)
    assert folders[4].name == "täst ü"
    assert not any(folder.name.startswith(".") for folder in folders)
    written = write_result(result("a/b", maps=()), tmp_path)
    assert read_result(written).case_id == "a/b"
    assert has_result(tmp_path, "a/b")
    assert not has_result(tmp_path, "a\\b")


def test_modalities_with_odd_names_do_not_leave_the_folder(tmp_path: Path) -> None:
    odd = ResultMap(MapKey("information", "../T1", "T2/FLAIR"), some_map(0))
    folder = write_result(result(maps=(odd,)), tmp_path)
    (stored,) = read_result(folder).maps
    assert stored.path.parent == folder
    assert stored.key.auxiliary == "T2/FLAIR"


def test_finding_results_passes_over_unfinished_ones(tmp_path: Path) -> None:
    write_result(result("b"), tmp_path)
    write_result(result("a"), tmp_path)
    unfinished = tmp_path / ".unfinished-1-c"
    unfinished.mkdir()
    (unfinished / "result.json").write_text("{}")
    assert [path.name for path in find_results(tmp_path)] == ["a", "b"]
    assert find_results(tmp_path / "a") == (tmp_path / "a",)
    assert find_results(tmp_path / "nowhere") == ()


def test_damaged_results_are_explained(tmp_path: Path) -> None:
    folder = write_result(result(), tmp_path)
    content = json.loads((folder / "result.json").read_text())
    (folder / "information_T1_to_T1c.nii.gz").unlink()
    with pytest.raises(CohortError, match=r"information_T1_to_T1c.nii.gz not found"):
        read_result(folder)
    (folder / "result.json").write_text(json.dumps({**content, "format_version": 99}))
    with pytest.raises(CohortError, match="format version 1"):
        read_result(folder)
    (folder / "result.json").write_text("{")
    with pytest.raises(ModelError, match="not valid JSON"):
        read_result(folder)


def test_a_map_on_another_grid_is_refused() -> None:
    other = Grid(GRID.size, GRID.spacing_mm, (0.0, 0.0, 0.0), GRID.direction)
    strange = ResultMap(MapKey("information", "T1c", "T1"), Volume(some_map(0).array, other))
    with pytest.raises(ValueError, match="grid of the label map"):
        result(maps=(strange,))


@pytest.mark.parametrize("scale", [1e-4, 1e-2, 1.0, 100.0])
def test_shares_add_up_to_one_however_little_was_received(scale: float) -> None:
    task = load_task("brats")
    received = {
        (subtask.name, auxiliary): Volume(some_map(n).array * np.float32(scale), GRID)
        for n, (subtask, auxiliary) in enumerate(task.pairs())
    }
    table = contributions(region_masks(brats_labels(), task), received, task)
    for region in ("WT", "TC", "ET"):
        shares = [c.share for c in table if c.region == region]
        assert sum(share or 0.0 for share in shares) == pytest.approx(1.0)


def test_contributions_are_sums_over_the_predicted_region() -> None:
    task = load_task("brats")
    information = {(s.name, a): some_map(n) for n, (s, a) in enumerate(task.pairs())}
    masks = region_masks(brats_labels(), task)
    table = {(c.region, c.auxiliary): c for c in contributions(masks, information, task)}
    assert len(table) == 9
    expected = information["TC-ET", "T2"].array[brats_labels() == 4].sum()
    assert table["ET", "T2"].nats == pytest.approx(expected)
    assert table["ET", "T2"].primary == "T1c"
    for region in ("WT", "TC", "ET"):
        entries = [c for c in table.values() if c.region == region]
        assert sum(c.share or 0 for c in entries) == pytest.approx(1)
        total = sum(c.nats for c in entries)
        assert all(c.share == pytest.approx(c.nats / total) for c in entries)


def nrrd_of(labels: np.ndarray, task: Task) -> bytes:
    return segmentation_nrrd(region_masks(labels, task), GRID, task)


def header_of(content: bytes) -> tuple[dict[str, str], np.ndarray]:
    text, data = content.split(b"\n\n", 1)
    lines = text.decode().splitlines()[1:]
    fields = dict(line.split(":=" if ":=" in line else ": ", 1) for line in lines)
    sizes = [int(n) for n in fields["sizes"].split()]
    voxels = np.frombuffer(gzip.decompress(data), np.uint8).reshape(sizes[::-1])
    return fields, voxels


def test_nested_regions_lie_in_layers_of_the_segmentation_file() -> None:
    fields, voxels = header_of(nrrd_of(brats_labels(), load_task("brats")))
    assert fields["sizes"] == "3 5 4 3"
    for index, (name, labels) in enumerate({"WT": (1, 2, 4), "TC": (1, 4), "ET": (4,)}.items()):
        assert fields[f"Segment{index}_ID"] == name
        layer, value = (int(fields[f"Segment{index}_{k}"]) for k in ("Layer", "LabelValue"))
        assert np.array_equal(voxels[..., layer] == value, np.isin(brats_labels(), labels))


def test_the_segmentation_file_says_where_it_lies() -> None:
    fields, _ = header_of(nrrd_of(brats_labels(), load_task("brats")))
    directions = fields["space directions"].split()
    assert directions[0] == "none"
    columns = [[float(v) for v in d.strip("()").split(",")] for d in directions[1:]]
    assert np.allclose(np.array(columns).T, GRID.direction_matrix * GRID.spacing_mm)
    assert fields["space"] == "left-posterior-superior"
    reference = fields["Segmentation_ConversionParameters"].split("|")[1].split(";")
    assert np.allclose([float(v) for v in reference[:16]], GRID.affine_ras.ravel())
    assert reference[16:22] == ["0", "4", "0", "3", "0", "2"]


def test_terminology_without_anatomy_is_left_open() -> None:
    entry = terminology_entry(load_task("pet-ct").regions[0].terminology)
    assert entry.split("~")[2] == "SCT^52988006^Lesion"
    assert entry.split("~")[5] == "^^"


def test_label_values_above_255_are_kept(tmp_path: Path) -> None:
    from CIMLSegmentLib.task.task_io import task_from_json, task_to_json

    data = task_to_json(load_task("pet-ct"))
    data["labels"] = {"lesion": 300}
    data["regions"][0].update(labels=[300], value=300)
    task = task_from_json(data)
    labels = (brats_labels() > 0).astype(np.int16) * 300
    content = nrrd_of(labels, task)
    path = tmp_path / "x.nrrd"
    path.write_bytes(content)
    image = sitk.ReadImage(str(path))
    assert np.array_equal(np.squeeze(sitk.GetArrayFromImage(image)), labels)
