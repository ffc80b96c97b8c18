"""Prepared cases with smooth random textures that modalities share to a known degree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from MultimodalImagingLib.images.geometry import Grid
from MultimodalImagingLib.preparation.prepared_case import PreparedCase

Array = npt.NDArray[np.float32]
KINDS = {"a": "CT", "b": "CT", "c": "CT"}


def ball(edge: int, radius: float) -> npt.NDArray[np.bool_]:
    """Return a ball in the middle of a cube, radius in voxels."""
    axis = np.arange(edge) - (edge - 1) / 2
    squares = axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2
    return np.asarray(squares < radius**2)


def texture(generator: np.random.Generator, edge: int, sigma: float = 1.5) -> Array:
    """Return a smooth random field of unit variance, width in voxels."""
    field = ndimage.gaussian_filter(generator.standard_normal((edge,) * 3), sigma, mode="wrap")
    return np.asarray(field / field.std(), dtype=np.float32)


def textured_case(
    name: str,
    *,
    seed: int,
    share: float,
    radius: float = 9.0,
    modalities: Sequence[str] = ("a", "b"),
    edge: int = 24,
    spacing_mm: tuple[float, float, float] = (2.0, 2.0, 2.0),
) -> PreparedCase:
    """Make a ball whose modalities correlate by `share` at every voxel; air outside.

    Args:
        name: Name of the case.
        seed: Seed of the textures.
        share: Share of the variance that all modalities have in common, 0 to 1.
        radius: Radius of the body, voxels.
        modalities: Which it has, all of kind `KINDS`.
        edge: Edge of the image, voxels.
        spacing_mm: Spacing, mm.
    """
    generator = np.random.default_rng(seed)
    common = texture(generator, edge)
    own = {m: texture(generator, edge) for m in KINDS}
    body = ball(edge, radius)
    mixed = {m: np.sqrt(share) * common + np.sqrt(1 - share) * own[m] for m in modalities}
    images = {m: np.where(body, v, -9.0).astype(np.float32) for m, v in mixed.items()}
    return prepared(name, images, body, spacing_mm=spacing_mm)


def prepared(
    name: str,
    images: Mapping[str, Array],
    body: npt.NDArray[np.bool_],
    *,
    spacing_mm: tuple[float, float, float] = (2.0, 2.0, 2.0),
) -> PreparedCase:
    """Make a prepared case whose modalities cover everything and see one body."""
    size = (body.shape[2], body.shape[1], body.shape[0])
    grid = Grid(size, spacing_mm, (0.0, 0.0, 0.0), tuple(np.eye(3).ravel()))
    everywhere = np.ones(body.shape, dtype=bool)
    return PreparedCase(
        name, grid, images, dict.fromkeys(images, everywhere), dict.fromkeys(images, body), body
    )
