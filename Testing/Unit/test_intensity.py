from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import binary_fill_holes

from MultimodalImagingLib.preparation.intensity import (
    _fill_holes,
    body_mask,
    joint_body,
    kind_problem,
    modality_kind,
    normalize,
)

SHAPE = (24, 30, 28)
EVERYWHERE = np.ones(SHAPE, dtype=bool)


def ball(radius: float, center: tuple[float, float, float] = (12, 15, 14)) -> np.ndarray:
    axes = np.meshgrid(*(np.arange(n) for n in SHAPE), indexing="ij")
    return sum((a - c) ** 2 for a, c in zip(axes, center, strict=True)) < radius**2


def mr_image(generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    head = ball(10)
    tissue = np.where(ball(6), 600.0, 300.0)
    noise = generator.normal(0, 15, SHAPE)
    return np.where(head, tissue + noise, np.abs(noise)).astype(np.float32), head


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("ct", "CT"),
        ("CTA", "CT"),
        ("pet", "PET"),
        ("PET_suv", "PET"),
        ("t1", "MR"),
        ("T1c", "MR"),
        ("t1post", "MR"),
        ("FLAIR", "MR"),
        ("T2w", "MR"),
        ("mri", "MR"),
        ("ADC", "MR"),
        ("0000", "OTHER"),
        ("doctor", "OTHER"),
    ],
)
def test_kind_follows_the_modality_name(name: str, kind: str) -> None:
    assert modality_kind(name) == kind


def test_ct_curve_passes_through_the_documented_points() -> None:
    hu = np.zeros(SHAPE, dtype=np.float32)
    hu.flat[:7] = (-3000, -1000, -160, 40, 240, 1500, 9000)
    values = normalize(hu, EVERYWHERE, kind="CT").values
    np.testing.assert_allclose(values.flat[:7], (-1.5, -1.5, -1, 0, 1, 2, 2), atol=1e-6)


def test_pet_curve_is_asinh_of_suv_and_the_same_for_every_case() -> None:
    suv = np.zeros(SHAPE, dtype=np.float32)
    suv.flat[:4] = (-0.5, 1.0, 10.0, 500.0)
    values = normalize(suv, EVERYWHERE, kind="PET").values
    np.testing.assert_allclose(values.flat[:4], np.arcsinh([0.0, 1.0, 10.0, 60.0]), rtol=1e-6)


def test_mr_has_median_0_and_unit_spread_inside_the_body() -> None:
    image, _ = mr_image(np.random.default_rng(0))
    prepared = normalize(image, EVERYWHERE, kind="MR")
    inside = prepared.values[prepared.body]
    assert np.median(inside) == pytest.approx(0.0, abs=1e-6)
    assert np.ptp(np.percentile(inside, (10, 90))) == pytest.approx(2.563, rel=1e-5)
    assert prepared.values.dtype == np.float32


def test_a_normal_distribution_gets_standard_deviation_1() -> None:
    tissue = np.random.default_rng(7).normal(500.0, 40.0, SHAPE).astype(np.float32)
    values = normalize(tissue, EVERYWHERE, kind="MR").values
    assert values.std() == pytest.approx(1.0, rel=0.03)


def test_mr_of_nearly_one_value_is_scaled_by_its_range() -> None:
    image = np.full(SHAPE, 100.0, dtype=np.float32)
    image[:2] = 120.0
    values = normalize(image, EVERYWHERE, kind="MR").values
    np.testing.assert_allclose(np.unique(values), [0.0, 2.563], atol=1e-5)


def test_mr_values_do_not_depend_on_the_scanners_scale() -> None:
    image, _ = mr_image(np.random.default_rng(1))
    first = normalize(image, EVERYWHERE, kind="MR").values
    second = normalize(3.5 * image + 40, EVERYWHERE, kind="MR").values
    np.testing.assert_allclose(first, second, atol=1e-4)


def test_nothing_is_claimed_where_there_is_no_voxel() -> None:
    image, _ = mr_image(np.random.default_rng(2))
    covered = EVERYWHERE.copy()
    covered[:, :, 20:] = False
    prepared = normalize(image, covered, kind="MR")
    assert not prepared.values[~covered].any()
    assert not prepared.body[~covered].any()


def test_constant_mr_is_refused() -> None:
    with pytest.raises(ValueError, match="single value"):
        normalize(np.full(SHAPE, 7, np.float32), EVERYWHERE, kind="MR")


def test_body_of_a_head_in_air_is_the_head() -> None:
    image, head = mr_image(np.random.default_rng(3))
    body = body_mask(image, EVERYWHERE, kind="MR")
    assert (body ^ head).sum() < 0.02 * head.sum()


def test_body_of_a_skull_stripped_brain_is_the_brain_with_its_ventricles() -> None:
    brain, ventricle = ball(10), ball(3)
    image = np.where(brain & ~ventricle, 400.0, 0.0).astype(np.float32)
    body = body_mask(image, EVERYWHERE, kind="MR")
    assert body[ventricle].all()
    assert (body ^ brain).sum() < 0.02 * brain.sum()


def test_crop_inside_the_body_is_all_body_though_fat_is_brighter_than_muscle() -> None:
    image = np.full(SHAPE, 300.0, dtype=np.float32)
    image[:, :, 14:] = 1000.0
    image += np.random.default_rng(4).normal(0, 10, SHAPE).astype(np.float32)
    assert body_mask(image, EVERYWHERE, kind="MR").mean() > 0.99


def test_ct_body_leaves_out_the_thin_table_and_keeps_both_legs() -> None:
    legs = ball(6, (12, 12, 7)) | ball(6, (12, 12, 21))
    table = np.zeros(SHAPE, dtype=bool)
    table[:, 27, :] = True
    image = np.where(legs, 40.0, np.where(table, 200.0, -1000.0)).astype(np.float32)
    body = body_mask(image, EVERYWHERE, kind="CT")
    assert not body[table].any()
    assert body[ball(5, (12, 12, 7)) | ball(5, (12, 12, 21))].all()


def test_image_of_air_alone_counts_as_body_everywhere() -> None:
    air = np.full(SHAPE, -1000.0, dtype=np.float32)
    assert body_mask(air, EVERYWHERE, kind="CT").all()


def test_joint_body_needs_half_of_the_modalities_that_look() -> None:
    bodies = [np.array([True, True, False, True]), np.array([True, False, False, False])]
    bodies.append(np.array([True, False, True, False]))
    coverages = [np.array([True] * 4), np.array([True] * 4), np.array([True, True, True, False])]
    assert joint_body(bodies, coverages).tolist() == [True, False, False, True]


def test_units_that_cannot_be_are_named() -> None:
    generator = np.random.default_rng(5)
    unit = generator.uniform(0, 1, SHAPE).astype(np.float32)
    assert "Hounsfield" in str(kind_problem(unit, EVERYWHERE, "CT"))
    assert "SUV" in str(kind_problem(30_000 * unit, EVERYWHERE, "PET"))
    assert kind_problem(10 * unit, EVERYWHERE, "PET") is None
    thorax = np.where(unit < 0.5, -1000.0, np.where(unit < 0.9, 40.0, 600.0)).astype(np.float32)
    assert kind_problem(thorax, EVERYWHERE, "CT") is None
    assert "Hounsfield" in str(kind_problem(thorax + 1024.0, EVERYWHERE, "CT"))
    assert kind_problem(unit, EVERYWHERE, "MR") is None


def test_holes_are_filled_slice_by_slice_as_by_the_naive_fill() -> None:
    mask = np.random.default_rng(6).uniform(size=SHAPE) < 0.62
    expected = np.stack([binary_fill_holes(slice_mask) for slice_mask in mask])
    assert (expected != mask).any()
    assert np.array_equal(_fill_holes(mask), expected)
    assert not (binary_fill_holes(mask) & ~expected).any()
