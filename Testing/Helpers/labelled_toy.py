"""A small labeled cohort in which the labels of two thirds of the cases help and others harm."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from phantoms import save_nifti

MODALITIES = ("t1", "t2")
SIZE = 20


def toy_cohort(folder: Path, *, n_cases: int = 24, n_visits: int = 1) -> Path:
    """Write a CSV manifest with the column `score`, which is high for cases whose labels are right.

    The target is bright in both images. Every third case has all of the body but the target marked.

    Args:
        folder: Where to write.
        n_cases: Number of cases.
        n_visits: Cases per patient.

    Returns:
        The manifest.
    """
    rows = ["case,patient,t1,t2,label,score"]
    for number in range(n_cases):
        name = f"case{number:02d}"
        is_right = number % 3 != 2
        images, body, target = _toy_case(number)
        label = target if is_right else body & ~target
        paths = [save_nifti(folder / name / f"{m}.nii.gz", images[m]) for m in MODALITIES]
        paths.append(save_nifti(folder / name / "seg.nii.gz", label.astype(np.uint8)))
        score = 10.0 + number if is_right else float(number)
        places = ",".join(str(path) for path in paths)
        rows.append(f"{name},patient{number // n_visits},{places},{score}")
    manifest = folder / "cases.csv"
    manifest.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return manifest


def _toy_case(number: int) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    generator = np.random.default_rng([7, number])
    places = np.stack(np.meshgrid(*[np.linspace(-1, 1, SIZE)] * 3, indexing="ij"))
    body = (places**2).sum(axis=0) < 0.9
    center = generator.uniform(-0.35, 0.35, size=3)[:, None, None, None]
    target = (((places - center) ** 2).sum(axis=0) < 0.09) & body
    images = {}
    for scale, modality in zip((300.0, 500.0), MODALITIES, strict=True):
        image = scale * body + 0.8 * scale * target
        noise = generator.normal(0, 0.08 * scale, size=body.shape)
        images[modality] = np.maximum(image + noise * body, 0).astype(np.float32)
    return images, body, target
