"""A synthetic cohort of brain-like phantoms with tumors, for demonstrations and tests.

Every case has *shared factors* (head shape, ventricle size, lesion place, size and composition),
which all four modalities show, and *private factors* (bias field and texture of each modality, of a
strength that differs between cases), which one modality shows alone. Cases with strong private
factors have the largest modality difference. `factors.csv` beside the cohort is the answer key.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813

from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.images.arrays import Float32Array, MaskArray
from MultimodalImagingLib.images.geometry import Grid, Volume, image_from_volume
from MultimodalImagingLib.jobs.progress import NullReporter, Reporter
from MultimodalImagingLib.record.atomic_files import atomic_path, write_text
from MultimodalImagingLib.record.ownership import is_free

MODALITIES = ("T1", "T1c", "T2", "FLAIR")
LABELS = {"necrosis": 1, "edema": 2, "enhancing": 4}
# Relative brightness of each tissue per modality; the order of contrasts is that of clinical MR.
BRIGHTNESS = {
    "csf": (0.25, 0.25, 1.00, 0.20),
    "gray": (0.55, 0.60, 0.70, 0.75),
    "white": (0.80, 0.82, 0.50, 0.60),
    "edema": (0.50, 0.52, 0.90, 1.10),
    "necrosis": (0.35, 0.35, 0.95, 0.50),
    "enhancing": (0.60, 1.40, 0.75, 0.90),
}
SPACING_MM = 3.0
SIZE = (52, 64, 48)


@dataclass(frozen=True)
class Factors:
    """What a phantom is made from.

    Attributes:
        head_mm: Radii of the head along x, y, z, mm.
        ventricle_scale: Size of the ventricles relative to the mean, unitless.
        lesion_center: Lesion center relative to the head radii, shape `(3,)`.
        lesion_mm: Radius of the solid part of the lesion, mm.
        necrotic_share: Radius of the necrosis relative to the solid part, 0 to 1.
        edema_mm: Width of the edema, mm.
        private_shares: Strength of each modality's private factors relative to tissue contrast.
        noise_seed: Seed of the textures and of the noise.
    """

    head_mm: tuple[float, float, float]
    ventricle_scale: float
    lesion_center: tuple[float, float, float]
    lesion_mm: float
    necrotic_share: float
    edema_mm: float
    private_shares: tuple[float, ...]
    noise_seed: int

    @property
    def private_share(self) -> float:
        """Mean strength of the private factors: the answer key of the modality difference."""
        return sum(self.private_shares) / len(self.private_shares)


def draw_factors(generator: np.random.Generator) -> Factors:
    """Draw the factors of one case."""
    direction = generator.normal(size=3)
    direction *= generator.uniform(0.25, 0.55) / np.linalg.norm(direction)
    head = generator.normal((64.0, 82.0, 58.0), (3.0, 4.0, 3.0))
    return Factors(
        head_mm=(float(head[0]), float(head[1]), float(head[2])),
        ventricle_scale=float(generator.uniform(0.6, 1.8)),
        lesion_center=(float(direction[0]), float(direction[1]), float(direction[2])),
        lesion_mm=float(generator.uniform(9.0, 20.0)),
        necrotic_share=float(generator.uniform(0.3, 0.75)),
        edema_mm=float(generator.uniform(4.0, 16.0)),
        private_shares=tuple(generator.beta(0.6, 1.4, size=len(MODALITIES)).tolist()),
        noise_seed=int(generator.integers(2**31)),
    )


def phantom_grid() -> Grid:
    """Return the grid of every phantom: LPS axes, isotropic, centered on the origin."""
    x, y, z = (-SPACING_MM * (n - 1) / 2 for n in SIZE)
    return Grid(SIZE, (SPACING_MM,) * 3, (x, y, z), tuple(np.eye(3).ravel()))


def make_case(factors: Factors) -> tuple[dict[str, Volume], Volume]:
    """Make the images and the label map of one case.

    Args:
        factors: The factors of the case.

    Returns:
        Image per modality (float32, 0 outside the head) and the label map (uint8, values `LABELS`).
    """
    generator = np.random.default_rng(factors.noise_seed)
    grid = phantom_grid()
    brain, tissue = _tissues(factors, generator)
    images = {
        modality: Volume(_render(brain, tissue, index, factors, generator), grid)
        for index, modality in enumerate(MODALITIES)
    }
    label = np.zeros(grid.array_shape, dtype=np.uint8)
    for name, value in LABELS.items():
        label[tissue[name] > 0.5] = value
    return images, Volume(label, grid)


def _tissues(
    factors: Factors, generator: np.random.Generator
) -> tuple[MaskArray, dict[str, Float32Array]]:
    """Paint the tissues from the outside inwards; each is a soft membership `(K, J, I)`."""
    position = _positions_mm() + 2.5 * np.stack([_smooth_field(generator, 12.0) for _ in range(3)])
    head = np.asarray(factors.head_mm).reshape(3, 1, 1, 1)
    radius = np.sqrt(((position / head) ** 2).sum(axis=0))
    brain = radius < 1.0
    folds = radius + 0.05 * _smooth_field(generator, 5.0)
    ventricle = _ventricles(position, factors.ventricle_scale)
    center = np.asarray(factors.lesion_center).reshape(3, 1, 1, 1) * head
    distance = np.sqrt(((position - center) ** 2).sum(axis=0)) + 2.0 * _smooth_field(generator, 8.0)
    lesion, core = factors.lesion_mm, factors.lesion_mm * factors.necrotic_share
    painted = [
        ("white", brain),
        ("gray", brain & ((folds > 0.82) | (np.abs(folds - 0.36) < 0.05))),
        ("csf", brain & ventricle),
        ("edema", brain & (distance < lesion + factors.edema_mm)),
        ("enhancing", brain & (distance < lesion)),
        ("necrosis", brain & (distance < core)),
    ]
    label = np.full(brain.shape, -1)
    for index, (_, mask) in enumerate(painted):
        label[mask] = index
    return brain, {name: (label == i).astype(np.float32) for i, (name, _) in enumerate(painted)}


def _render(
    brain: MaskArray,
    tissue: dict[str, Float32Array],
    modality: int,
    factors: Factors,
    generator: np.random.Generator,
) -> Float32Array:
    """Turn tissues into one modality's image and add what only this modality shows."""
    image = sum(BRIGHTNESS[name][modality] * membership for name, membership in tissue.items())
    private = 0.5 * _smooth_field(generator, 7.0) + _smooth_field(generator, 18.0)
    image = image * np.exp(0.06 * _smooth_field(generator, 40.0))
    image = image + 0.35 * factors.private_shares[modality] * private
    image = _smooth(np.asarray(image, dtype=np.float32), 0.6 * SPACING_MM)
    image = image + generator.normal(0.0, 0.035, image.shape).astype(np.float32)
    scale = generator.uniform(300.0, 900.0)  # MR has no unit: every scan has its own scale
    return np.where(brain, np.clip(image, 0.02, None) * scale, 0.0).astype(np.float32)


def _ventricles(position: Float32Array, scale: float) -> MaskArray:
    mask = np.zeros(position.shape[1:], dtype=bool)
    for side in (-1.0, 1.0):
        offset = position - np.array([side * 11.0, 4.0, 8.0]).reshape(3, 1, 1, 1)
        radii = np.array([6.0, 24.0, 9.0]).reshape(3, 1, 1, 1) * scale ** (1 / 2)
        mask |= ((offset / radii) ** 2).sum(axis=0) < 1.0
    return mask


def _positions_mm() -> Float32Array:
    """LPS positions of all voxels, mm, shape `(3, K, J, I)`."""
    axes = [(np.arange(n) - (n - 1) / 2) * SPACING_MM for n in SIZE]
    z, y, x = np.meshgrid(axes[2], axes[1], axes[0], indexing="ij")
    return np.stack([x, y, z]).astype(np.float32)


def _smooth_field(generator: np.random.Generator, sigma_mm: float) -> Float32Array:
    """Gaussian random field of unit variance, shape `(K, J, I)`, correlation length in mm."""
    noise = generator.normal(size=(SIZE[2], SIZE[1], SIZE[0])).astype(np.float32)
    field = _smooth(noise, sigma_mm)
    return np.asarray((field - field.mean()) / field.std(), dtype=np.float32)


def _smooth(array: Float32Array, sigma_mm: float) -> Float32Array:
    image = sitk.GetImageFromArray(array)
    image.SetSpacing((SPACING_MM, SPACING_MM, SPACING_MM))
    return np.asarray(
        sitk.GetArrayFromImage(sitk.SmoothingRecursiveGaussian(image, sigma_mm)), dtype=np.float32
    )


def write_cohort(
    folder: Path,
    *,
    n_cases: int,
    seed: int,
    few_faults: bool = False,
    reporter: Reporter | None = None,
) -> Path:
    """Write a cohort of BraTS-like case folders, with reference labels and answer key beside it.

    A few cases have what real cohorts have: two whose FLAIR is the other's, one whose T2 is 15 mm
    off, three that lack T1.

    Args:
        folder: Receives `cohort/<case>/<case>_<modality>.nii.gz`, `reference/<case>.nii.gz` and
            `factors.csv`.
        n_cases: Number of cases, at least 12.
        seed: Same seed, same cohort.
        few_faults: Whether there are two of these faults only: T2 that is off, and one T1 missing.
        reporter: Notified of every case.

    Returns:
        The cohort's folder.

    Raises:
        ValueError: If `n_cases` is below 12.
        UsageError: If something is there already.
    """
    if n_cases < 12:
        msg = f"Expected at least 12 cases to place the known faults in, got {n_cases}."
        raise ValueError(msg)
    places = [folder / name for name in ("cohort", "reference", "factors.csv")]
    taken = [path for path in places if not is_free(path)]
    if taken:
        msg = f"{taken[0]} exists already and was left as it is. Give a new or empty folder."
        raise UsageError(msg)
    streams = np.random.SeedSequence(seed).spawn(n_cases)
    all_factors = [draw_factors(np.random.default_rng(stream)) for stream in streams]
    names = [f"case-{index + 1:03d}" for index in range(n_cases)]
    faults = _faults(names, few=few_faults)
    progress = reporter or NullReporter()
    progress.stage("Make cases", n_cases)
    for index, (name, factors) in enumerate(zip(names, all_factors, strict=True)):
        images, label = make_case(factors)
        if faults.get(name, "").startswith("FLAIR of"):
            other = names.index(faults[name].split()[-1])
            images["FLAIR"] = make_case(all_factors[other])[0]["FLAIR"]
        if faults.get(name) == "T2 is 15 mm off":
            images["T2"] = _shifted(images["T2"], 15.0)
        if faults.get(name) == "lacks T1":
            del images["T1"]
        _write_case(folder, names[index], images, label)
        progress.advance()
    write_text(folder / "factors.csv", _factors_csv(names, all_factors, faults))
    return folder / "cohort"


def _faults(names: Sequence[str], *, few: bool) -> dict[str, str]:
    faults = {names[10]: "T2 is 15 mm off", names[1]: "lacks T1"}
    if few:
        return faults
    return faults | {
        names[3]: f"FLAIR of {names[7]}",
        names[7]: f"FLAIR of {names[3]}",
        names[5]: "lacks T1",
        names[-1]: "lacks T1",
    }


def _shifted(volume: Volume, shift_mm: float) -> Volume:
    steps = round(shift_mm / SPACING_MM)
    return Volume(np.roll(volume.array, steps, axis=2), volume.grid)


def _write_case(folder: Path, name: str, images: dict[str, Volume], label: Volume) -> None:
    for modality, volume in images.items():
        path = folder / "cohort" / name / f"{name}_{modality.lower()}.nii.gz"
        _write(path, Volume(np.asarray(volume.array, dtype=np.int16), volume.grid))
    _write(folder / "reference" / f"{name}.nii.gz", label)


def _write(path: Path, volume: Volume) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        sitk.WriteImage(image_from_volume(volume), str(temporary), useCompression=True)


def _factors_csv(names: Sequence[str], factors: Sequence[Factors], faults: dict[str, str]) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    columns = ("private_share", "lesion_mm", "edema_mm", "necrotic_share", "ventricle_scale")
    writer.writerow(["case", *columns, "known fault"])
    for name, item in zip(names, factors, strict=True):
        values = [f"{getattr(item, column):.4f}" for column in columns]
        writer.writerow([name, *values, faults.get(name, "")])
    return text.getvalue()


def main(arguments: Sequence[str] | None = None) -> int:
    """Write a synthetic cohort from the command line and name its folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where to write cohort/, reference/, factors.csv")
    parser.add_argument("--cases", type=int, default=36, help="number of cases (default 36)")
    parser.add_argument("--seed", type=int, default=0, help="same seed, same cohort (default 0)")
    options = parser.parse_args(arguments)
    try:
        cohort = write_cohort(options.folder, n_cases=options.cases, seed=options.seed)
    except UsageError as error:
        parser.error(str(error))
    sys.stdout.write(f"{options.cases} synthetic cases in {cohort}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
