from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest

from MultimodalImagingLib.images.geometry import Grid, extent_mm, impossible_grid, unusual_grid
from MultimodalImagingLib.images.geometry_checks import (
    Verdict,
    case_verdict,
    orientation,
    orientation_text,
    overlap_fraction,
)


def grid(
    size: tuple[int, int, int] = (10, 10, 10),
    spacing: tuple[float, float, float] = (2.0, 2.0, 2.0),
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0),
    matrix: npt.NDArray[np.float64] | None = None,
) -> Grid:
    direction = np.eye(3) if matrix is None else matrix
    return Grid(size, spacing, origin, tuple(float(value) for value in direction.ravel()))


def about_z(angle_deg: float) -> npt.NDArray[np.float64]:
    c, s = math.cos(math.radians(angle_deg)), math.sin(math.radians(angle_deg))
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def test_the_extent_is_the_number_of_voxels_times_the_spacing() -> None:
    assert extent_mm(grid((3, 4, 5), (1.0, 2.0, 3.0))) == (3.0, 8.0, 15.0)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ([(1, 0, 0), (0, 1, 0), (0, 0, 1)], "LPS"),
        ([(-1, 0, 0), (0, -1, 0), (0, 0, 1)], "RAS"),
        ([(0, 1, 0), (0, 0, -1), (1, 0, 0)], "PIL"),
        ([(0, 0, 1), (-1, 0, 0), (0, -1, 0)], "SRA"),
    ],
)
def test_letters_name_where_the_axes_point_to(
    columns: list[tuple[int, int, int]], expected: str
) -> None:
    assert orientation(grid(matrix=np.array(columns, dtype=float).T)) == (expected, 0.0)


def test_oblique_axes_are_named_with_their_angle() -> None:
    letters, angle = orientation(grid(matrix=about_z(12.0)))
    assert letters == "LPS"
    assert angle == pytest.approx(12.0)
    assert orientation_text(grid(matrix=about_z(12.0))) == "LPS, oblique 12.0 deg"
    assert orientation_text(grid(matrix=about_z(0.2))) == "LPS"
    assert orientation(grid(matrix=about_z(80.0)))[0] == "PRS"


@pytest.mark.parametrize(
    ("shift", "expected"), [(0.0, 1.0), (5.0, 0.75), (10.0, 0.5), (20.0, 0.0), (50.0, 0.0)]
)
def test_overlap_is_the_share_of_the_smaller_box(shift: float, expected: float) -> None:
    large = grid((20, 20, 20))
    small = grid((10, 10, 10), origin=(20.0 + shift, 0.0, 0.0))
    assert overlap_fraction(large, small) == pytest.approx(expected)
    assert overlap_fraction(small, large) == pytest.approx(expected)
    flipped = grid(
        (10, 10, 10), origin=(38.0 + shift, 18.0, 0.0), matrix=np.diag([-1.0, -1.0, 1.0])
    )
    assert overlap_fraction(large, flipped) == pytest.approx(expected)


def test_overlap_of_oblique_boxes_is_counted() -> None:
    square = grid((100, 100, 10), (1.0, 1.0, 1.0), (-49.5, -49.5, 0.0))
    matrix = about_z(45.0)
    corner = matrix @ (-49.5, -49.5, 0.0)
    turned = grid((100, 100, 10), (1.0, 1.0, 1.0), tuple(float(v) for v in corner), matrix)
    octagon = 2 * (math.sqrt(2) - 1)  # area of the overlap of a square with itself turned by 45
    assert overlap_fraction(square, turned) == pytest.approx(octagon, abs=0.02)


def test_verdicts_go_from_one_grid_to_no_overlap() -> None:
    first = grid()
    assert case_verdict({"CT": first}) == (Verdict.SAME_GRID, 1.0)
    assert case_verdict({"CT": first, "PET": grid()}) == (Verdict.SAME_GRID, 1.0)
    finer = grid((20, 20, 20), (1.0, 1.0, 1.0), (-0.5, -0.5, -0.5))
    assert case_verdict({"CT": first, "PET": finer})[0] is Verdict.SAME_SPACE
    verdict, overlap = case_verdict({"CT": first, "PET": finer, "T1": grid(origin=(10.0, 0, 0))})
    assert verdict is Verdict.PARTIAL
    assert overlap == pytest.approx(0.5)
    far = grid(origin=(500.0, 0.0, 0.0))
    assert case_verdict({"CT": first, "PET": finer, "T1": far}) == (Verdict.APART, 0.0)


@pytest.mark.parametrize(
    ("size", "spacing", "is_possible"),
    [
        ((180, 220, 180), (1.0, 1.0, 1.0), True),
        ((500, 500, 1200), (0.9, 0.9, 1.5), True),
        ((180, 220, 180), (0.001, 0.001, 0.001), False),  # meters
        ((180, 220, 180), (1000.0, 1000.0, 1000.0), False),  # micrometers
        ((512, 512, 40), (0.5, 0.5, 0.1), False),
    ],
)
def test_fields_of_view_that_no_patient_has_are_named(
    size: tuple[int, int, int], spacing: tuple[float, float, float], is_possible: bool
) -> None:
    found = impossible_grid(grid(size, spacing))
    assert (found is None) == is_possible
    if found is not None:
        assert "possible are 5 to 3000 mm" in found


def test_unusual_spacings_are_named_with_the_usual_range() -> None:
    assert unusual_grid(grid(spacing=(0.1, 1.0, 10.0))) is None
    assert unusual_grid(grid(spacing=(1.0, 1.0, 12.0))) == (
        "a spacing of 1 x 1 x 12 mm, usual are 0.1 to 10 mm"
    )
    assert unusual_grid(grid(size=(600, 600, 600), spacing=(0.05, 0.05, 0.05))) is not None
