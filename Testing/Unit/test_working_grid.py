from __future__ import annotations

import math

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from hypothesis import example, given, settings
from hypothesis import strategies as st

from MultimodalImagingLib.images.geometry import Grid, Volume, image_from_volume, volume_from_image
from MultimodalImagingLib.preparation.working_grid import (
    canonical_grid,
    coverage,
    cropped_grid,
    default_spacing,
    smoothed_for,
    working_grid,
)

IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


def grid(size=(8, 9, 10), spacing=(1.0, 1.0, 1.0), origin=(0.0, 0.0, 0.0), direction=IDENTITY):
    return Grid(size, spacing, origin, direction)


def rotation(axis: tuple[float, float, float], angle: float) -> np.ndarray:
    transform = sitk.VersorTransform(axis, angle)
    return np.asarray(transform.GetMatrix()).reshape(3, 3)


ORIENTATIONS = ["LPS", "RAS", "LPI", "PSL", "SRP", "AIL", "RPI", "IAL"]


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("angle", [0.0, 0.3])
def test_canonical_axes_agree_with_itk_for_every_orientation(
    orientation: str, angle: float
) -> None:
    array = np.random.default_rng(0).normal(size=(5, 6, 7)).astype(np.float32)
    image = sitk.GetImageFromArray(array)
    image.SetSpacing((1.0, 2.0, 3.0))
    image.SetOrigin((10.0, -20.0, 5.0))
    image.SetDirection(rotation((0.2, 0.9, 0.4), angle).ravel().tolist())
    turned = sitk.DICOMOrient(image, orientation)
    expected = volume_from_image(sitk.DICOMOrient(image, "LPS")).grid
    result = canonical_grid(volume_from_image(turned).grid)
    assert result.size == expected.size
    np.testing.assert_allclose(result.index_to_lps, expected.index_to_lps, atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(*[st.integers(1, 20)] * 3),
    st.tuples(*[st.floats(0.2, 9.0)] * 3),
    st.tuples(*[st.floats(0.3, 12.0)] * 3),
    st.floats(-0.7, 0.7),
)
@example(size=(1, 1, 11), spacing=(1.0, 1.0, 1.00001), wanted=(1.0, 2.0, 1.0), angle=0.0)
def test_working_grid_has_its_spacing_and_lies_in_the_field_of_view(
    size, spacing, wanted, angle
) -> None:
    reference = grid(size, spacing, (3.0, 4.0, 5.0), tuple(rotation((1, 2, 3), angle).ravel()))
    result = working_grid(reference, wanted)
    assert coverage(result, reference).all()
    if not np.allclose(spacing, wanted, rtol=1e-4):
        assert result.spacing_mm == pytest.approx(wanted)
    extent = np.asarray(result.size) * result.spacing_mm - np.asarray(size) * spacing
    assert (extent >= -1e-3).all()
    assert (extent < np.asarray(result.spacing_mm)).all()
    np.testing.assert_allclose(
        result.corners_lps.mean(axis=0), reference.corners_lps.mean(axis=0), atol=1e-6
    )


def test_working_grid_at_the_images_own_spacing_is_the_image_grid() -> None:
    reference = grid(spacing=(1.0, 2.0, 3.0), origin=(1.0, 2.0, 3.0))
    assert working_grid(reference, (1.0, 2.0, 3.0)) == canonical_grid(reference)


def test_coverage_agrees_with_itk_for_an_oblique_image() -> None:
    image = grid(
        (12, 14, 9), (2.0, 2.5, 3.0), (4.0, 1.0, 2.0), tuple(rotation((1, 1, 0), 0.5).ravel())
    )
    target = grid((30, 30, 30), (1.3, 1.1, 1.7), (-3.0, -8.0, -9.0))
    ones = image_from_volume(Volume(np.ones(image.array_shape, dtype=np.float32), image))
    space = image_from_volume(Volume(np.zeros(target.array_shape, dtype=np.float32), target))
    expected = sitk.GetArrayFromImage(
        sitk.Resample(ones, space, sitk.Transform(), sitk.sitkNearestNeighbor, 0.0)
    )
    assert 0.05 < expected.mean() < 0.95
    assert np.array_equal(coverage(target, image), expected > 0)


def test_crop_keeps_the_place_of_every_voxel() -> None:
    source = grid(
        (8, 9, 10), (1.0, 2.0, 3.0), (5.0, 6.0, 7.0), tuple(rotation((0, 1, 1), 0.4).ravel())
    )
    mask = np.zeros(source.array_shape, dtype=bool)
    mask[2:6, 3:4, 1:7] = True
    cropped, slices = cropped_grid(source, mask)
    assert slices == (slice(2, 6), slice(3, 4), slice(1, 7))
    assert cropped.size == (6, 1, 4)
    first = source.index_to_lps @ np.array([1, 3, 2, 1.0])
    np.testing.assert_allclose(cropped.origin_mm, first[:3])


def test_crop_to_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one voxel"):
        cropped_grid(grid(), np.zeros((10, 9, 8), dtype=bool))


def test_smoothing_has_the_documented_width_and_keeps_the_sum() -> None:
    array = np.zeros((61, 61, 61), dtype=np.float32)
    array[30, 30, 30] = 1.0
    fine = grid((61, 61, 61), (1.0, 1.0, 1.0))
    coarse = grid((15, 15, 61), (4.0, 4.0, 1.0))
    result = smoothed_for(Volume(array, fine), coarse).array.astype(float)
    assert result.sum() == pytest.approx(1.0, rel=1e-3)
    offset = np.arange(61) - 30.0
    variance = (result.sum(axis=(0, 1)) * offset**2).sum()
    assert variance == pytest.approx((4.0**2 - 1.0) / (8 * math.log(2)), rel=0.05)
    assert (result.sum(axis=(1, 2)) > 1e-6).sum() == 1


def test_smoothing_follows_the_axes_of_a_permuted_image() -> None:
    permuted = (0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0)
    array = np.zeros((21, 21, 21), dtype=np.float32)
    array[10, 10, 10] = 1.0
    coarse_along_x = grid((21, 21, 21), (4.0, 1.0, 1.0))
    result = smoothed_for(Volume(array, grid((21, 21, 21), direction=permuted)), coarse_along_x)
    spread = [int((result.array.sum(axis=axes) > 1e-6).sum()) for axes in ((1, 2), (0, 2), (0, 1))]
    assert spread[0] > 3
    assert spread[1:] == [1, 1]


def test_mild_downsampling_leaves_the_image_as_it_is() -> None:
    volume = Volume(np.random.default_rng(0).normal(size=(10, 9, 8)).astype(np.float32), grid())
    assert smoothed_for(volume, grid(spacing=(1.4, 1.4, 1.4))) is volume


def test_stripes_finer_than_the_working_spacing_do_not_alias() -> None:
    array = np.zeros((40, 40, 40), dtype=np.float32)
    array[:, :, ::2] = 1.0
    fine = grid((40, 40, 40))
    coarse = working_grid(fine, (4.0, 4.0, 4.0))
    smooth = image_from_volume(smoothed_for(Volume(array, fine), coarse))
    space = image_from_volume(Volume(np.zeros(coarse.array_shape, dtype=np.float32), coarse))
    sampled = sitk.GetArrayFromImage(sitk.Resample(smooth, space))
    assert np.abs(sampled[:, :, 1:-1] - 0.5).max() < 0.01


def test_coarsest_modality_sets_the_spacing() -> None:
    found = {
        "ct": [grid((90, 90, 40), (1.0, 1.0, 3.0))],
        "pet": [grid((25, 25, 25), (4.0, 4.0, 4.0))],
    }
    assert default_spacing(found) == 4.0


def test_spacing_is_coarse_enough_for_96_cubed_voxels() -> None:
    spacing = default_spacing(
        {"t1": [grid((192, 192, 192))], "t2": [grid((384, 192, 192))], "x": []}
    )
    assert spacing == 2.0


def test_no_grid_gives_no_spacing() -> None:
    with pytest.raises(ValueError, match="at least one grid"):
        default_spacing({"t1": []})
