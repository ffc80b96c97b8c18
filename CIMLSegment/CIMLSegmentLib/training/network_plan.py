"""A spacing, patch size and network that suit the images; nnU-Net's habits. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from CIMLSegmentLib.config import LARGEST_PATCH, NetworkConfig
from CIMLSegmentLib.task.task import Task
from CIMLSegmentLib.training.training_cases import TrainingSet
from MultimodalImagingLib.cohorts.cases import Case
from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.images.volume_io import read_grid
from MultimodalImagingLib.preparation.working_grid import canonical_grid

BASE_FEATURES = 8
MOST_FEATURES = 16
MOST_LEVELS = 6
MESSAGE_LEVELS = 3  # never the finest: it costs most and filters least
# An axis is halved while this many voxels remain, and not while it is twice as coarse as another.
_FEWEST_POSITIONS = 4
_ANISOTROPY = 2.0


@dataclass(frozen=True)
class NetworkPlan:
    """A patch size and the network for it.

    Attributes:
        patch_size: Voxels along `(K, J, I)`, multiples of the network's total stride.
        network: The network.
    """

    patch_size: tuple[int, ...]
    network: NetworkConfig


def plan_for_cases(
    cases: TrainingSet, *, base_features: int = BASE_FEATURES, largest_patch: int = LARGEST_PATCH
) -> NetworkPlan:
    """Plan for the median size of prepared cases."""
    median = np.median([case.shape for case in cases.cases], axis=0)
    return plan_network(
        [int(size) for size in median],
        tuple(reversed(cases.preprocessing.spacing_mm)),
        base_features=base_features,
        largest_patch=largest_patch,
    )


def patch_for_network(
    cases: TrainingSet, network: NetworkConfig, *, largest_patch: int = LARGEST_PATCH
) -> tuple[int, ...]:
    """Return a patch size for prepared cases that a network of a given shape can take."""
    size = [int(n) for n in np.median([case.shape for case in cases.cases], axis=0)]
    patch = _patch(size, tuple(reversed(cases.preprocessing.spacing_mm)), largest_patch)
    strides = network.total_stride
    return tuple(map(max, map(_whole_strides, patch, size, strides), strides))


def plan_network(
    size: Sequence[int],
    spacing_mm: Sequence[float],
    *,
    base_features: int = BASE_FEATURES,
    largest_patch: int = LARGEST_PATCH,
) -> NetworkPlan:
    """Plan for images of a size and spacing.

    Axes are halved together, but a coarse axis waits until the others are as coarse; kernels do
    not mix slices that are more than twice as far apart as voxels inside them.

    Args:
        size: Voxels of a typical image, per axis `(K, J, I)` or `(J, I)`.
        spacing_mm: Spacing along the same axes, mm.
        base_features: Channels at full resolution; doubled per level up to 16 times.
        largest_patch: A patch has at most as many voxels as a cube (a square) of this side.
    """
    patch = _patch(size, spacing_mm, largest_patch)
    strides, kernels = _levels(patch, spacing_mm)
    n_levels = len(strides)
    total = [prod(steps) for steps in zip(*strides, strict=True)]
    features = [base_features * min(2**level, MOST_FEATURES) for level in range(n_levels)]
    return NetworkPlan(
        tuple(map(_whole_strides, patch, size, total)),
        NetworkConfig(
            spatial_dims=len(patch),
            features=tuple(features),
            strides=strides,
            kernel_sizes=kernels,
            message_levels=tuple(range(max(n_levels - MESSAGE_LEVELS, 1), n_levels)),
        ),
    )


def _patch(size: Sequence[int], spacing_mm: Sequence[float], largest: int) -> list[int]:
    """Cut the physically longest axis until the patch is small enough."""
    most = largest ** len(size)
    patch = [max(n, 2 * _FEWEST_POSITIONS) for n in size]
    while prod(patch) > most:
        length = [n * spacing for n, spacing in zip(patch, spacing_mm, strict=True)]
        patch[int(np.argmax(length))] -= 1
    return patch


def _whole_strides(patch: int, size: int, stride: int) -> int:
    """Round down where the patch is a part of the image, up where it holds all of it."""
    return patch // stride * stride if patch < size else -(-patch // stride) * stride


def _levels(
    patch: Sequence[int], spacing_mm: Sequence[float]
) -> tuple[tuple[tuple[int, ...], ...], tuple[tuple[int, ...], ...]]:
    sizes, spacing = list(patch), list(spacing_mm)
    strides = [(1,) * len(sizes)]
    kernels = [_kernel(spacing)]
    while len(strides) < MOST_LEVELS:
        finest = min(spacing)
        step = tuple(
            2 if n >= 2 * _FEWEST_POSITIONS and mm < _ANISOTROPY * finest else 1
            for n, mm in zip(sizes, spacing, strict=True)
        )
        if all(factor == 1 for factor in step):
            break
        sizes = [-(-n // factor) for n, factor in zip(sizes, step, strict=True)]
        spacing = [mm * factor for mm, factor in zip(spacing, step, strict=True)]
        strides.append(step)
        kernels.append(_kernel(spacing))
    return tuple(strides), tuple(kernels)


def _kernel(spacing: Sequence[float]) -> tuple[int, ...]:
    return tuple(1 if mm >= _ANISOTROPY * min(spacing) else 3 for mm in spacing)


def training_spacing(cases: Iterable[Case], task: Task) -> tuple[float, float, float]:
    """Return the median spacing of the primary images along left, posterior and superior, mm.

    Results lie on the grid of the primary image, so a finer grid would be thrown away, and a
    coarser one would lose small lesions. Selection works on coarser grids than this.

    Args:
        cases: The cases to train on; unreadable images are passed over.
        task: The first of its primaries that a case has counts.

    Raises:
        CohortError: If no primary image can be read.
    """
    found = []
    for case in cases:
        file = next((case.images[m] for m in task.primaries if m in case.images), None)
        try:
            found += [canonical_grid(read_grid(file)).spacing_mm] if file is not None else []
        except CohortError:
            continue  # preparing the case tells about it
    if not found:
        msg = (
            f"Expected readable images of {' or '.join(task.primaries)}, found none. If there are"
            " such files, the problems above or of `mdal-selector inspect` say why they are not"
            " used; else correct the modality patterns, or choose another task."
        )
        raise CohortError(msg)
    left, posterior, superior = (round(float(mm), 3) for mm in np.median(found, axis=0))
    return left, posterior, superior
