from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from example_selection import GRID, KINDS, example_case

from MDALSelectorLib.report.thumbnails import (
    case_strip,
    displayed,
    informative_slice,
    thumbnail_names,
    write_thumbnails,
)
from MultimodalImagingLib.images.geometry import Grid
from MultimodalImagingLib.preparation.intensity import normalize
from MultimodalImagingLib.preparation.prepared_case import PreparedCase


def case_of(images: dict[str, np.ndarray], spacing: float = 2.0) -> PreparedCase:
    k, j, i = next(iter(images.values())).shape
    grid = Grid((i, j, k), (spacing,) * 3, (0.0,) * 3, (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0))
    full = np.ones((k, j, i), dtype=bool)
    arrays = {name: image.astype(np.float32) for name, image in images.items()}
    return PreparedCase(
        "a", grid, arrays, dict.fromkeys(arrays, full), dict.fromkeys(arrays, full), full
    )


def test_ct_shows_minus_160_to_240_hounsfield_units() -> None:
    hu = np.array([-1000.0, -160.0, 40.0, 240.0, 1500.0] * 40).reshape(1, 1, -1).astype(np.float32)
    covered = np.ones(hu.shape, dtype=bool)
    case = case_of({"CT": normalize(hu, covered, kind="CT").values})
    gray = displayed(case, "CT", kind="CT").ravel()[:5]
    assert gray == pytest.approx([0.0, 0.0, 0.5, 1.0, 1.0], abs=1e-5)


def test_pet_shows_suv_0_to_10_with_dark_hot_spots() -> None:
    suv = np.array([0.0, 2.5, 5.0, 10.0, 30.0] * 40).reshape(1, 1, -1).astype(np.float32)
    covered = np.ones(suv.shape, dtype=bool)
    case = case_of({"PET": normalize(suv, covered, kind="PET").values})
    gray = displayed(case, "PET", kind="PET").ravel()[:5]
    assert gray == pytest.approx([1.0, 0.75, 0.5, 0.0, 0.0], abs=1e-5)


def test_mr_shows_the_range_of_the_body_and_ignores_the_background() -> None:
    body = np.zeros((1, 20, 20), dtype=bool)
    body[0, 5:15, 5:15] = True
    values = np.full(body.shape, -500.0)
    values[body] = np.linspace(-2.0, 3.0, 100)
    case = replace(case_of({"T1": values}), bodies={"T1": body}, body=body)
    gray = displayed(case, "T1", kind="MR")
    low, high = np.percentile(values[body], (1.0, 99.5))
    inside = (values[body] - low) / (high - low)
    assert gray[body] == pytest.approx(np.clip(inside, 0, 1), abs=1e-5)
    assert not gray[~body].any()


def test_a_constant_image_is_drawn_without_a_division_by_zero() -> None:
    gray = displayed(case_of({"T1": np.full((1, 4, 4), 3.0)}), "T1", kind="MR")
    assert gray == pytest.approx(np.full((1, 4, 4), 0.5))


def test_where_a_modality_has_no_voxels_the_picture_is_gray() -> None:
    case = case_of({"CT": np.full((1, 4, 4), 1.0)})
    half = np.ones((1, 4, 4), dtype=bool)
    half[..., :2] = False
    gray = displayed(replace(case, coverage={"CT": half}), "CT", kind="CT")
    assert gray[0, 0].tolist() == [0.5, 0.5, 1.0, 1.0]


def test_the_slice_with_the_most_contrast_is_shown() -> None:
    values = np.random.default_rng(0).normal(size=(9, 12, 12)) * 0.1
    values[6, 3:8, 3:8] += 5.0
    assert informative_slice(case_of({"T1": values}), kinds={"T1": "MR"}) == 6


def test_where_there_is_pet_it_decides_on_the_slice() -> None:
    bones = np.zeros((9, 12, 12))
    bones[1, 2:9, 2:9] = 5.0
    uptake = np.zeros((9, 12, 12))
    uptake[7, 4:6, 4:6] = 1.0
    case = case_of({"CT": bones, "PET": uptake})
    assert informative_slice(case, kinds={"CT": "CT", "PET": "PET"}) == 7
    assert informative_slice(case, kinds={"CT": "CT", "PET": "OTHER"}) in (1, 7)
    only_ct = replace(case, images={"CT": case.images["CT"]})
    assert informative_slice(only_ct, kinds={"CT": "CT", "PET": "PET"}) == 1


def test_slices_with_little_body_are_not_shown() -> None:
    values = np.zeros((9, 12, 12))
    values[0, :2, :2] = 9.0
    body = np.ones((9, 12, 12), dtype=bool)
    body[0] = False
    body[0, :3, :3] = True
    assert informative_slice(replace(case_of({"T1": values}), body=body), kinds={"T1": "MR"}) == 4


def test_of_equal_slices_the_middle_one_is_shown_also_without_any_body() -> None:
    case = case_of({"T1": np.zeros((7, 4, 4))})
    assert informative_slice(case, kinds={"T1": "MR"}) == 3
    without_body = replace(case, body=np.zeros((7, 4, 4), dtype=bool))
    assert informative_slice(without_body, kinds={"T1": "MR"}) == 3


def test_the_strip_has_one_tile_per_modality_and_crosses_out_what_is_missing() -> None:
    strip = case_strip(example_case("case-005"), kinds=KINDS)  # lacks T1
    assert strip.shape == (160, 3 * 160 + 2 * 4)
    assert strip.dtype == np.uint8
    missing = strip[:, 328:]
    assert set(np.unique(missing)) == {96, 160}
    assert missing[80, 80] == missing[2, 2] == missing[2, 157] == 160
    assert len(np.unique(strip[:, :160])) > 50


def test_all_tiles_show_the_same_place_at_the_same_scale() -> None:
    values = np.zeros((1, 40, 40))
    values[0, 10:20, 5:15] = 1.0  # a 20 mm square
    case = case_of({"a": values, "b": -values})
    strip = case_strip(case, kinds={"a": "CT", "b": "CT"}).astype(int)
    first, second = strip[:140, :160] > 191, strip[:140, 164:] < 64
    assert first.sum() == pytest.approx(40 * 40, rel=0.05)  # 80 mm are 160 pixels
    np.testing.assert_array_equal(np.argwhere(first).min(axis=0), np.argwhere(second).min(axis=0))


def test_voxels_that_are_not_square_are_not_distorted() -> None:
    j, i = np.meshgrid(np.arange(20) * 4.0, np.arange(80) * 1.0, indexing="ij")
    disk = (j - 38) ** 2 + (i - 39.5) ** 2 < 25**2
    grid = Grid((80, 20, 1), (1.0, 4.0, 3.0), (0.0,) * 3, (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0))
    base = case_of({"a": (2.0 * disk - 1.0)[None]})
    strip = case_strip(replace(base, grid=grid), kinds={"a": "CT"})
    bright = np.argwhere(strip[:145] > 127)
    height, width = bright.max(axis=0) - bright.min(axis=0)
    assert height == pytest.approx(width, rel=0.1)


def test_the_scale_bar_is_five_centimeters_long() -> None:
    strip = case_strip(case_of({"a": np.zeros((1, 40, 40))}), kinds={"a": "CT"})  # 80 mm: 160 px
    assert (strip[153] == 255).sum() == 100
    assert strip[153, 5:105].min() == 255


def test_the_field_is_cut_to_the_body() -> None:
    body = np.zeros((1, 100, 100), dtype=bool)
    body[0, 40:60, 30:50] = True
    values = np.where(body, 1.0, -1.0)
    case = replace(case_of({"a": values}), body=body)
    strip = case_strip(case, kinds={"a": "CT"})
    share = (strip[:150] > 127).mean()
    assert share > 0.8


def test_pictures_are_gray_png_files_with_the_same_bytes_every_time(tmp_path: Path) -> None:
    cases = [example_case("case-001"), example_case("case-041")]
    names = thumbnail_names(case.case_id for case in cases)
    for run in ("a", "b"):
        write_thumbnails(tmp_path / run, cases, kinds=KINDS, names=names)
    for name in names.values():
        first = (tmp_path / "a" / "thumbnails" / name).read_bytes()
        assert first == (tmp_path / "b" / "thumbnails" / name).read_bytes()
        assert first.startswith(b"\x89PNG")
    image = sitk.ReadImage(str(tmp_path / "a" / "thumbnails" / "case-001.png"))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), case_strip(cases[0], kinds=KINDS))
    assert sorted(path.name for path in (tmp_path / "a" / "thumbnails").iterdir()) == [
        "case-001.png",
        "case-041.png",
    ]


def test_names_of_pictures_are_distinct_on_every_disk() -> None:
    names = thumbnail_names(sorted(["a b", "a/b", "A_B", "..", "ä", "x" * 200]))
    assert len({name.lower() for name in names.values()}) == 6
    assert all("/" not in name and not name.startswith(".") for name in names.values())
    assert max(map(len, names.values())) <= 90
    assert names["A_B"] == "A_B.png"
    assert thumbnail_names(["b", "a"]) == thumbnail_names(["a", "b"])


def test_the_example_grid_is_what_the_tests_assume() -> None:
    assert math.isclose(GRID.spacing_mm[0], 3.0)
    assert example_case("case-001").images["CT"].shape == GRID.array_shape


def test_beyond_the_images_there_is_air_black_or_white_in_pet() -> None:
    high = np.full((1, 60, 20), 0.2)
    strip = case_strip(case_of({"a": high, "b": high}), kinds={"a": "CT", "b": "PET"})
    assert strip[20, 2] == 0
    assert strip[20, 164 + 2] == 255
    assert 0 < strip[20, 80] < 255
