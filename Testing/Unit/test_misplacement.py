from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from MultimodalImagingLib.images.geometry import Grid, Volume, unit_hint
from MultimodalImagingLib.images.geometry_checks import Misplacement, mismatch, share_outside
from MultimodalImagingLib.preparation.working_grid import canonical_grid

TILT = np.deg2rad(12)
AXES = np.array([[-1, 0, 0], [0, -np.cos(TILT), np.sin(TILT)], [0, np.sin(TILT), np.cos(TILT)]])
IMAGE = Grid((20, 24, 10), (1.0, 1.0, 3.0), (40.0, 31.0, -12.0), tuple(AXES.ravel().tolist()))
PLAIN = tuple(np.eye(3).ravel().tolist())


def kind(grid: Grid) -> Misplacement | None:
    found = mismatch(grid, IMAGE)
    return None if found is None else found.kind


def test_an_origin_that_is_off_is_measured() -> None:
    found = mismatch(replace(IMAGE, origin_mm=(40.0, 31.0, 8.0)), IMAGE)
    assert found is not None
    assert found.kind is Misplacement.SHIFTED
    assert found.distance_mm == pytest.approx(20)
    assert found.offset_mm == pytest.approx((0, 0, 20))


def test_half_a_voxel_is_told_and_rounding_is_not() -> None:
    half = tuple(np.add(IMAGE.origin_mm, AXES @ [0.5, 0.5, 1.5]).tolist())
    assert kind(replace(IMAGE, origin_mm=half)) is Misplacement.SHIFTED
    noise = np.random.default_rng(0).normal(0, 1e-4, 3)
    near = tuple(np.add(IMAGE.origin_mm, noise).tolist())
    turned = tuple((np.asarray(IMAGE.direction) + 4e-7).tolist())
    assert kind(replace(IMAGE, origin_mm=near, direction=turned)) is None


@pytest.mark.parametrize(("flips_origin", "flips_axes"), [(1, 1), (1, 0), (0, 1)])
def test_signs_of_another_convention_are_recognized(flips_origin: int, flips_axes: int) -> None:
    x, y, z = IMAGE.origin_mm
    mirror = np.diag([-1.0, -1.0, 1.0])
    grid = Grid(
        IMAGE.size,
        IMAGE.spacing_mm,
        (-x, -y, z) if flips_origin else (x, y, z),
        tuple((mirror @ AXES if flips_axes else AXES).ravel().tolist()),
    )
    assert kind(grid) is Misplacement.MIRRORED


@pytest.mark.parametrize("signs", [(1, 1), (-1, -1)])
def test_an_array_saved_without_its_position_is_recognized(signs: tuple[int, int]) -> None:
    axes = tuple(np.diag([*signs, 1.0]).ravel().tolist())
    assert kind(Grid(IMAGE.size, (1, 1, 1), (0, 0, 0), axes)) is Misplacement.UNPLACED
    assert kind(Grid((5, 5, 5), (1, 1, 1), (0, 0, 0), axes)) is None


def test_axes_in_the_reversed_order_are_recognized() -> None:
    grid = Grid(IMAGE.size[::-1], IMAGE.spacing_mm[::-1], (0.0, 0.0, 7.0), PLAIN)
    assert kind(grid) is Misplacement.TRANSPOSED


def test_axes_that_point_elsewhere_are_recognized() -> None:
    assert kind(replace(IMAGE, direction=PLAIN)) is Misplacement.TURNED


def test_the_same_box_in_another_voxel_order_is_fine() -> None:
    cube = Grid((12, 12, 12), (2.0, 2.0, 2.0), (3.0, 4.0, 5.0), IMAGE.direction)
    assert cube.direction != canonical_grid(cube).direction
    assert mismatch(canonical_grid(cube), cube) is None


def test_other_sizes_and_spacings_are_images_of_their_own() -> None:
    assert kind(replace(IMAGE, size=(20, 24, 11))) is None
    assert kind(replace(IMAGE, spacing_mm=(1.0, 1.0, 2.0), origin_mm=(0, 0, 0))) is None


def test_the_share_of_a_mask_outside_of_a_field_of_view_is_counted() -> None:
    array = np.zeros(IMAGE.array_shape, bool)
    array[:, 0, 0] = True
    shifted = replace(IMAGE, origin_mm=tuple(np.add(IMAGE.origin_mm, AXES @ [0, 0, 9.0]).tolist()))
    assert share_outside(Volume(array, shifted), IMAGE) == pytest.approx(0.3)
    assert share_outside(Volume(array, IMAGE), IMAGE) == 0
    assert share_outside(Volume(np.zeros_like(array), shifted), IMAGE) == 0


def test_the_unit_that_would_make_a_grid_possible_is_named() -> None:
    tiny = replace(IMAGE, spacing_mm=(1e-3, 1e-3, 3e-3))
    assert "1000 times larger (spacing 1 x 1 x 3 mm)" in unit_hint(tiny)
    assert unit_hint(tiny, "micrometre").startswith("Its header says micrometre.")
    assert "1000 times smaller" in unit_hint(replace(IMAGE, spacing_mm=(1e3, 1e3, 3e3)))
    assert unit_hint(replace(IMAGE, spacing_mm=(1e-9, 1.0, 1.0))) == ""
