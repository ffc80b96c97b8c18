"""Label maps: one rule for numbers, any extent, layers, and names inside and beside the file."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from segment_files import save_segments

from MultimodalImagingLib.cohorts.label_survey import CACHE_FILE, label_table, survey_labels
from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.images.geometry import Grid, Volume
from MultimodalImagingLib.images.label_map import read_label_map, whole_numbers
from MultimodalImagingLib.images.label_names import names_beside
from MultimodalImagingLib.images.stored_image import ImageFile
from MultimodalImagingLib.images.volume_io import read_grid, write_volume
from MultimodalImagingLib.jobs.progress import NullReporter

SHAPE = (3, 4, 5)
GRID = Grid((5, 4, 3), (1.0, 1.0, 2.0), (0.0, 0.0, 0.0), tuple(np.eye(3).ravel()))


def test_values_near_whole_numbers_are_those_numbers() -> None:
    values = np.array([2.00003, 1.992, 0.0, 4.049, -1.0, 65535.0])
    assert whole_numbers(values, "a").tolist() == [2, 2, 0, 4, -1, 65535]


@pytest.mark.parametrize("kind", [bool, np.int8, np.uint16, np.int64, np.float32])
def test_every_type_becomes_whole_numbers(kind: type) -> None:
    assert whole_numbers(np.array([0, 1], dtype=kind), "a").dtype == np.int32


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([0.0, 0.87], "values between 0 and 1 such as 0.87, as in a probability map"),
        ([0.0, 1.0, 2.06], "values such as 2.06"),
        ([0.0, float("nan")], "NaN or infinity"),
        (np.linspace(0, 900, 1000), "1000 different values"),
    ],
)
def test_other_numbers_are_refused_with_an_example(values: list[float], found: str) -> None:
    with pytest.raises(CohortError, match=found):
        whole_numbers(np.array(values), "seg.nii.gz")


def test_numbers_that_no_label_has_are_refused() -> None:
    with pytest.raises(CohortError, match="at most 2147483647"):
        whole_numbers(np.array([2**40]), "a")


def test_scale_factor_in_a_header_does_not_change_labels(tmp_path: Path) -> None:
    labels = np.arange(60).reshape(5, 4, 3) % 5
    image = nibabel.Nifti1Image(labels.astype(np.float64), np.eye(4))
    image.header.set_data_dtype(np.uint8)
    nibabel.save(image, str(tmp_path / "seg.nii.gz"))
    read = read_label_map(ImageFile(tmp_path / "seg.nii.gz"))
    assert np.array_equal(read.volume.array, labels.transpose(2, 1, 0))


def test_nan_in_a_nifti_label_is_not_taken_for_background(tmp_path: Path) -> None:
    values = np.zeros(SHAPE, np.float32)
    values[0, 0, 0] = np.nan
    write_volume(tmp_path / "seg.nii.gz", Volume(values, GRID))
    with pytest.raises(CohortError, match="NaN or infinity"):
        read_label_map(ImageFile(tmp_path / "seg.nii.gz"))


@pytest.mark.parametrize("size", [(1, 1, 1), (5, 4, 1), (1, 4, 3)])
@pytest.mark.parametrize("suffix", ["seg.nrrd", "nii.gz", "mha"])
def test_label_of_one_slice_or_voxel_is_read(
    tmp_path: Path, size: tuple[int, int, int], suffix: str
) -> None:
    file = ImageFile(tmp_path / f"a.{suffix}")
    image = sitk.GetImageFromArray(np.ones(tuple(reversed(size)), np.uint8))
    sitk.WriteImage(image, str(file.path))
    assert read_grid(file, is_label=True).size == size
    assert read_label_map(file).volume.array.sum() == np.prod(size)


@pytest.mark.parametrize(
    ("image", "found"),
    [
        (sitk.GetImageFromArray(np.zeros((5, 6), np.uint8)), "a 2-D image"),
        (sitk.GetImageFromArray(np.zeros((3, 4, 5, 6), np.uint8)), "one-hot"),
        (sitk.GetImageFromArray(np.zeros((4, 5, 6, 3), np.uint8), isVector=True), "one-hot"),
    ],
)
def test_what_is_no_label_map_is_named_and_never_to_be_removed(
    tmp_path: Path, image: sitk.Image, found: str
) -> None:
    path = tmp_path / "seg.nii.gz"
    sitk.WriteImage(image, str(path))
    with pytest.raises(CohortError, match=found) as caught:
        read_grid(ImageFile(path), is_label=True)
    assert "remove" not in str(caught.value)


def test_damaged_label_is_not_to_be_removed(tmp_path: Path) -> None:
    write_volume(tmp_path / "seg.nii.gz", Volume(np.ones(SHAPE, np.uint8), GRID))
    (tmp_path / "seg.nii.gz").write_bytes((tmp_path / "seg.nii.gz").read_bytes()[:60])
    with pytest.raises(CohortError) as caught:
        read_label_map(ImageFile(tmp_path / "seg.nii.gz"))
    assert "remove" not in str(caught.value)


def test_segments_of_one_layer_keep_values_and_names(tmp_path: Path) -> None:
    array = np.zeros(SHAPE, np.uint8)
    array[0, 0, :2] = 3, 7
    path = save_segments(
        tmp_path / "a.seg.nrrd", [array], [("Ödem", 3, 0), ("enhancing", 7, 0)], GRID
    )
    read = read_label_map(ImageFile(path))
    assert np.array_equal(read.volume.array, array)
    assert {value: names[0].name for value, names in read.names.items()} == {
        3: "Ödem",
        7: "enhancing",
    }
    assert read.names[3][0].code == "SCT^85756007^Tissue"


def test_overlapping_segments_of_layers_become_combinations(tmp_path: Path) -> None:
    whole, core = np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, np.uint8)
    whole[0, 0, :3], core[0, 0, 2:4] = 1, 1
    path = save_segments(
        tmp_path / "a.seg.nrrd", [whole, core], [("whole", 1, 0), ("core", 1, 1)], GRID
    )
    read = read_label_map(ImageFile(path))
    assert not read.has_own_values
    found = [
        {name.name for name in read.names.get(int(code), ())}
        for code in read.volume.array[0, 0, :5]
    ]
    assert found == [{"whole"}, {"whole"}, {"whole", "core"}, {"core"}, set()]


def test_layers_that_nothing_names_are_no_label_map(tmp_path: Path) -> None:
    layer = np.ones(SHAPE, np.uint8)
    path = save_segments(tmp_path / "a.seg.nrrd", [layer, layer], [], GRID)
    with pytest.raises(CohortError, match="2 maps in one file"):
        read_label_map(ImageFile(path))


def beside(label: Path) -> dict[int, list[str]]:
    return {value: [name.name for name in names] for value, names in names_beside(label).items()}


@pytest.mark.parametrize(
    "labels",
    [
        {"background": 0, "edema": 2, "core": 1},
        {"0": "background", "1": "core", "2": "edema"},
    ],
)
def test_names_of_dataset_json(tmp_path: Path, labels: dict[str, object]) -> None:
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": labels}))
    (tmp_path / "labelsTr").mkdir()
    assert beside(tmp_path / "labelsTr" / "a.nii.gz") == {1: ["core"], 2: ["edema"]}


def test_regions_of_dataset_json(tmp_path: Path) -> None:
    labels = {"background": 0, "whole tumor": [1, 2], "core": [2]}
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": labels}))
    assert beside(tmp_path / "a.nii.gz") == {1: ["whole tumor"], 2: ["whole tumor", "core"]}


@pytest.mark.parametrize(
    "text",
    ["{", "[]", '{"labels": 3}', '{"labels": {"a": "b"}}', "", '{"labels": ' * 50_000],
    ids=lambda text: text[:20],
)
def test_a_description_that_cannot_be_read_names_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "dataset.json").write_text(text)
    assert beside(tmp_path / "a.nii.gz") == {}


def test_names_of_bids_and_itk_snap(tmp_path: Path) -> None:
    (tmp_path / "dseg.tsv").write_text("index\tname\n1\tcore\n2\tedema\n")
    deep = tmp_path / "sub-1" / "ses-1" / "anat" / "sub-1_dseg.nii.gz"
    deep.parent.mkdir(parents=True)
    assert beside(deep) == {1: ["core"], 2: ["edema"]}
    deep.with_name("sub-1_dseg.tsv").write_text("index\tname\n5\tcyst\n")
    assert beside(deep) == {5: ["cyst"]}
    snap = tmp_path / "snap"
    snap.mkdir()
    (snap / "labels.txt").write_text('# ITK-SnAP\n    4  255 0 0   1 1 1    "Enhancing"\n')
    assert beside(snap / "case" / "seg.nii.gz") == {4: ["Enhancing"]}


def test_labels_of_the_record_do_not_take_the_names_of_the_cohort(tmp_path: Path) -> None:
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": {"core": 1}}))
    assert beside(tmp_path / ".crossmodal" / "labels" / "a.nii.gz") == {}


def test_survey_counts_groups_and_remembers(tmp_path: Path) -> None:
    files = {}
    for case_id, values in {"a": (1, 2), "b": (2, 2), "c": (0.4, 0)}.items():
        array = np.zeros(SHAPE, np.float32)
        array[0, 0, :2] = values
        write_volume(tmp_path / f"{case_id}.nii.gz", Volume(array, GRID))
        files[case_id] = ImageFile(tmp_path / f"{case_id}.nii.gz")
    survey = survey_labels(files, NullReporter(), cache=tmp_path / "cache")
    assert list(survey.faults) == ["c"]
    rows = {row.values: row for row in label_table(survey.cases)}
    assert rows[(1,)].n_cases == 1
    assert (rows[(2,)].smallest_ml, rows[(2,)].largest_ml) == pytest.approx((0.002, 0.004))
    assert survey_labels(files, NullReporter(), cache=tmp_path / "cache") == survey
    (tmp_path / "cache" / CACHE_FILE).write_text('{"format_version": 1, "files": {"x": 3}}')
    assert survey_labels(files, NullReporter(), cache=tmp_path / "cache") == survey


def test_survey_looks_again_when_a_label_changed(tmp_path: Path) -> None:
    file = ImageFile(tmp_path / "a.nii.gz")
    for value in (1, 3):
        write_volume(file.path, Volume(np.full(SHAPE, value, np.uint8), GRID))
        survey = survey_labels({"a": file}, NullReporter(), cache=tmp_path / "cache")
        assert [label.value for label in survey.cases[0].labels] == [value]
