from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from MDALSelectorLib.pairing.gradient_agreement import (
    agreement,
    best_shift,
    edge_field,
    edge_spectrum,
    shifted_agreement,
    small_shifts,
)

SPACING = (4.0, 3.0, 3.5)


def anatomy(seed: int, shape: tuple[int, int, int] = (30, 34, 32)) -> np.ndarray:
    """Blobs of about 15 mm, as an image of large values."""
    noise = np.random.default_rng(seed).normal(size=shape)
    return (ndimage.gaussian_filter(noise, 2.0) * 20).astype(np.float32)


def field(image: np.ndarray, spacing: tuple[float, float, float] = SPACING) -> np.ndarray:
    return edge_field(image, np.ones(image.shape, dtype=bool), spacing_mm=spacing)


def shift_between(first: np.ndarray, second: np.ndarray):
    weight = np.ones(first.shape, dtype=np.float32)
    radius = small_shifts(first.shape, SPACING)
    spectra = [edge_spectrum(field(im), weight, radius=radius) for im in (first, second)]
    return best_shift(*spectra, spacing_mm=SPACING)


def test_an_image_agrees_with_itself_and_with_its_inverted_contrast() -> None:
    image = anatomy(0)
    assert agreement(field(image), field(image)) == pytest.approx(1.0, abs=1e-5)
    assert agreement(field(image), field(5.0 - 3.0 * image)) == pytest.approx(1.0, abs=1e-5)


def test_the_channels_carry_the_tensor_product() -> None:
    first, second = field(anatomy(0)), field(anatomy(1))

    def tensor(channels: np.ndarray) -> np.ndarray:
        diagonal, (kj, ki, ji) = channels[:3], channels[3:6] / np.sqrt(2)
        rows = [[diagonal[0], kj, ki], [kj, diagonal[1], ji], [ki, ji, diagonal[2]]]
        return np.array(rows)

    product = (tensor(first) * tensor(second)).sum(axis=(0, 1))
    np.testing.assert_allclose((first[:6] * second[:6]).sum(axis=0), product, atol=1e-5)
    np.testing.assert_allclose(first[:3].sum(axis=0), 0.0, atol=1e-5)


def test_unrelated_images_do_not_agree() -> None:
    found = [agreement(field(anatomy(s)), field(anatomy(100 + s))) for s in range(8)]
    assert abs(np.mean(found)) < 0.06
    assert np.max(np.abs(found)) < 0.1


def test_agreement_does_not_depend_on_the_scale_of_the_intensities() -> None:
    first, second = anatomy(0), anatomy(0) + 0.5 * anatomy(1)
    expected = agreement(field(first), field(second))
    assert agreement(field(1000 * first), field(0.01 * second)) == pytest.approx(expected, abs=1e-4)


def test_a_constant_image_agrees_with_nothing_and_is_no_error() -> None:
    flat = np.zeros((30, 34, 32), dtype=np.float32)
    assert agreement(field(flat), field(anatomy(0))) == 0.0
    result = shift_between(flat, anatomy(0))
    assert np.isfinite([result.agreement, result.gain, *result.offset_mm]).all()
    assert result.gain < 0.02


@pytest.mark.parametrize("voxels", [(0, 0, 0), (2, -3, 1), (-4, 0, 5), (0, 6, -2)])
def test_whole_voxel_shifts_are_found_with_sign_and_mm(voxels: tuple[int, int, int]) -> None:
    image = anatomy(2, (44, 48, 46))
    first = image[8:-8, 8:-8, 8:-8]
    k, j, i = (8 - v for v in voxels)
    second = -image[k : k + 28, j : j + 32, i : i + 30]
    result = shift_between(first, second)
    expected = np.array(voxels) * SPACING
    np.testing.assert_allclose(result.offset_mm, expected, atol=0.6)
    assert result.agreement + result.gain > 0.9
    assert (result.gain < 1e-6) == (voxels == (0, 0, 0))


def test_shifts_of_part_of_a_voxel_are_interpolated() -> None:
    image = anatomy(3, (40, 44, 42))
    moved = ndimage.shift(image, (0.5, -1.25, 0.0), order=3)
    result = shift_between(image[5:-5, 5:-5, 5:-5], moved[5:-5, 5:-5, 5:-5])
    np.testing.assert_allclose(result.offset_mm, (2.0, -3.75, 0.0), atol=0.5)


def test_no_shift_beyond_24_mm_is_proposed() -> None:
    image = anatomy(4, (60, 60, 60))
    result = shift_between(image[:, :, :45], image[:, :, 15:])
    assert np.linalg.norm(result.offset_mm) < 24.0 + 4.0


def test_masked_correlation_equals_a_naive_sum_over_every_shift() -> None:
    generator = np.random.default_rng(5)
    shape = (9, 8, 10)
    spacing = (9.0, 10.0, 8.0)
    fields = generator.normal(size=(2, 7, *shape)).astype(np.float32)
    weights = (generator.uniform(size=(2, *shape)) < 0.8).astype(np.float32)
    radius = small_shifts(shape, spacing)
    spectra = [edge_spectrum(f, w, radius=radius) for f, w in zip(fields, weights, strict=True)]
    result = shifted_agreement(*spectra)
    assert result.shape == (7, 5, 7)
    for shift in np.ndindex(result.shape):
        k, j, i = (s - n // 2 for s, n in zip(shift, result.shape, strict=True))
        here = tuple(
            slice(max(-d, 0), n - max(d, 0)) for d, n in zip((k, j, i), shape, strict=True)
        )
        there = tuple(
            slice(max(d, 0), n - max(-d, 0)) for d, n in zip((k, j, i), shape, strict=True)
        )
        both = weights[0][here] * weights[1][there]
        first, second = fields[0][(slice(None), *here)], fields[1][(slice(None), *there)]
        norm = np.sqrt((first**2 * both).sum() * (second**2 * both).sum())
        assert result[shift] == pytest.approx((first * second * both).sum() / norm, abs=2e-4)


def test_images_of_different_shape_are_refused() -> None:
    small = edge_spectrum(
        field(anatomy(0, (12, 12, 12))), np.ones((12, 12, 12), np.float32), radius=(4, 4, 4)
    )
    large = edge_spectrum(
        field(anatomy(0, (14, 12, 12))), np.ones((14, 12, 12), np.float32), radius=(4, 4, 4)
    )
    with pytest.raises(ValueError, match="one shape"):
        best_shift(small, large, spacing_mm=SPACING)
