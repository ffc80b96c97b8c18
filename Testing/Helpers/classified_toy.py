"""A small cohort whose class shows in the images: on which side of the body a target lies."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from phantoms import save_nifti

MODALITIES = ("t1", "t2")
SIZE = 20
NAMES = ("left", "right")


def true_class(number: int) -> str:
    """Return the class of a case by its number: two of every four are right, in changing order."""
    return NAMES[(number // 2 + number) % 2]


def classified_toy(folder: Path, classes: Sequence[str], *, sites: Sequence[str] = ()) -> Path:
    """Write a CSV manifest with the column `class`.

    Args:
        folder: Where to write.
        classes: What the manifest says of every case; empty for nothing.
        sites: Column `site`; left out if empty.

    Returns:
        The manifest.
    """
    rows = ["case,t1,t2,class" + (",site" if sites else "")]
    for number, name in enumerate(classes):
        case = f"case{number:02d}"
        images = _images(number, true_class(number))
        paths = [save_nifti(folder / case / f"{m}.nii.gz", images[m]) for m in MODALITIES]
        cells = [case, *map(str, paths), name, *([sites[number]] if sites else [])]
        rows.append(",".join(cells))
    manifest = folder / "cases.csv"
    manifest.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return manifest


def _images(number: int, name: str) -> dict[str, np.ndarray]:
    generator = np.random.default_rng([11, number])
    places = np.stack(np.meshgrid(*[np.linspace(-1, 1, SIZE)] * 3, indexing="ij"))
    body = (places**2).sum(axis=0) < 0.9
    center = generator.uniform(-0.2, 0.2, size=3)
    center[2] = 0.4 if name == "right" else -0.4
    distance = ((places - center[:, None, None, None]) ** 2).sum(axis=0)
    target = (distance < generator.uniform(0.06, 0.12)) & body
    images = {}
    for scale, modality in zip((300.0, 500.0), MODALITIES, strict=True):
        noise = generator.normal(0, 0.1 * scale, size=body.shape)
        image = scale * (1 + 0.2 * generator.normal()) * body + 0.6 * scale * target
        images[modality] = np.maximum(image + noise * body, 0).astype(np.float32)
    return images
