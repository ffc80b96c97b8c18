"""Labeled cases as the network learner sees them: coarse volumes, and patches of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from MDALSelectorLib.retrospect.labelled_cohort import LabelledCase
from MDALSelectorLib.retrospect.network_config import NetworkConfig
from MultimodalImagingLib.images.arrays import MaskArray, VoxelArray, bounding_box
from MultimodalImagingLib.preparation.prepared_case import PreparedCase

# Intensities beyond this count as this much; they are unitless after preparation.
LARGEST_INTENSITY = 5.0


@dataclass(frozen=True, eq=False)
class CoarseCase:
    """A case, cut to its body and averaged to the spacing of the network.

    Attributes:
        images: One channel of intensities per modality, then one per modality that tells where it
            has voxels; `(2 * n_modalities, K, J, I)`. A missing modality is 0 in both.
        target: Share of each voxel that belongs to the target, `(K, J, I)`.
        body: Share of each voxel that is body, same shape.
        centers: Voxels that patches are centered in: those of the target, those of the body.
    """

    images: Tensor
    target: Tensor
    body: Tensor
    centers: tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]


@dataclass(frozen=True, eq=False)
class HeldOutCase:
    """A case that is tested on, at the spacing of the run.

    Attributes:
        coarse: The case as the network sees it.
        body: Which voxels of its box are body, `(K, J, I)`.
        is_target: Which of these belong to the target, `(n_body_voxels,)`.
        n_target: Voxels of the target, also outside the body.
    """

    coarse: CoarseCase
    body: MaskArray
    is_target: MaskArray
    n_target: int


class Patches(NamedTuple):
    """Patches of a batch.

    Attributes:
        images: Shape `(n, 2 * n_modalities, edge, edge, edge)`.
        target: Share of each voxel that belongs to the target, `(n, edge, edge, edge)`.
        body: Share of each voxel that is body, same shape.
    """

    images: Tensor
    target: Tensor
    body: Tensor


def coarse_case(
    case: LabelledCase, arrays: PreparedCase, modalities: Sequence[str], *, spacing_mm: float
) -> CoarseCase:
    """Cut a case to its body and average it to a coarser spacing.

    Args:
        case: The case with its target.
        arrays: The same case, prepared.
        modalities: All modalities, in the order of the cohort.
        spacing_mm: Spacing of the network, mm; a finer one than that of the case changes nothing.
    """
    box = bounding_box(arrays.body)
    body = arrays.body[box]
    target = np.zeros(arrays.body.shape, dtype=np.float32)
    target[arrays.body] = case.is_target
    shape = tuple(
        max(1, round(n * min(1.0, own / spacing_mm)))
        for n, own in zip(body.shape, arrays.grid.spacing_mm[::-1], strict=True)
    )
    nothing = np.zeros(body.shape, dtype=np.float32)
    there = [m in arrays.images for m in modalities]
    channels: list[VoxelArray] = [
        arrays.images[m][box].clip(-LARGEST_INTENSITY, LARGEST_INTENSITY) if has else nothing
        for m, has in zip(modalities, there, strict=True)
    ]
    channels += [
        arrays.coverage[m][box] if has else nothing
        for m, has in zip(modalities, there, strict=True)
    ]
    channels += [target[box], body]
    stacked = torch.from_numpy(np.stack([c.astype(np.float32) for c in channels]))
    pooled = F.interpolate(stacked[None], size=list(shape), mode="area")[0]
    coarse_target, coarse_body = pooled[-2], pooled[-1]
    return CoarseCase(
        images=pooled[:-2],
        target=coarse_target,
        body=coarse_body,
        centers=(
            np.argwhere(coarse_target.numpy() > 0),
            np.argwhere(coarse_body.numpy() > 0),
        ),
    )


def draw_patches(
    cases: Sequence[CoarseCase], config: NetworkConfig, generator: np.random.Generator
) -> Patches:
    """Draw patches of random cases, mirrored and with changed intensities.

    Args:
        cases: The cases of a training, at least one.
        config: Number and size of the patches, augmentation.
        generator: Source of all randomness.
    """
    edge = config.patch_edge
    n_images = len(cases[0].images)
    drawn = torch.zeros(config.batch_size, n_images + 2, edge, edge, edge)
    for patch in drawn:
        case = cases[int(generator.integers(len(cases)))]
        centers = case.centers[0 if generator.random() < config.target_share else 1]
        _cut(case, centers[generator.integers(len(centers))], patch, generator)
    _change_intensities(drawn, n_images // 2, config, generator)
    return Patches(drawn[:, :-2], drawn[:, -2], drawn[:, -1])


def _cut(
    case: CoarseCase, center: npt.NDArray[np.intp], patch: Tensor, generator: np.random.Generator
) -> None:
    """Copy the surroundings of a voxel into a patch of zeros, at random off center, mirrored."""
    edge, shape = patch.shape[-1], case.target.shape
    shift = generator.integers(-edge // 4, edge // 4 + 1, size=3)
    first = center - edge // 2 + shift
    source, goal = [], []
    for start, n in zip(first.tolist(), shape, strict=True):
        low, high = max(0, start), min(n, start + edge)
        source.append(slice(low, high))
        goal.append(slice(low - start, high - start))
    k, j, i = source
    inner = patch[(slice(None), *goal)]
    inner[:-2] = case.images[:, k, j, i]
    inner[-2] = case.target[k, j, i]
    inner[-1] = case.body[k, j, i]
    axes = [axis + 1 for axis in range(3) if generator.random() < 0.5]
    patch.copy_(patch.flip(axes))


def _change_intensities(
    drawn: Tensor, n_modalities: int, config: NetworkConfig, generator: np.random.Generator
) -> None:
    shape = (len(drawn), n_modalities, 1, 1, 1)
    gain = np.exp(config.gain * generator.standard_normal(shape))
    offset = config.offset * generator.standard_normal(shape)
    presence = drawn[:, n_modalities : 2 * n_modalities]
    values = drawn[:, :n_modalities]
    values *= torch.from_numpy(gain).float()
    values += torch.from_numpy(offset).float() * presence
