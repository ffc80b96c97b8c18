"""Tiny multimodal phantoms, and files of them with headers of every kind, for situations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import nibabel
import numpy as np
import numpy.typing as npt
import SimpleITK as sitk  # noqa: N813

Array = npt.NDArray[np.generic]
MR = ("T1", "T1c", "T2", "FLAIR")
AFFINE = np.array(
    [[-4.0, 0, 0, 62.0], [0, -4.0, 0, 62.0], [0, 0, 4.0, -60.0], [0, 0, 0, 1.0]]
)  # 4 mm, LPS axes
# Mean intensities of body, white matter, edema, enhancing tumor, core.
_MR_MEANS = {
    "T1": (300, 450, 260, 280, 200),
    "T1c": (300, 450, 260, 800, 180),
    "T2": (400, 250, 650, 550, 700),
    "FLAIR": (350, 280, 700, 600, 300),
    "ADC": (800, 700, 1300, 900, 1800),
    "HBV": (200, 180, 250, 400, 150),
}
_CT_MEANS, _CT_AIR = (20, 40, 60, 60, 60), -1000.0
_PET_MEANS = (1.0, 1.5, 4.0, 8.0, 4.0)


def phantom(
    seed: int, *, n: int = 24, kinds: Sequence[str] = MR
) -> tuple[dict[str, Array], npt.NDArray[np.uint8]]:
    """Make the images of one case, axes `(I, J, K)`.

    Returns:
        Array per kind, and a label map: 1 core, 2 edema, 4 enhancing tumor.
    """
    rng = np.random.default_rng(seed)
    x, y, z = np.meshgrid(*[np.linspace(-1, 1, n)] * 3, indexing="ij")
    a, b, c = rng.uniform(0.65, 0.85, 3)
    body = (x / a) ** 2 + (y / b) ** 2 + (z / c) ** 2 < 1
    white = ((x / 0.45) ** 2 + (y / 0.5) ** 2 + (z / 0.45) ** 2 < 1) & body
    p, q, r = rng.uniform(-0.3, 0.3, 3)
    distance = np.sqrt((x - p) ** 2 + (y - q) ** 2 + (z - r) ** 2)
    size = rng.uniform(0.24, 0.36)
    label = np.zeros((n, n, n), np.uint8)
    for share, value in ((1.0, 2), (0.7, 4), (0.4, 1)):
        label[(distance < share * size) & body] = value
    places = (body, white, label == 2, label == 4, label == 1)
    images = {kind: _image(kind, places, rng) for kind in kinds}
    return images, label


def _image(kind: str, places: Sequence[npt.NDArray[np.bool_]], rng: np.random.Generator) -> Array:
    if kind == "CT":
        ct = _filled(_CT_MEANS, places, _CT_AIR) + rng.normal(0, 8, places[0].shape)
        return np.round(ct).astype(np.int16)
    if kind == "PET":
        pet = _filled(_PET_MEANS, places, 0.0) + rng.normal(0, 0.1, places[0].shape)
        return np.maximum(pet, 0).astype(np.float32)
    image = _filled(_MR_MEANS[kind], places, 0.0)
    noise = rng.normal(0, 12, image.shape) * places[0] + rng.normal(0, 2, image.shape)
    return np.maximum((image + noise) * rng.uniform(0.9, 1.1), 0).astype(np.float32)


def _filled(
    means: Sequence[float], places: Sequence[npt.NDArray[np.bool_]], outside: float
) -> npt.NDArray[np.float64]:
    image = np.full(places[0].shape, outside)
    for mean, place in zip(means, places, strict=True):
        image[place] = mean
    return image


def save_nifti(
    path: Path,
    array: Array,
    *,
    affine: npt.NDArray[np.float64] = AFFINE,
    sform_code: int = 1,
    qform_code: int = 1,
) -> Path:
    """Write an array `(I, J, K)` as NIfTI, its folder too; `affine` is RAS mm."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nibabel.Nifti1Image(array, affine, dtype=array.dtype)
    image.set_sform(affine, sform_code)
    image.set_qform(affine, qform_code)
    image.header.set_xyzt_units("mm")
    nibabel.save(image, str(path))
    return path


def save_itk(
    path: Path, array: Array, *, affine: npt.NDArray[np.float64] = AFFINE, compress: bool = True
) -> Path:
    """Write an array `(I, J, K)` through SimpleITK, for example as `.mha` or `.nrrd`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = sitk.GetImageFromArray(np.ascontiguousarray(array.transpose(2, 1, 0)))
    lps = np.diag([-1, -1, 1, 1.0]) @ affine
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(lps[:3, 3].tolist())
    image.SetDirection((lps[:3, :3] / spacing).ravel().tolist())
    sitk.WriteImage(image, str(path), compress)
    return path


def save_case(
    folder: Path, seed: int, names: Mapping[str, str], *, label: str | None = "seg.nii.gz"
) -> npt.NDArray[np.uint8]:
    """Write a case: kind of image to file name, and the label map; returns the label map."""
    images, values = phantom(seed, kinds=tuple(names))
    for kind, name in names.items():
        save_nifti(folder / name, images[kind])
    if label is not None:
        save_nifti(folder / label, values)
    return values


def plain_cohort(folder: Path, *, n_cases: int = 8, kinds: Sequence[str] = MR) -> Path:
    """Write a cohort with nothing odd about it: `caseNN/<kind>.nii.gz` and `seg.nii.gz`."""
    for seed in range(n_cases):
        save_case(
            folder / f"case{seed:02d}", seed, {kind: f"{kind.lower()}.nii.gz" for kind in kinds}
        )
    return folder
