"""From files to labels and maps on the grid of the primary image, in every geometry."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
import torch
from example_segmentation import (
    Model,
    Recorder,
    bright_voxels,
    four_sequences,
    grid,
    pet,
    pet_ct,
    positions,
    random_network,
    rotation,
    write_case,
)

from CIMLSegmentLib.config import InferenceConfig, NetworkConfig
from CIMLSegmentLib.inference.gradcam import CamTarget, message_gradcam, scaled_together
from CIMLSegmentLib.inference.segment_case import predict_prepared, segment_case
from CIMLSegmentLib.inference.sliding_window import WindowPlan, predict_windows
from CIMLSegmentLib.model.model_description import Intensities
from CIMLSegmentLib.network.network import CIMLNet
from CIMLSegmentLib.results.map_kinds import MapKey
from CIMLSegmentLib.results.segmentation_result import SegmentationResult
from CIMLSegmentLib.task.regions import merge_regions
from CIMLSegmentLib.task.task_io import load_task
from MultimodalImagingLib.cohorts.cases import Case
from MultimodalImagingLib.errors import CohortError, ModelError, UsageError
from MultimodalImagingLib.images.geometry import Volume, is_same_grid
from MultimodalImagingLib.images.volume_io import write_volume
from MultimodalImagingLib.jobs.progress import NullReporter
from MultimodalImagingLib.preparation.case_preparation import prepare_case


def segment(case: Case, model: Model, **settings: object) -> SegmentationResult:
    config = InferenceConfig(device="cpu", maps=True, **settings)  # type: ignore[arg-type]
    return segment_case(case, model, config, reporter=NullReporter())


def dice(first: np.ndarray, second: np.ndarray) -> float:
    return 2 * float((first & second).sum()) / float(first.sum() + second.sum())


FLIPPED = np.diag([-1.0, -1.0, 1.0])
OBLIQUE = rotation(25, (0.3, -0.5, 0.8))
GEOMETRIES = {
    "LPS": grid(),
    "RAS": grid(direction=FLIPPED),
    "left-handed": grid(direction=np.diag([-1.0, 1.0, 1.0])),
    "sagittal slices": grid((26, 30, 34), direction=np.eye(3)[:, [1, 2, 0]]),
    "oblique": grid((36, 36, 36), direction=OBLIQUE),
    "oblique and flipped": grid((36, 36, 36), direction=OBLIQUE @ FLIPPED),
    "anisotropic": grid((52, 60, 14), (1.1, 1.1, 4.5)),
    "finer than the working grid": grid((80, 80, 60), (0.8, 0.8, 1.0)),
    "coarser than the working grid": grid((16, 18, 13), (4.0, 4.0, 4.5)),
}


@pytest.mark.parametrize("name", GEOMETRIES)
def test_labels_come_back_on_the_grid_and_at_the_place_of_the_primary(
    tmp_path: Path, name: str
) -> None:
    on = GEOMETRIES[name]
    case = write_case(tmp_path, on)
    result = segment(case, bright_voxels())
    assert result.primary == "PET"
    assert is_same_grid(result.label_map.grid, on)
    found = result.label_map.array == 1
    truth = pet(on) > 3.5
    coarse = max(on.spacing_mm) > 4
    assert dice(found, truth) > (0.75 if coarse else 0.9)
    center = positions(on)[found].mean(axis=0)
    assert np.abs(center - positions(on)[truth].mean(axis=0)).max() < 0.25 * max(on.spacing_mm)


@pytest.mark.parametrize("name", GEOMETRIES)
def test_the_round_trip_through_the_working_grid_equals_simpleitk(
    tmp_path: Path, name: str
) -> None:
    on = GEOMETRIES[name]
    case = write_case(tmp_path, on)
    model = bright_voxels()
    config = InferenceConfig(device="cpu")
    prepared = prepare_case(case, model.preprocessing, reference="PET", crop="reference")
    box, output = predict_prepared(prepared, model, config, reporter=NullReporter())
    working = np.zeros(prepared.grid.array_shape, dtype=np.float32)
    working[box.visible] = output.logits["lesion"][0].sigmoid().numpy()[box.inner]
    image = sitk.GetImageFromArray(working)
    image.SetSpacing(prepared.grid.spacing_mm)
    image.SetOrigin(prepared.grid.origin_mm)
    image.SetDirection(prepared.grid.direction)
    reference = sitk.ReadImage(str(case.images["PET"].path))
    expected = sitk.GetArrayFromImage(sitk.Resample(image, reference)) > 0.5
    found = segment(case, model).label_map.array == 1
    coarse = max(on.spacing_mm) > 4  # smoothed first, so that thin parts are not skipped
    assert dice(found, expected) > (0.8 if coarse else 0.999)


def test_a_primary_on_the_working_grid_keeps_every_voxel(tmp_path: Path) -> None:
    on = grid(direction=FLIPPED)
    result = segment(write_case(tmp_path, on), bright_voxels())
    assert np.array_equal(result.label_map.array == 1, pet(on) > 3.5)


def test_modalities_on_different_grids_meet_on_the_primary(tmp_path: Path) -> None:
    fine = grid((70, 80, 40), (1.0, 0.9, 1.7), rotation(10, (0, 0, 1)))
    case = write_case(tmp_path, GEOMETRIES["anisotropic"], fine)
    result = segment(case, random_network(pet_ct()))
    assert is_same_grid(result.label_map.grid, GEOMETRIES["anisotropic"])
    for item in result.maps:
        assert is_same_grid(item.volume.grid, GEOMETRIES["anisotropic"])


@pytest.mark.parametrize("shift", [(3, 0, 0), (-2, 4, 1), (1, -3, 5)])
def test_a_case_shifted_in_its_field_of_view_gives_the_shifted_result(
    tmp_path: Path, shift: tuple[int, int, int]
) -> None:
    on = grid((48, 46, 44))
    case = write_case(tmp_path / "first", on)
    moved = write_case(tmp_path / "moved", on)
    for modality, file in moved.images.items():
        image = sitk.ReadImage(str(case.images[modality].path))
        array = np.roll(sitk.GetArrayFromImage(image), shift, axis=(0, 1, 2))
        write_volume(file.path, Volume(array, on))
    model = random_network(pet_ct(), seed=2)
    first, second = segment(case, model), segment(moved, model)
    expected = np.roll(first.label_map.array, shift, axis=(0, 1, 2))
    assert 0 < expected.sum() < expected.size / 2
    assert np.array_equal(second.label_map.array, expected)
    for one, other in zip(first.maps, second.maps, strict=True):
        rolled = np.roll(one.volume.array, shift, axis=(0, 1, 2))
        assert np.allclose(other.volume.array, rolled, atol=1e-4)


def test_a_case_moved_in_space_gives_the_same_voxels(tmp_path: Path) -> None:
    model = random_network(pet_ct(), seed=2)
    here = write_case(tmp_path / "here", grid())
    there = write_case(tmp_path / "there", grid())
    for modality, file in there.images.items():
        image = sitk.ReadImage(str(here.images[modality].path))
        image.SetOrigin([o + d for o, d in zip(image.GetOrigin(), (31.7, -8.2, 5.5), strict=True)])
        sitk.WriteImage(image, str(file.path))
    first, second = segment(here, model), segment(there, model)
    assert np.array_equal(first.label_map.array, second.label_map.array)


def test_information_of_the_file_adds_up_to_the_messages(tmp_path: Path) -> None:
    for number, name in enumerate(("LPS", "anisotropic", "oblique and flipped")):
        on = GEOMETRIES[name]
        case = write_case(tmp_path / str(number), on)
        model = bright_voxels()
        prepared = prepare_case(case, model.preprocessing, reference="PET", crop="reference")
        box, output = predict_prepared(
            prepared, model, InferenceConfig(device="cpu"), reporter=NullReporter()
        )
        (kl,) = output.kl.values()
        spread = torch.nn.functional.interpolate(
            kl[None, None] / 8, scale_factor=2, mode="trilinear"
        )[0, 0].numpy()[box.inner]
        information = next(m for m in segment(case, model).maps if m.key.kind == "information")
        assert information.volume.array.sum(dtype=np.float64) == pytest.approx(
            spread.sum(), rel=1e-4
        )


def test_regions_share_what_was_told_inside_them(tmp_path: Path) -> None:
    result = segment(write_case(tmp_path, grid()), bright_voxels())
    (entry,) = result.contributions
    information = next(m for m in result.maps if m.key.kind == "information").volume.array
    inside = information[result.label_map.array == 1].sum(dtype=np.float64)
    assert (entry.region, entry.primary, entry.auxiliary) == ("lesion", "PET", "CT")
    assert entry.nats == pytest.approx(inside)
    assert entry.nats > 0
    assert entry.share == 1


def test_volumes_are_voxels_times_their_size(tmp_path: Path) -> None:
    result = segment(write_case(tmp_path, GEOMETRIES["anisotropic"]), bright_voxels())
    n_voxels = int((result.label_map.array == 1).sum())
    volume = result.volumes_ml()["lesion"]
    assert volume == pytest.approx(n_voxels * 1.1 * 1.1 * 4.5 / 1000)
    assert volume == pytest.approx(4 / 3 * np.pi * 9**3 / 1000, rel=0.1)


def test_every_auxiliary_has_its_maps_and_shares_add_up(tmp_path: Path) -> None:
    result = segment(four_sequences(tmp_path), random_network(load_task("brats")), n_samples=2)
    kinds = [(m.key.kind, m.key.auxiliary, m.key.primary, m.key.region) for m in result.maps]
    assert len(set(kinds)) == len(kinds)
    assert [k[0] for k in kinds].count("attention") == 3 + 3 * 2
    assert [k[0] for k in kinds].count("information") == 6
    assert [k[3] for k in kinds if k[0] == "uncertainty"] == ["WT", "TC", "ET"]
    for region in ("WT", "TC", "ET"):
        entries = [c for c in result.contributions if c.region == region]
        assert len(entries) == 3
        shares = [c.share for c in entries if c.share is not None]
        assert not shares or sum(shares) == pytest.approx(1)


def test_attention_is_0_to_1_and_uncertainty_is_0_to_ln_2(tmp_path: Path) -> None:
    result = segment(four_sequences(tmp_path), random_network(load_task("brats")), n_samples=2)
    for item in result.maps:
        low, high = float(item.volume.array.min()), float(item.volume.array.max())
        assert low >= (-1 if item.key.kind == "influence" else 0)
        assert high <= {"influence": 1, "attention": 1, "uncertainty": np.log(2) + 1e-6}.get(
            item.key.kind, np.inf
        )
        assert max(high, -low) > 0


def test_probabilities_are_those_that_the_labels_come_from(tmp_path: Path) -> None:
    task = load_task("brats")
    result = segment(four_sequences(tmp_path), random_network(task), probabilities=True)
    maps = {m.key.region: m.volume for m in result.maps if m.key.kind == "probability"}
    assert tuple(maps) == task.region_names
    arrays = {name: volume.array for name, volume in maps.items()}
    assert np.array_equal(merge_regions(arrays, task), result.label_map.array)


def test_a_missing_auxiliary_is_said_and_tells_nothing(tmp_path: Path) -> None:
    reporter = Recorder()
    case = four_sequences(tmp_path, without=("T2",))
    model = random_network(load_task("brats"))
    config = InferenceConfig(device="cpu", maps=True)
    result = segment_case(case, model, config, reporter=reporter)
    assert any("lacks the auxiliary T2" in text for text in result.warnings)
    assert any("lacks the auxiliary T2" in text for text in reporter.warnings)
    silent = [m for m in result.maps if m.key.auxiliary == "T2"]
    assert silent
    assert all(not m.volume.array.any() for m in silent)
    assert all(c.nats == 0 for c in result.contributions if c.auxiliary == "T2")


def test_a_missing_primary_is_an_error_that_names_it(tmp_path: Path) -> None:
    case = four_sequences(tmp_path, without=("T1c",))
    with pytest.raises(CohortError, match=r"b1 lacks T1c.*as primary.*found FLAIR, T1, T2"):
        segment(case, random_network(load_task("brats")))


def test_a_damaged_primary_is_an_error_and_a_damaged_auxiliary_a_warning(tmp_path: Path) -> None:
    model = random_network(load_task("brats"))
    case = four_sequences(tmp_path)
    path = case.images["T2"].path
    path.write_bytes(path.read_bytes()[:2000])
    result = segment(case, model)
    assert any("T2" in text for text in result.warnings)
    path = case.images["T1c"].path
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(CohortError, match="cannot be segmented without T1c"):
        segment(case, model)


def test_an_image_full_of_nan_is_treated_as_missing(tmp_path: Path) -> None:
    case = four_sequences(tmp_path)
    path = case.images["T1"].path
    image = sitk.ReadImage(str(path))
    write_volume(
        path, Volume(np.full(image.GetSize()[::-1], np.nan, np.float32), grid((24, 26, 22)))
    )
    result = segment(case, random_network(load_task("brats")))
    assert any("NaN" in text for text in result.warnings)


def test_an_image_unlike_those_of_the_training_is_said(tmp_path: Path) -> None:
    case = write_case(tmp_path, grid())
    usual, other = Intensities(0.9, 0.5, 0.0, 3.0), Intensities(0.0, 0.1, -0.2, 0.2)
    for known, unlike in ((usual, False), (other, True)):
        model = bright_voxels(intensities={"PET": known, "T1": known})
        warnings = segment(case, model).warnings
        assert any("PET image of case c1 is unlike those" in text for text in warnings) is unlike
        assert not any("T1" in text for text in warnings)


def test_an_empty_region_is_said(tmp_path: Path) -> None:
    case = write_case(tmp_path, grid())
    image = sitk.ReadImage(str(case.images["PET"].path))
    cold = np.minimum(sitk.GetArrayFromImage(image), 1.0)
    write_volume(case.images["PET"].path, Volume(cold, grid()))
    result = segment(case, bright_voxels())
    assert any("Lesion (lesion) was not found" in text for text in result.warnings)
    (entry,) = result.contributions
    assert (entry.nats, entry.share) == (0.0, None)


def test_an_image_smaller_than_a_window_is_segmented(tmp_path: Path) -> None:
    on = grid((9, 8, 7), (6.0, 6.0, 6.0))
    result = segment(write_case(tmp_path, on), bright_voxels(spacing_mm=6.0))
    assert is_same_grid(result.label_map.grid, on)
    assert result.label_map.array.any()


def test_maps_are_left_out_unless_asked_for_but_contributions_are_not(tmp_path: Path) -> None:
    case = write_case(tmp_path, grid())
    config = InferenceConfig(device="cpu")
    result = segment_case(case, bright_voxels(), config, reporter=NullReporter())
    assert not result.maps
    assert result.contributions[0].nats > 0


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    case = four_sequences(tmp_path)
    first, second = (
        segment(case, random_network(load_task("brats")), n_samples=2) for _ in range(2)
    )
    assert np.array_equal(first.label_map.array, second.label_map.array)
    for one, other in zip(first.maps, second.maps, strict=True):
        assert np.array_equal(one.volume.array, other.volume.array)


def test_a_model_for_slices_is_refused(tmp_path: Path) -> None:
    flat = NetworkConfig(
        spatial_dims=2,
        features=(2, 2),
        strides=((1, 1), (2, 2)),
        kernel_sizes=((3, 3), (3, 3)),
        message_levels=(1,),
    )
    model = Model(CIMLNet(pet_ct(), flat), pet_ct(), patch_size=(16, 16))
    with pytest.raises(ModelError, match="2-D"):
        segment(write_case(tmp_path, grid()), model)


def test_an_unknown_device_is_refused(tmp_path: Path) -> None:
    case = write_case(tmp_path, grid())
    for name in ("cuda:99", "toaster"):
        with pytest.raises(UsageError, match="device"):
            segment_case(
                case, bright_voxels(), InferenceConfig(device=name), reporter=NullReporter()
            )


def test_gradcam_maps_are_one_per_region_and_auxiliary_on_one_scale(tmp_path: Path) -> None:
    result = segment(four_sequences(tmp_path), random_network(load_task("brats")), gradcam=True)
    maps = [m for m in result.maps if m.key.kind == "gradcam"]
    assert len(maps) == 9
    for region in ("WT", "TC", "ET"):
        tops = [float(m.volume.array.max()) for m in maps if m.key.region == region]
        assert max(tops) <= 1
        assert max(tops) == 0 or max(tops) > 0.2  # interpolation takes off the top of a peak


def test_gradcam_maps_of_a_region_are_divided_by_their_common_largest_value() -> None:
    values = {"A": 2.0, "B": 8.0}
    maps = {
        MapKey("gradcam", "P", name, region): torch.full((2, 2, 2), value) * factor
        for region, factor in (("R", 1.0), ("S", 0.0))
        for name, value in values.items()
    }
    scaled = scaled_together(maps)
    found = {(key.region, key.auxiliary): float(v.max()) for key, v in scaled.items()}
    assert found == {("R", "A"): 0.25, ("R", "B"): 1, ("S", "A"): 0, ("S", "B"): 0}


def test_gradcam_of_one_window_equals_that_of_the_network(tmp_path: Path) -> None:
    model = random_network(load_task("brats"))
    images = torch.randn(4, 16, 16, 16, generator=torch.Generator().manual_seed(0))
    plan = WindowPlan((16, 16, 16), InferenceConfig(gradcam=True), torch.device("cpu"))
    output = predict_windows(model.network.eval(), images, [True] * 4, plan, NullReporter())
    target = CamTarget("TC-ET", "ET", level=1)
    direct = message_gradcam(model.network, images[None], target)
    assert sum(float(values.sum()) for values in direct.values()) > 0
    for key, values in direct.items():
        found = output.gradcam[MapKey("gradcam", "T1c", key.auxiliary, "ET")]
        assert torch.allclose(found, values[0], rtol=1e-3, atol=1e-5)
