from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import pytest
import SimpleITK as sitk  # noqa: N813
from hypothesis import given, settings
from hypothesis import strategies as st

from MultimodalImagingLib.images.geometry import (
    Grid,
    Volume,
    grid_from_affine_ras,
    grid_of_image,
    image_from_volume,
    is_same_grid,
    resample,
    volume_from_image,
)

IDENTITY = tuple(float(value) for value in np.eye(3).ravel())


def rotation(angles_deg: tuple[float, float, float]) -> npt.NDArray[np.float64]:
    x, y, z = np.radians(angles_deg)
    about_x = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_z = np.array([[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x)


def grid(
    size: tuple[int, int, int] = (12, 14, 10),
    spacing: tuple[float, float, float] = (1.5, 1.0, 2.5),
    origin: tuple[float, float, float] = (-20.0, 5.0, 13.0),
    matrix: npt.NDArray[np.float64] | None = None,
) -> Grid:
    direction = np.eye(3) if matrix is None else matrix
    return Grid(size, spacing, origin, tuple(float(value) for value in direction.ravel()))


def positions(of: Grid) -> npt.NDArray[np.float64]:
    """LPS position of every voxel center, shape `(K, J, I, 3)`, one voxel at a time."""
    result = np.empty((*of.array_shape, 3))
    for k, j, i in itertools.product(*(range(n) for n in of.array_shape)):
        result[k, j, i] = (of.index_to_lps @ [i, j, k, 1])[:3]
    return result


def ramp(of: Grid) -> Volume:
    """A linear function of LPS, which linear interpolation reproduces exactly."""
    return Volume(positions(of) @ [1.0, -2.0, 0.5] + 7.0, of)


AXES = list(itertools.permutations(range(3)))
FLIPS = list(itertools.product((1.0, -1.0), repeat=3))


@pytest.mark.parametrize("order", AXES)
@pytest.mark.parametrize("signs", FLIPS)
def test_positions_equal_those_of_itk_in_every_orientation(
    order: tuple[int, ...], signs: tuple[float, ...]
) -> None:
    matrix = np.eye(3)[:, list(order)] * np.asarray(signs)
    oblique = rotation((10.0, -25.0, 40.0)) @ matrix
    for direction in (matrix, oblique):
        of = grid(matrix=direction)
        image = sitk.Image(of.size, sitk.sitkUInt8)
        image.SetSpacing(of.spacing_mm)
        image.SetOrigin(of.origin_mm)
        image.SetDirection(of.direction)
        for index in ((0, 0, 0), (11, 13, 9), (3, 7, 2)):
            expected = image.TransformIndexToPhysicalPoint(index)
            np.testing.assert_allclose((of.index_to_lps @ [*index, 1])[:3], expected, atol=1e-9)
            ras = (of.affine_ras @ [*index, 1])[:3]
            np.testing.assert_allclose(ras, np.asarray(expected) * (-1, -1, 1), atol=1e-9)


def test_corners_are_the_outer_edges_of_the_corner_voxels() -> None:
    corners = grid((2, 3, 4), (1.0, 2.0, 3.0), (0.0, 0.0, 0.0)).corners_lps
    assert corners.min(axis=0).tolist() == [-0.5, -1.0, -1.5]
    assert corners.max(axis=0).tolist() == [1.5, 5.0, 10.5]


def test_grids_are_the_same_within_a_tolerance_at_the_far_corner() -> None:
    first = grid(size=(100, 100, 100))
    assert is_same_grid(first, grid(size=(100, 100, 100), origin=(-20.0009, 5.0, 13.0)))
    assert not is_same_grid(first, grid(size=(100, 100, 100), origin=(-20.002, 5.0, 13.0)))
    stretched = grid(size=(100, 100, 100), spacing=(1.5001, 1.0, 2.5))
    assert not is_same_grid(first, stretched)
    assert is_same_grid(first, stretched, tolerance_mm=0.1)
    assert not is_same_grid(first, grid(size=(100, 100, 99)))


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_a_grid_with_an_impossible_spacing_is_refused(value: float) -> None:
    for spacing in ((value, 1.0, 1.0), (1.0, 1.0, value)):
        with pytest.raises(ValueError, match="Expected positive size and spacing"):
            grid(spacing=spacing)


def test_a_grid_at_no_place_is_refused() -> None:
    with pytest.raises(ValueError, match="Expected finite origin and directions"):
        grid(origin=(0.0, float("nan"), 0.0))
    with pytest.raises(ValueError, match="Expected finite origin and directions"):
        grid(matrix=np.full((3, 3), np.inf))


@pytest.mark.parametrize("size", [(0, 1, 1), (1, -1, 1)])
def test_a_grid_without_voxels_is_refused(size: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="Expected positive size and spacing"):
        grid(size=size)


def test_a_grid_with_a_wrong_number_of_cosines_is_refused() -> None:
    with pytest.raises(ValueError, match="Expected 9 direction cosines, got 4"):
        Grid((1, 1, 1), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 1.0))


def test_an_array_of_another_shape_than_its_grid_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(10, 14, 12\), got \(12, 14, 10\)"):
        Volume(np.zeros((12, 14, 10)), grid())


def test_a_volume_survives_the_way_through_an_itk_image() -> None:
    volume = Volume(
        np.random.default_rng(0).normal(size=(10, 14, 12)), grid(matrix=rotation((9, 8, 7)))
    )
    found = volume_from_image(image_from_volume(volume))
    np.testing.assert_array_equal(found.array, volume.array)
    assert is_same_grid(found.grid, volume.grid, tolerance_mm=1e-9)
    assert grid_of_image(image_from_volume(volume)).size == (12, 14, 10)


@pytest.mark.parametrize("angles", [(0.0, 0.0, 0.0), (20.0, -15.0, 35.0)])
@pytest.mark.parametrize("signs", [(1.0, 1.0, 1.0), (-1.0, -1.0, 1.0), (1.0, -1.0, -1.0)])
def test_linear_resampling_puts_a_linear_function_of_space_where_it_belongs(
    angles: tuple[float, float, float], signs: tuple[float, float, float]
) -> None:
    source = grid((40, 40, 40), (1.0, 1.0, 1.0), (-20.0, -20.0, -20.0))
    turned = rotation(angles) * np.asarray(signs)
    center = turned @ (np.asarray((6, 7, 5)) * (1.3, 0.9, 2.1) / 2)
    origin = (float(-center[0]), float(-center[1]), float(-center[2]))
    target = grid((6, 7, 5), (1.3, 0.9, 2.1), origin, turned)
    found = resample(ramp(source), target, fill=-999.0)
    assert found.grid is target
    np.testing.assert_allclose(found.array, ramp(target).array, atol=1e-4)


def test_a_whole_voxel_shift_moves_values_and_fills_the_rest() -> None:
    source = grid((5, 4, 3), (2.0, 2.0, 2.0), (0.0, 0.0, 0.0))
    array = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
    target = grid((5, 4, 3), (2.0, 2.0, 2.0), (4.0, 0.0, 0.0))
    for interpolation in ("linear", "nearest"):
        found = resample(Volume(array, source), target, interpolation=interpolation, fill=-7).array
        np.testing.assert_array_equal(found[:, :, :3], array[:, :, 2:])
        assert (found[:, :, 3:] == -7).all()


def test_nearest_resampling_equals_a_search_for_the_nearest_center() -> None:
    source = grid((8, 7, 6), (1.1, 0.8, 2.0), matrix=rotation((5.0, 10.0, -30.0)))
    array = np.random.default_rng(1).integers(0, 250, source.array_shape).astype(np.uint8)
    target = grid((5, 5, 5), (1.0, 1.0, 1.0), (-18.0, 6.5, 15.0), rotation((0.0, -8.0, 12.0)))
    found = resample(Volume(array, source), target, interpolation="nearest").array
    index = np.linalg.inv(source.index_to_lps)
    for k, j, i in itertools.product(range(5), repeat=3):
        at = np.rint((index @ np.append((target.index_to_lps @ [i, j, k, 1])[:3], 1))[:3])
        inside = bool((at >= 0).all() and (at < source.size).all())
        expected = array[int(at[2]), int(at[1]), int(at[0])] if inside else 0
        assert found[k, j, i] == expected


@pytest.mark.parametrize(
    ("kind", "interpolation", "expected"),
    [
        (np.bool_, "nearest", np.bool_),
        (np.uint8, "nearest", np.uint8),
        (np.float64, "nearest", np.float64),
        (np.bool_, "linear", np.float32),
        (np.int16, "linear", np.float32),
        (np.float32, "linear", np.float32),
        (np.float64, "linear", np.float64),
    ],
)
def test_labels_keep_their_type_and_images_become_floats(
    kind: type, interpolation: str, expected: type
) -> None:
    source = grid((4, 4, 4), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    target = grid((3, 3, 3), (1.0, 1.0, 1.0), (0.5, 0.0, 0.0))
    array = np.zeros((4, 4, 4), dtype=kind)
    array[:, :, 2:] = 1
    found = resample(Volume(array, source), target, interpolation=interpolation).array
    assert found.dtype == expected
    if interpolation == "linear":
        assert found[0, 0].tolist() == [0.0, 0.5, 1.0]


def test_the_input_is_not_changed() -> None:
    volume = ramp(grid())
    before = volume.array.copy()
    found = resample(volume, volume.grid)
    np.testing.assert_allclose(found.array, before, atol=1e-9)
    np.testing.assert_array_equal(volume.array, before)
    assert found.array is not volume.array


@settings(max_examples=25, deadline=None)
@given(
    angles=st.tuples(*[st.floats(-180, 180)] * 3),
    spacing=st.tuples(*[st.floats(0.4, 5.0)] * 3),
    shift=st.tuples(*[st.floats(-100, 100)] * 3),
)
def test_moving_image_and_target_together_changes_no_value(
    angles: tuple[float, float, float],
    spacing: tuple[float, float, float],
    shift: tuple[float, float, float],
) -> None:
    generator = np.random.default_rng(3)
    source, target = grid((6, 5, 4), spacing), grid((5, 5, 3), (1.7, 1.1, 2.2))
    array = generator.normal(size=(4, 5, 6)).astype(np.float32)
    expected = resample(Volume(array, source), target).array
    matrix = rotation(angles)
    moved = [
        Grid(
            item.size,
            item.spacing_mm,
            tuple(float(v) for v in matrix @ item.origin_mm + shift),
            tuple(float(v) for v in (matrix @ item.direction_matrix).ravel()),
        )
        for item in (source, target)
    ]
    found = resample(Volume(array, moved[0]), moved[1]).array
    away_from_rim = np.abs(found - expected) < 1e-3
    assert away_from_rim.mean() > 0.98  # points on the very rim may fall to either side


@pytest.mark.parametrize("number", [0.0, np.nan, np.inf])
def test_a_matrix_with_an_axis_of_no_length_is_no_grid(number: float) -> None:
    matrix = np.diag([1.0, number, 2.0, 1.0])
    with pytest.raises(ValueError, match="longer than 0 mm"):
        grid_from_affine_ras(matrix, (7, 6, 5))


@pytest.mark.parametrize("shape", [(7, 6, 5), (5, 6), (5, 6, 7, 1), (4, 6, 7)])
def test_an_array_that_does_not_fit_the_grid_is_refused(shape: tuple[int, ...]) -> None:
    grid = Grid((7, 6, 5), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), tuple(np.eye(3).ravel()))
    with pytest.raises(ValueError, match=r"shape \(5, 6, 7\)"):
        Volume(np.zeros(shape, np.float32), grid)
