"""One synthetic patient: a thigh with a soft-tissue tumor in PET, CT and T1-weighted MR.

The anatomy is made of ellipses and smooth random fields, the values are those that such tissues
usually have: Hounsfield units, standardized uptake values, and T1 with fat at 1000. No image of a
person went into it. As in practice, every modality has a grid of its own: PET is coarse, T1 is
tilted and shows a part of the thigh only.
"""

from __future__ import annotations

import math

import numpy as np
import SimpleITK as sitk  # noqa: N813

from MultimodalImagingLib.images.arrays import Float32Array, MaskArray
from MultimodalImagingLib.images.geometry import (
    Grid,
    Volume,
    image_from_volume,
    resample,
    volume_from_image,
)

MODALITIES = ("PET", "CT", "T1")
# What each tissue shows, painted in this order: SUV, HU, and T1 relative to fat at 1000.
TISSUES = {
    "air": (0.0, -1000.0, 0.0),
    "skin": (0.35, 10.0, 420.0),
    "fat": (0.2, -100.0, 1000.0),
    "muscle": (0.6, 55.0, 320.0),
    "septum": (0.3, -70.0, 880.0),
    "vessel": (1.3, 45.0, 120.0),
    "cortex": (0.4, 1250.0, 60.0),
    "marrow": (0.7, 10.0, 780.0),
    "edema": (1.1, 30.0, 300.0),
    "tumor": (7.0, 42.0, 330.0),
    "necrosis": (1.2, 22.0, 270.0),
}
SIDE_MM = 0.977
SLICE_MM = 3.27
LENGTH_MM = 170.0
TUMOR_CENTER_MM = (34.0, -30.0, 4.0)  # from the axis of the thigh, LPS
TUMOR_RADII_MM = (27.0, 23.0, 40.0)
_FEMUR_MM = (-10.0, 6.0)
_N_WAVES = 12


def make_patient(seed: int = 0) -> tuple[dict[str, Volume], Volume]:
    """Make the images of the patient and the tumor.

    Args:
        seed: Decides on details of the shape, on texture and noise.

    Returns:
        Image per modality (PET in SUV, float32; CT in HU and T1, int16) and the tumor (uint8, 0 or
        1) on the grid of the CT.
    """
    generator = np.random.default_rng(seed)
    grid = _centered_grid((200.0, 190.0, LENGTH_MM), (SIDE_MM, SIDE_MM, SLICE_MM))
    tissue = _tissues(_positions_mm(grid), generator)
    rough = 1 + 0.12 * _waves(_positions_mm(grid), generator, wave_mm=22.0)
    images = {
        "PET": _pet(tissue, rough, grid, generator),
        "CT": _ct(tissue, grid, generator),
        "T1": _t1(tissue, rough, grid, generator),
    }
    names = list(TISSUES)
    tumor = np.isin(tissue, [names.index("tumor"), names.index("necrosis")])
    return images, Volume(tumor.astype(np.uint8), grid)


def _tissues(position: Float32Array, generator: np.random.Generator) -> Float32Array:
    """Return which of `TISSUES` each voxel is, by number, `(K, J, I)`."""
    bend = np.stack([_waves(position, generator, wave_mm=70.0) for _ in range(2)])
    x, y, z = position[0] + 2.5 * bend[0], position[1] + 2.5 * bend[1], position[2]
    width = 1 + 0.0009 * z  # a thigh is wider above
    depth = (1 - np.hypot(x / (84 * width), y / (77 * width))) * 80  # mm below the skin
    fat_mm = 13 + 4 * np.cos(np.arctan2(y, x) - 2.2)
    inside = depth > fat_mm
    tumor = _tumor_distance(x, y, z, generator)
    femur = np.hypot(x - _FEMUR_MM[0], y - _FEMUR_MM[1])
    painted: dict[str, MaskArray] = {
        "skin": depth > 0,
        "fat": depth > 2,
        "muscle": inside,
        "septum": inside & _septa(x - _FEMUR_MM[0], y - _FEMUR_MM[1], bend[0]),
        "vessel": _within(x, y, (16, 22), 4.2) | _within(x, y, (25, 16), 5.2),
        "cortex": femur < 14,
        "marrow": femur < 7.5,
        "edema": inside & (femur > 15) & (tumor < 1.22),
        "tumor": (depth > 6) & (femur > 15) & (tumor < 1),
        "necrosis": (femur > 15) & (np.sqrt(tumor**2 + 0.02) < 0.45),
    }
    names = list(TISSUES)
    tissue = np.zeros(depth.shape, dtype=np.float32)
    for name, mask in painted.items():
        tissue[mask] = names.index(name)
    return tissue


def _tumor_distance(
    x: Float32Array, y: Float32Array, z: Float32Array, generator: np.random.Generator
) -> Float32Array:
    """Distance from the tumor's center relative to its lobed surface; 1 is the surface."""
    scaled = [
        (along - center) / radius
        for along, center, radius in zip((x, y, z), TUMOR_CENTER_MM, TUMOR_RADII_MM, strict=True)
    ]
    lobes = _waves(np.stack([x, y, z]), generator, wave_mm=38.0)
    distance = np.sqrt(sum(part**2 for part in scaled)) * (1 + 0.09 * lobes)
    return np.asarray(distance, dtype=np.float32)


def _septa(x: Float32Array, y: Float32Array, bend: Float32Array) -> MaskArray:
    """Thin planes of fat between the muscles, from the bone outwards."""
    angle = np.arctan2(y, x) + 0.25 * bend
    nearest = np.abs((angle * 5 / (2 * math.pi)) % 1 - 0.5)  # five planes
    return np.asarray(np.hypot(x, y) * (0.5 - nearest) * 2 * math.pi / 5 < 1.1)


def _within(x: Float32Array, y: Float32Array, center: tuple[float, float], mm: float) -> MaskArray:
    return np.asarray(np.hypot(x - center[0], y - center[1]) < mm)


def _pet(
    tissue: Float32Array, rough: Float32Array, grid: Grid, generator: np.random.Generator
) -> Volume:
    """Uptake, blurred by 6 mm, on coarse voxels, with noise that grows with it."""
    uptake = _values(tissue, "PET") * np.clip(rough, 0.4, None) ** 1.5
    coarse = _centered_grid((198.0, 188.0, LENGTH_MM), (4.69, 4.69, SLICE_MM))
    image = _resampled(uptake, grid, coarse, blur_mm=2.6)
    noise = generator.normal(0.0, 1.0, image.shape) * 0.09 * np.sqrt(np.clip(image, 0.02, None))
    return Volume(np.clip(image + noise, 0, None).astype(np.float32), coarse)


def _ct(tissue: Float32Array, grid: Grid, generator: np.random.Generator) -> Volume:
    image = _resampled(_values(tissue, "CT"), grid, grid, blur_mm=0.6)
    noisy = image + generator.normal(0.0, 14.0, image.shape)
    return Volume(np.clip(noisy, -1000, 3000).astype(np.int16), grid)


def _t1(
    tissue: Float32Array, rough: Float32Array, grid: Grid, generator: np.random.Generator
) -> Volume:
    """T1 on slices that are tilted by 5 degrees, of a part of the thigh."""
    turn = math.radians(5)
    tilt = (1, 0, 0, 0, math.cos(turn), -math.sin(turn), 0, math.sin(turn), math.cos(turn))
    own = _centered_grid((180.0, 172.0, 130.0), (0.9, 0.9, 4.4), tilt, center=(4.0, -3.0, 6.0))
    signal = _values(tissue, "T1") * (0.75 + 0.25 * rough)
    image = _resampled(signal, grid, own, blur_mm=0.6)
    real, imaginary = (generator.normal(0.0, 14.0, image.shape) for _ in range(2))
    return Volume(np.hypot(image + real, imaginary).astype(np.int16), own)


def _values(tissue: Float32Array, modality: str) -> Float32Array:
    table = np.array([shown[MODALITIES.index(modality)] for shown in TISSUES.values()])
    return table.astype(np.float32)[tissue.astype(np.intp)]


def _resampled(array: Float32Array, grid: Grid, to: Grid, *, blur_mm: float) -> Float32Array:
    """Blur values and take them at the voxels of another grid; the least value lies outside."""
    image = sitk.SmoothingRecursiveGaussian(image_from_volume(Volume(array, grid)), blur_mm)
    outside = float(array.min())
    return np.asarray(resample(volume_from_image(image), to, fill=outside).array, dtype=np.float32)


def _centered_grid(
    extent_mm: tuple[float, float, float],
    spacing_mm: tuple[float, float, float],
    direction: tuple[float, ...] = (1, 0, 0, 0, 1, 0, 0, 0, 1),
    center: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> Grid:
    i, j, k = (round(mm / step) for mm, step in zip(extent_mm, spacing_mm, strict=True))
    half = [step * (n - 1) / 2 for n, step in zip((i, j, k), spacing_mm, strict=True)]
    x, y, z = np.asarray(center) - np.reshape(direction, (3, 3)) @ half
    return Grid((i, j, k), spacing_mm, (float(x), float(y), float(z)), direction)


def _positions_mm(grid: Grid) -> Float32Array:
    """LPS positions of the voxels of a grid along the axes, mm, `(3, K, J, I)`."""
    axes = [
        start + step * np.arange(n, dtype=np.float32)
        for start, step, n in zip(grid.origin_mm, grid.spacing_mm, grid.size, strict=True)
    ]
    z, y, x = np.meshgrid(axes[2], axes[1], axes[0], indexing="ij")
    return np.stack([x, y, z]).astype(np.float32)


def _waves(
    position: Float32Array, generator: np.random.Generator, *, wave_mm: float
) -> Float32Array:
    """Smooth random field of about unit variance: waves of about one length, `(K, J, I)`."""
    directions = generator.normal(size=(_N_WAVES, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    lengths = wave_mm * generator.uniform(0.7, 1.4, size=_N_WAVES)
    phases = generator.uniform(0, 2 * math.pi, size=_N_WAVES)
    field = np.zeros(position.shape[1:], dtype=np.float32)
    for direction, length, phase in zip(directions, lengths, phases, strict=True):
        per_mm = (2 * math.pi / length * direction).astype(np.float32)
        field += np.sin(np.einsum("a,akji->kji", per_mm, position) + np.float32(phase))
    return np.asarray(field * np.float32(math.sqrt(2 / _N_WAVES)), dtype=np.float32)
