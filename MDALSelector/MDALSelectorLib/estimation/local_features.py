"""What one modality shows around a position: intensities and edges at several scales, in mm.

Every average is taken inside the body alone, so that neither air nor the outline of the body is
part of any feature, and a larger body is not described differently by its size.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from scipy import ndimage
from scipy.special import ndtri
from scipy.stats import rankdata

from MultimodalImagingLib.images.arrays import Float32Array, MaskArray, bounding_box

Triple = tuple[float, float, float]

# Widths of the Gaussian averages relative to the (coarsest) working spacing of the cohort.
AVERAGE_SCALES = (1.0, 2.0, 4.0)
GRADIENT_SCALES = (1.0, 2.0)
CONTRAST_SCALE = 2.0
N_FEATURES = 1 + len(AVERAGE_SCALES) + len(GRADIENT_SCALES) + 1

FWHM_PER_SIGMA = 2.3548
# Below this width, in voxels, smoothing changes nothing but the time.
LEAST_SIGMA_VOXELS = 0.3
# Gaussian kernels end here, in widths.
TRUNCATE = 3.0
# Kinds whose intensities have no unit: only their order inside the body counts.
UNITLESS_KINDS = ("MR", "OTHER")


def local_features(
    image: Float32Array,
    mask: MaskArray,
    *,
    spacing_mm: Triple,
    kind: str,
    resolution_mm: Triple = (0.0, 0.0, 0.0),
) -> Float32Array:
    """Describe the surroundings of every voxel of one modality.

    The intensity, Gaussian averages of it, the lengths of the gradients of two of them (per mm),
    and the local standard deviation. Kinds without a unit are first replaced by the normal scores
    of their ranks inside the mask, so that no increasing change of an image's intensities matters.

    Args:
        image: Normalized intensities, `(K, J, I)`.
        mask: Where the modality shows the body, same shape, at least one voxel.
        spacing_mm: Spacing along I, J, K, mm.
        kind: `"MR"`, `"CT"`, `"PET"` or `"OTHER"`.
        resolution_mm: Width (standard deviation) of the Gaussian along I, J, K that brings the
            image to the resolution that it is compared at, mm; see `matching_blur_mm`.

    Returns:
        `(N_FEATURES, K, J, I)`, zero outside the box around the mask; meaningless outside the mask.
    """
    box = bounding_box(mask)
    values = _comparable(image[box], mask[box], spacing_mm, kind, resolution_mm)
    found = np.zeros((N_FEATURES, *mask.shape), dtype=np.float32)
    found[:, *box] = np.stack(list(_described(values, mask[box], spacing_mm)))
    return found


def two_scales(
    image: Float32Array,
    mask: MaskArray,
    *,
    spacing_mm: Triple,
    kind: str,
    resolution_mm: Triple = (0.0, 0.0, 0.0),
) -> Float32Array:
    """Return one modality as networks see it: comparable intensities, and Gaussian averages of it.

    Around the body, both are the averages that reach there, so that no outline shows.

    Args:
        image: As in `local_features`, and so are the others.
        mask: Where the modality shows the body.
        spacing_mm: Spacing along I, J, K, mm.
        kind: Kind of the modality.
        resolution_mm: Blur that brings the image to the resolution that it is compared at, mm.

    Returns:
        `(2, K, J, I)`, zero outside the box around the mask.
    """
    box = bounding_box(mask)
    values = _comparable(image[box], mask[box], spacing_mm, kind, resolution_mm)
    sigma = _isotropic(CONTRAST_SCALE * max(spacing_mm), spacing_mm)
    average = _Averages(values, mask[box])(sigma)
    found = np.zeros((2, *mask.shape), dtype=np.float32)
    found[:, *box] = np.stack([np.where(mask[box], values, average), average])
    return found


def _comparable(
    image: Float32Array, mask: MaskArray, spacing_mm: Triple, kind: str, resolution_mm: Triple
) -> Float32Array:
    """Return ranks in place of intensities without a unit, all at one resolution; 0 outside."""
    values = np.where(mask, image, 0.0).astype(np.float32)
    if kind in UNITLESS_KINDS:
        values[mask] = _normal_scores(values[mask])
    blur = _voxels(resolution_mm, spacing_mm)
    if blur.max() >= LEAST_SIGMA_VOXELS:
        values = np.where(mask, _Averages(values, mask)(blur), 0.0).astype(np.float32)
    return values


def matching_blur_mm(native_mm: Mapping[str, Triple], spacing_mm: Triple) -> dict[str, Triple]:
    """Return the blur of each modality that brings all of a case to the coarsest of them.

    An image shows nothing finer than its own voxels or those that it was sampled to, whichever is
    coarser; along each axis the sharper modalities are widened to the coarsest.

    Args:
        native_mm: Voxel size of each modality as it came, along the working axes I, J, K, mm.
        spacing_mm: Working spacing along the same axes, mm.

    Returns:
        Standard deviation of a Gaussian along I, J, K per modality, mm; 0 where none is needed.
    """
    widths = {m: np.maximum(native, spacing_mm) for m, native in native_mm.items()}
    coarsest = np.max(list(widths.values()), axis=0)
    blurs = {m: np.sqrt(coarsest**2 - w**2) / FWHM_PER_SIGMA for m, w in widths.items()}
    return {m: (float(b[0]), float(b[1]), float(b[2])) for m, b in blurs.items()}


def _described(values: Float32Array, mask: MaskArray, spacing_mm: Triple) -> Iterator[Float32Array]:
    """Yield the features; around the mean, so that rounding makes no contrast of a constant."""
    center = np.float32(values[mask].mean(dtype=np.float64))
    values = np.where(mask, values - center, np.float32(0))
    average = _Averages(values, mask)
    unit = max(spacing_mm)
    averages = {s: average(_isotropic(s * unit, spacing_mm)) for s in AVERAGE_SCALES}
    yield values + center
    for smooth in averages.values():
        yield smooth + center
    for scale in GRADIENT_SCALES:
        yield _gradient_length(averages[scale], spacing_mm)
    mean = averages[CONTRAST_SCALE]
    squares = _Averages(values * values, mask)(_isotropic(CONTRAST_SCALE * unit, spacing_mm))
    yield np.sqrt(np.maximum(squares - mean * mean, 0.0))


class _Averages:
    """Gaussian averages over the voxels of a mask."""

    def __init__(self, values: Float32Array, mask: MaskArray) -> None:
        self._values = values
        self._weights = mask.astype(np.float32)

    def __call__(self, sigma_voxels: Float32Array) -> Float32Array:
        weight = _smoothed(self._weights, sigma_voxels)
        total = _smoothed(self._values, sigma_voxels)
        return np.asarray(total / np.maximum(weight, 1e-6), dtype=np.float32)


def _smoothed(values: Float32Array, sigma_voxels: Float32Array) -> Float32Array:
    return np.asarray(
        ndimage.gaussian_filter(values, sigma_voxels, mode="constant", truncate=TRUNCATE)
    )


def _gradient_length(values: Float32Array, spacing_mm: Triple) -> Float32Array:
    steps = [
        np.gradient(values, step, axis=axis)
        for axis, step in enumerate(reversed(spacing_mm))
        if values.shape[axis] > 1
    ]
    return np.asarray(np.sqrt(sum((s * s for s in steps), np.zeros_like(values))))


def _normal_scores(values: Float32Array) -> Float32Array:
    """Return the normal quantiles of the ranks; equal values stay equal."""
    return np.asarray(ndtri((rankdata(values) - 0.5) / len(values)), dtype=np.float32)


def _isotropic(sigma_mm: float, spacing_mm: Triple) -> Float32Array:
    return _voxels((sigma_mm,) * 3, spacing_mm)


def _voxels(sigma_mm: Triple, spacing_mm: Triple) -> Float32Array:
    """Return widths along K, J, I in voxels for widths along I, J, K in mm."""
    return np.asarray([s / v for s, v in zip(sigma_mm, spacing_mm, strict=True)][::-1])
