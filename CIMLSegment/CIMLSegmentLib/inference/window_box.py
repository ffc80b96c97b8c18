"""Where the windows of a case lie: a box around the body whose corner every result hangs on.

Because the box follows the body and not the image's rim, a case that is shifted inside its field
of view gets the same windows and so the shifted result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from MultimodalImagingLib.images.arrays import Float32Array, MaskArray, bounding_box
from MultimodalImagingLib.images.geometry import Grid

BODY_MARGIN_MM = 8.0


@dataclass(frozen=True)
class WindowBox:
    """A box on a grid; it may reach beyond the grid.

    Attributes:
        start: First voxel along `(K, J, I)`; negative where the box begins before the grid.
        size: Voxels along `(K, J, I)`.
        grid: The grid.
    """

    start: tuple[int, ...]
    size: tuple[int, ...]
    grid: Grid

    @property
    def visible(self) -> tuple[slice, ...]:
        """The part of the grid's arrays that lies in the box."""
        return tuple(
            slice(max(start, 0), min(start + size, n))
            for start, size, n in zip(self.start, self.size, self.grid.array_shape, strict=True)
        )

    @property
    def visible_grid(self) -> Grid:
        """The grid of that part."""
        k, j, i = (part.start for part in self.visible)
        origin = (self.grid.index_to_lps @ np.array([i, j, k, 1.0]))[:3]
        size = [part.stop - part.start for part in reversed(self.visible)]
        return Grid(
            (size[0], size[1], size[2]),
            self.grid.spacing_mm,
            (float(origin[0]), float(origin[1]), float(origin[2])),
            self.grid.direction,
        )

    def cut(self, array: Float32Array) -> Float32Array:
        """Cut the box out of an array on the grid; 0 beyond the grid."""
        box = np.zeros(self.size, dtype=np.float32)
        box[self.inner] = array[self.visible]
        return box

    @property
    def inner(self) -> tuple[slice, ...]:
        """The visible part in the box's own indices."""
        return tuple(
            slice(part.start - start, part.stop - start)
            for part, start in zip(self.visible, self.start, strict=True)
        )

    def fitted(self, *, window: Sequence[int], stride: Sequence[int]) -> WindowBox:
        """Return the least box around this one that windows fill, with this one in its middle.

        Args:
            window: Window along `(K, J, I)`, voxels; the box is at least as large.
            stride: Down-sampling of the network's deepest level; the box is a multiple of it.
        """
        starts, sizes = [], []
        parts = zip(self.start, self.size, window, stride, strict=True)
        for start, length, least, step in parts:
            size = max(least, -(-length // step) * step)
            starts.append(start - (size - length) // 2)
            sizes.append(size)
        return WindowBox(tuple(starts), tuple(sizes), self.grid)


def body_box(bodies: Sequence[MaskArray], grid: Grid) -> WindowBox:
    """Place a box around everything that any modality calls body, with a margin.

    Args:
        bodies: Masks on the grid, `(K, J, I)`; if none has a voxel, the whole grid counts.
        grid: Their grid.
    """
    body = np.logical_or.reduce(list(bodies))
    starts, sizes = [], []
    for axis, part in enumerate(bounding_box(body)):
        margin = round(BODY_MARGIN_MM / grid.spacing_mm[2 - axis])
        starts.append(part.start - margin)
        sizes.append(int(part.stop - part.start + 2 * margin))
    return WindowBox(tuple(starts), tuple(sizes), grid)
