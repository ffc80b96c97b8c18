"""How well the edges of two modalities coincide, at rest and under small shifts.

Edges of the same anatomy lie at the same place in every modality, whatever their contrast and sign.
The agreement is that of normalized gradient fields [1]; orientations are compared as tensors, so
that unrelated edges agree by 0 on average, and all shifts are computed at once by Fourier transform
with masks [2].

References:
    [1] Haber & Modersitzki, Intensity gradient based registration, MICCAI 2006.
    [2] Padfield, Masked object registration in the Fourier domain, IEEE TIP 21, 2012.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage

from MultimodalImagingLib.images.arrays import Float32Array, MaskArray
from MultimodalImagingLib.preparation.prepared_case import PreparedCase

Triple = tuple[float, float, float]

# Edges are looked for at this scale; finer ones are noise at a typical working spacing.
SMOOTHING_MM = 3.0
MAX_SHIFT_MM = 24.0
# Not more than this share of an axis is shifted, so that the images keep overlapping.
MAX_SHIFT_SHARE = 1.0 / 3.0
N_CHANNELS = 7


@dataclass(frozen=True)
class BestShift:
    """Where two edge fields agree best.

    Attributes:
        agreement: Correlation of the edge fields without a shift, -1 to 1.
        gain: How much higher the correlation is at the best shift, 0 to 2.
        offset_mm: How far the content of the second image lies from the same content of the first,
            mm along the array axes `(K, J, I)`.
    """

    agreement: float
    gain: float
    offset_mm: Triple


@dataclass(frozen=True)
class EdgeSpectrum:
    """Fourier transforms of an edge field that every comparison needs.

    Attributes:
        shape: Shape `(K, J, I)` of the image.
        radius: Largest shift along each axis that it serves for, voxels.
        field: Spectra of the weighted channels, shape `(7, ...)`.
        energy: Spectrum of the weighted squared norm.
        weight: Spectrum of the weight.
    """

    shape: tuple[int, int, int]
    radius: tuple[int, ...]
    field: npt.NDArray[np.complex64]
    energy: npt.NDArray[np.complex64]
    weight: npt.NDArray[np.complex64]


def edge_field(image: Float32Array, body: MaskArray, *, spacing_mm: Triple) -> Float32Array:
    """Describe the edges of an image by their orientation and strength.

    The gradient of the smoothed image is divided by `sqrt(|gradient|^2 + e^2)` with `e` its median
    length in the body, which makes a field `n` of lengths 0 to 1. The channels are the six entries
    of the traceless tensor `n n' - |n|^2 / 3` and the centered `|n|^2`, weighted so that their dot
    product is that of the tensors.

    Args:
        image: Intensities, shape `(K, J, I)`, at least 2 voxels along each axis.
        body: Where edges matter, same shape; all of the image if it is empty.
        spacing_mm: Spacing along `(K, J, I)`, mm.

    Returns:
        Channels, shape `(7, K, J, I)`.
    """
    sigma = [max(SMOOTHING_MM / spacing, 1.0) for spacing in spacing_mm]
    gradient = np.stack(np.gradient(ndimage.gaussian_filter(image, sigma), *spacing_mm))
    length = np.sqrt((gradient**2).sum(axis=0))
    typical = float(np.median(length[body] if body.any() else length))
    normal = gradient / np.sqrt(length**2 + max(typical, 1e-6) ** 2)
    return _channels(normal)


def agreement(first: Float32Array, second: Float32Array) -> float:
    """Return the correlation of two edge fields at rest, -1 to 1; 0 if one has no edges."""
    norm = float(np.linalg.norm(first)) * float(np.linalg.norm(second))
    return float(np.vdot(first, second)) / norm if norm > 0 else 0.0


def small_shifts(shape: tuple[int, ...], spacing_mm: Triple) -> tuple[int, ...]:
    """Return the largest shift along each axis that `best_shift` looks at, voxels."""
    return tuple(
        min(round(MAX_SHIFT_MM / spacing), int(n * MAX_SHIFT_SHARE))
        for n, spacing in zip(shape, spacing_mm, strict=True)
    )


def edge_spectrum(
    field: Float32Array, weight: Float32Array, *, radius: tuple[int, ...]
) -> EdgeSpectrum:
    """Transform an edge field for `best_shift` and `shifted_agreement`.

    Args:
        field: Channels, shape `(7, K, J, I)`.
        weight: 1 where the field is known, 0 elsewhere, shape `(K, J, I)`.
        radius: Largest shift along `(K, J, I)`, voxels.
    """
    shape = (field.shape[1], field.shape[2], field.shape[3])
    padded = _padded(shape, radius)

    def transform(array: Float32Array) -> npt.NDArray[np.complex64]:
        return np.asarray(fft.rfftn(array.astype(np.float32), padded, axes=(-3, -2, -1)))

    energy = (field**2).sum(axis=0) * weight
    spectra = (transform(field * weight), transform(energy), transform(weight))
    return EdgeSpectrum(shape, radius, *spectra)


def best_shift(first: EdgeSpectrum, second: EdgeSpectrum, *, spacing_mm: Triple) -> BestShift:
    """Find the shift of up to 24 mm (and a third of the image) at which two edge fields agree best.

    Args:
        first: Spectrum of the image at rest.
        second: Spectrum of the image that is shifted, same shape.
        spacing_mm: Spacing along `(K, J, I)`, mm.

    Raises:
        ValueError: If the shapes differ.
    """
    if first.shape != second.shape:
        msg = f"Expected spectra of images of one shape, got {first.shape} and {second.shape}."
        raise ValueError(msg)
    correlation = shifted_agreement(first, second)
    center = tuple(n // 2 for n in correlation.shape)
    distance = shift_distances(correlation.shape, spacing_mm)
    peak = np.unravel_index(
        np.argmax(np.where(distance <= MAX_SHIFT_MM, correlation, -np.inf)), correlation.shape
    )
    at_rest = float(correlation[center])
    steps = [refined(correlation, peak, axis) - center[axis] for axis in range(3)]
    offset = [float(n * s) for n, s in zip(steps, spacing_mm, strict=True)]
    return BestShift(at_rest, float(correlation[peak]) - at_rest, (offset[0], offset[1], offset[2]))


def _channels(normal: Float32Array) -> Float32Array:
    squared = (normal**2).sum(axis=0)
    channels = np.empty((N_CHANNELS, *squared.shape), dtype=np.float32)
    for axis in range(3):
        channels[axis] = normal[axis] ** 2 - squared / 3
    for channel, (a, b) in enumerate(((0, 1), (0, 2), (1, 2)), start=3):
        channels[channel] = np.sqrt(2.0) * normal[a] * normal[b]
    channels[6] = (squared - squared.mean()) / np.sqrt(3.0)
    return channels


def _padded(shape: tuple[int, ...], radius: tuple[int, ...]) -> list[int]:
    return [fft.next_fast_len(n + r, real=True) for n, r in zip(shape, radius, strict=True)]


def shifted_agreement(
    first: EdgeSpectrum, second: EdgeSpectrum, *, min_share: float = 0.0
) -> Float32Array:
    """Return the correlation of two edge fields for every shift, where they overlap.

    Args:
        first: Spectrum of the image at rest.
        second: Spectrum of the image that is shifted, of the same shape and radius.
        min_share: Shifts at which less than this share of the edges of either image is left in
            the overlap are -1.

    Returns:
        -1 to 1, shape `(2 * radius + 1)` along each axis; the center is no shift.
    """
    padded = _padded(first.shape, first.radius)

    def back(spectrum: npt.NDArray[np.complex64]) -> Float32Array:
        shifts = fft.irfftn(spectrum, padded)
        for axis, r in enumerate(first.radius):
            shifts = np.take(shifts, np.arange(-r, r + 1), axis=axis, mode="wrap")
        return np.asarray(shifts, dtype=np.float32)

    joint = back((np.conj(first.field) * second.field).sum(axis=0))
    energy_a = back(np.conj(first.energy) * second.weight)
    energy_b = back(np.conj(first.weight) * second.energy)
    floor = 1e-6 * max(float(energy_a.max()) * float(energy_b.max()), 1e-12)
    found = np.asarray(joint / np.sqrt(np.maximum(energy_a * energy_b, floor)))
    if min_share > 0:
        for energy in (energy_a, energy_b):
            found = np.where(energy >= min_share * energy[first.radius], found, np.float32(-1))
    return found


def shift_distances(shape: tuple[int, ...], spacing_mm: Triple) -> Float32Array:
    """Return the length of every shift of `shifted_agreement`, mm."""
    axes = [(np.arange(n) - n // 2) * s for n, s in zip(shape, spacing_mm, strict=True)]
    k, j, i = np.meshgrid(*axes, indexing="ij")
    return np.asarray(np.sqrt(k**2 + j**2 + i**2), dtype=np.float32)


def refined(values: Float32Array, peak: tuple[np.intp, ...], axis: int) -> float:
    """Return the vertex of the parabola through a peak and its neighbors along an axis, voxels."""
    position = int(peak[axis])
    if not 0 < position < values.shape[axis] - 1:
        return float(position)
    line = values[tuple(slice(None) if a == axis else peak[a] for a in range(3))]
    before, at, after = (float(v) for v in line[position - 1 : position + 2])
    curvature = before - 2 * at + after
    return position + (0.5 * (before - after) / curvature if curvature < 0 else 0.0)


# Finer images are brought to this spacing first; edges are looked for at 3 mm anyway.
FINEST_SPACING_MM = 2.5
RIM_VOXELS = 2


@dataclass(frozen=True)
class CoarseCase:
    """A case at the spacing of the comparison, arrays `(K, J, I)`, spacing along `(K, J, I)`."""

    images: Mapping[str, Float32Array]
    bodies: Mapping[str, MaskArray]
    weights: Mapping[str, Float32Array]
    spacing_mm: Triple


def coarse_case(case: PreparedCase) -> CoarseCase:
    """Bring a case to a spacing of at least 2.5 mm along each axis."""
    fine = case.grid.spacing_mm[::-1]
    shape = case.grid.array_shape
    wanted = [
        n if s >= FINEST_SPACING_MM else max(round(n * s / FINEST_SPACING_MM), 2)
        for n, s in zip(shape, fine, strict=True)
    ]
    spacing = [n * s / m for n, s, m in zip(shape, fine, wanted, strict=True)]
    return CoarseCase(
        images={m: resized(image, wanted) for m, image in case.images.items()},
        bodies={m: resized_mask(body, wanted) for m, body in case.bodies.items()},
        weights={m: _weight(resized_mask(mask, wanted)) for m, mask in case.coverage.items()},
        spacing_mm=(spacing[0], spacing[1], spacing[2]),
    )


def resized(image: Float32Array, shape: Sequence[int]) -> Float32Array:
    """Stretch an image over another number of voxels, smoothed where there are fewer."""
    factors = [n / m for n, m in zip(image.shape, shape, strict=True)]
    if all(factor == 1 for factor in factors):
        return image
    smooth = ndimage.gaussian_filter(image, [max(0.4 * factor - 0.3, 0.0) for factor in factors])
    zoom = [1 / factor for factor in factors]
    return np.asarray(
        ndimage.zoom(smooth, zoom, order=1, mode="nearest", grid_mode=True), dtype=np.float32
    )


def resized_mask(mask: MaskArray, shape: Sequence[int]) -> MaskArray:
    """Stretch a mask over another number of voxels."""
    return np.asarray(resized(mask.astype(np.float32), shape) > 0.5)


def _weight(covered: MaskArray) -> Float32Array:
    """1 where edges are known: not at the rim of what is covered within the grid."""
    if covered.all():
        return np.ones(covered.shape, dtype=np.float32)
    inner = ndimage.binary_erosion(covered, iterations=RIM_VOXELS, border_value=1)
    return np.asarray(inner, dtype=np.float32)
