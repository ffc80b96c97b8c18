"""Intensities of CT, PET and MR made comparable between cases, and where the body is.

Works on arrays that are already on the working grid; knows nothing of files.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import SimpleITK as sitk  # noqa: N813

from MultimodalImagingLib.images.arrays import Float32Array, FloatingArray, MaskArray

ModalityKind = Literal["MR", "CT", "PET", "OTHER"]

MODALITY_KINDS: tuple[ModalityKind, ...] = get_args(ModalityKind)

# CT is mapped by this fixed, monotone curve: most of the range for soft tissue, the rest for air,
# lung and bone. The knee at -160 and 240 HU is the common abdominal soft-tissue window.
CT_HU = (-1000.0, -160.0, 240.0, 1500.0)
CT_VALUES = (-1.5, -1.0, 1.0, 2.0)
CT_STORED_HU = (-1024.0, 3071.0)
CT_BODY_HU = -300.0

# PET is asinh(SUV): linear below SUV 1, logarithmic above, the same curve for every case.
PET_MAX_SUV = 60.0
PET_BODY_SUV = 0.15

# A robust z-score beyond this says nothing more.
MAX_Z = 6.0
# The spread is taken from these percentiles (in a normal distribution 2.563 standard deviations
# apart) and not from the MAD: body MR has two tissues, muscle and fat, and the MAD jumps when the
# share of one of them passes one half.
SPREAD_PERCENTILES = (10.0, 90.0)
SPREAD_TO_SD = 2.563
# Air is darker than this share of the typical bright tissue (MR and unknown kinds).
AIR_SHARE = 0.2
# Second legs and arms count as body if they have this share of the largest part's volume.
MIN_PART_SHARE = 0.1
MIN_BODY_VOXELS = 64

_NAMES: dict[ModalityKind, re.Pattern[str]] = {
    "CT": re.compile(r"(cb|ld|nc|ce|hr)?ct(a|p)?"),
    "PET": re.compile(r"pet\w*|suv\w*|fdg\w*|psma\w*|dotatate\w*|fet|fdopa"),
    "MR": re.compile(
        r"mri?\w*|t1\w*|t2\w*|flair\w*|dwi\w*|adc\w*|swi\w*|pdw?|stir\w*|dce\w*|asl\w*|tof\w*|dti\w*"
        r"|fa"
    ),
}


@dataclass(frozen=True)
class NormalizedImage:
    """One modality of one case with comparable intensities.

    Attributes:
        values: Normalized intensities, unitless, shape `(K, J, I)`, 0 where not covered.
        body: Where this modality sees the body, shape `(K, J, I)`.
        kind: The rule that was used; differs from the one asked for when `kind_problem` spoke up.
    """

    values: Float32Array
    body: MaskArray
    kind: ModalityKind


def modality_kind(modality: str) -> ModalityKind:
    """Tell from a modality's name which normalization suits it; `OTHER` if the name is unknown."""
    tokens = [token for token in re.split(r"[^a-z0-9]+", modality.lower()) if token]
    fitting = (kind for kind, names in _NAMES.items() if any(map(names.fullmatch, tokens)))
    return next(fitting, "OTHER")


def kind_problem(array: Float32Array, coverage: MaskArray, kind: ModalityKind) -> str | None:
    """Say why the values cannot be in the unit that the kind stands for; `None` if they can.

    CT is expected in HU, PET in SUV. Values that span less than 100 HU between their 1st and 99th
    percentile are no CT of a body; a tenth of the voxels above 800 and next to none below -200 HU
    are raw values, whose zero is air. A 99th percentile beyond SUV 150 is an activity in Bq/ml.
    """
    low, tenth, ninetieth, high = np.percentile(array[coverage], (1.0, 10.0, 90.0, 99.0))
    if kind == "CT" and high - low < 100.0:
        return f"Expected Hounsfield units, found only values from {low:.4g} to {high:.4g}"
    if kind == "CT" and tenth > -200.0 and ninetieth > 800.0:
        return f"Expected Hounsfield units, found mostly values from {tenth:.4g} to {ninetieth:.4g}"
    if kind == "PET" and high > 150.0:
        return f"Expected standardized uptake values (SUV), found values up to {high:.4g}"
    return None


def normalize(array: Float32Array, coverage: MaskArray, *, kind: ModalityKind) -> NormalizedImage:
    """Make the intensities of one modality comparable between cases.

    CT: fixed piecewise-linear curve `CT_HU` to `CT_VALUES`. PET: `asinh(SUV)`, SUV clipped to 0
    to 60. MR and OTHER: robust z-score `(value - median) / ((p90 - p10) / 2.563)` with the
    percentiles inside the body, clipped to +-6.

    Args:
        array: Intensities on the working grid, finite, shape `(K, J, I)`.
        coverage: Where the image has voxels, same shape, at least one voxel.
        kind: Which rule to use.

    Raises:
        ValueError: If the image is constant inside the body.
    """
    body = body_mask(array, coverage, kind=kind)
    values: FloatingArray
    if kind == "CT":
        values = np.interp(array, CT_HU, CT_VALUES)
    elif kind == "PET":
        values = np.arcsinh(np.clip(array, 0.0, PET_MAX_SUV))
    else:
        values = _robust_z(array, body)
    return NormalizedImage(np.where(coverage, values, 0.0).astype(np.float32), body, kind)


def body_mask(array: Float32Array, coverage: MaskArray, *, kind: ModalityKind) -> MaskArray:
    """Find the body (or the skull-stripped brain) in one modality.

    A threshold separates air from tissue (CT: -300 HU, PET: SUV 0.15, else 20 % of the median of
    the bright class of an Otsu split, so that the fat-muscle split of a tight crop does no harm).
    Then: opening by one voxel, parts of at least a tenth of the largest, holes filled in every K
    slice. Where a crop shows no air at all, everything covered is body.

    Args:
        array: Intensities, shape `(K, J, I)`.
        coverage: Where the image has voxels, same shape.
        kind: Decides the threshold.
    """
    tissue = (array > _air_threshold(array[coverage], kind)) & coverage
    if tissue.sum() < MIN_BODY_VOXELS:
        return coverage.copy()
    image = sitk.GetImageFromArray(tissue.astype(np.uint8))
    opened = sitk.BinaryMorphologicalOpening(image, [1, 1, 1], sitk.sitkBall)
    is_enough = sitk.GetArrayViewFromImage(opened).sum() >= MIN_BODY_VOXELS
    parts = _large_parts(opened if is_enough else image)
    return _fill_holes(parts) & coverage


def joint_body(bodies: list[MaskArray], coverages: list[MaskArray]) -> MaskArray:
    """Vote: body is where at least half of the modalities that cover a voxel see body."""
    votes = np.sum(bodies, axis=0, dtype=np.int16)
    voters = np.sum(coverages, axis=0, dtype=np.int16)
    return np.asarray((2 * votes >= voters) & (votes > 0))


def _air_threshold(values: Float32Array, kind: ModalityKind) -> float:
    if kind == "CT":
        return CT_BODY_HU
    if kind == "PET":
        return PET_BODY_SUV
    low, high = np.percentile(values, (0.5, 99.5))
    clipped = np.clip(values, low, high)
    bright = clipped[clipped > _otsu(clipped)]
    typical = float(np.median(bright)) if bright.size else float(high)
    air = min(float(low), 0.0)  # no signal is 0; only images scaled by others go below
    return air + AIR_SHARE * (typical - air)


def _otsu(values: Float32Array, n_bins: int = 128) -> float:
    """Threshold of the largest variance between the two classes (Otsu, 1979)."""
    counts, edges = np.histogram(values, bins=n_bins)
    centers = (edges[1:] + edges[:-1]) / 2
    weight = np.cumsum(counts)[:-1].astype(np.float64)
    total, moment = float(counts.sum()), np.cumsum(counts * centers)
    difference = moment[:-1] * total - moment[-1] * weight
    between = difference**2 / np.maximum(weight * (total - weight), 1.0)
    return float(edges[1:-1][np.argmax(between)])


def _robust_z(array: Float32Array, body: MaskArray) -> Float32Array:
    """Robust z-score inside the body; the whole range serves where 80 % have a single value."""
    inside = array[body].astype(np.float64)
    low, high = np.percentile(inside, SPREAD_PERCENTILES)
    if low == high:
        low, high = inside.min(), inside.max()
    if low == high:
        msg = "The image has a single value inside the body."
        raise ValueError(msg)
    scaled = (array - np.median(inside)) * (SPREAD_TO_SD / (high - low))
    return np.asarray(np.clip(scaled, -MAX_Z, MAX_Z), dtype=np.float32)


def _large_parts(mask: sitk.Image) -> MaskArray:
    labels = sitk.GetArrayFromImage(sitk.ConnectedComponent(mask))
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.asarray((sizes >= MIN_PART_SHARE * sizes.max())[labels] & (labels > 0))


def _fill_holes(mask: MaskArray) -> MaskArray:
    """Fill what cannot reach the rim of its K slice; that includes holes enclosed in 3-D."""
    n_slices, height, width = mask.shape
    # Solid slices in between keep the slices apart, so that one labeling serves them all.
    background = np.zeros((2 * n_slices, height, width), dtype=np.uint8)
    background[::2] = ~mask
    parts = sitk.ConnectedComponent(sitk.GetImageFromArray(background))
    labels = sitk.GetArrayFromImage(parts)[::2]
    is_outside = np.zeros(int(labels.max()) + 1, dtype=bool)
    for rim in (labels[:, 0], labels[:, -1], labels[:, :, 0], labels[:, :, -1]):
        is_outside[rim.ravel()] = True
    is_outside[0] = False
    return np.asarray(~is_outside[labels])
