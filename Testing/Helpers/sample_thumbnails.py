"""Draws the pictures of our samples for Slicer's module Sample Data, from the synthetic data alone.

python Testing/Helpers/sample_thumbnails.py

The public sample gets a card with words: no image of a person is part of CrossModal.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "MDALSelector"))
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QRect, Qt  # noqa: E402
from PySide6.QtGui import QColor, QFont, QGuiApplication, QImage, QPainter  # noqa: E402

from MDALSelectorLib.commands.sample import N_CASES, SEED  # noqa: E402
from MDALSelectorLib.synthetic_cohort import draw_factors, make_case  # noqa: E402
from MDALSelectorLib.synthetic_patient import make_patient  # noqa: E402
from MultimodalImagingLib.images.geometry import Volume, resample  # noqa: E402

ICONS = ROOT / "MDALSelector" / "Resources" / "Icons"
WIDTH, HEIGHT, TITLE = 260, 280, 20
Picture = npt.NDArray[np.uint8]
WINDOWS = {"PET": (8.0, 0.0), "CT": (-160.0, 240.0), "T1": (0.0, 1200.0)}
WORDS = ("Soft-tissue sarcoma", "PET · CT · T1", "", "a real patient", "CC BY 3.0", "4 MB download")


def gray(array: npt.NDArray[np.generic], low: float, high: float) -> Picture:
    """Return a slice as 8-bit RGB; `low` above `high` is dark on light."""
    share = np.clip((array.astype(np.float64) - low) / (high - low), 0, 1)
    return np.repeat((255 * share).astype(np.uint8)[..., None], 3, axis=2)


def middle(label: Volume) -> int:
    """Return the slice that holds most of a label."""
    return int(np.argmax((label.array > 0).sum(axis=(1, 2))))


def cohort_tiles() -> dict[str, Picture]:
    """The four sequences of a case of the sample cohort."""
    streams = np.random.SeedSequence(SEED).spawn(N_CASES)
    images, label = make_case(draw_factors(np.random.default_rng(streams[0])))
    slices = {name: volume.array[middle(label)] for name, volume in images.items()}
    return {name: gray(array, 0, np.percentile(array, 99.5)) for name, array in slices.items()}


def patient_tiles() -> dict[str, Picture]:
    """The three images of the patient on the grid of the CT, and PET over CT."""
    images, tumor = make_patient()
    number = middle(tumor)
    slices = {name: resample(volume, tumor.grid).array[number] for name, volume in images.items()}
    tiles = {name: gray(array, *WINDOWS[name]) for name, array in slices.items()}
    hot = np.clip(slices["PET"] / 8.0, 0, 1)[..., None]
    fused = (1 - hot) * tiles["CT"] + hot * np.array([255, 120, 0])
    return {**tiles, "PET + CT": fused.astype(np.uint8)}


def draw_tiles(tiles: dict[str, Picture]) -> QImage:
    """Draw four pictures in two rows, each with its name."""
    card = blank()
    painter = QPainter(card)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    painter.setFont(letters(12))
    painter.setPen(QColor("white"))
    side = (WIDTH // 2, HEIGHT // 2)
    for index, (name, tile) in enumerate(tiles.items()):
        x, y = index % 2 * side[0], index // 2 * side[1]
        data = np.ascontiguousarray(tile)
        rows, columns = data.shape[:2]
        image = QImage(data.data, columns, rows, 3 * columns, QImage.Format.Format_RGB888)
        room = QRect(x, y + TITLE, side[0], side[1] - TITLE)
        scale = min(room.width() / columns, room.height() / rows)
        place = QRect(0, 0, round(columns * scale), round(rows * scale))
        place.moveCenter(room.center())
        painter.drawImage(place, image)
        painter.drawText(QRect(x, y, side[0], TITLE), Qt.AlignmentFlag.AlignCenter, name)
    painter.end()
    return card


def draw_words(words: tuple[str, ...]) -> QImage:
    """Draw a card with one word below the other, the first one large."""
    card = blank()
    painter = QPainter(card)
    painter.setPen(QColor("white"))
    step = HEIGHT // (len(words) + 1)
    for index, word in enumerate(words):
        painter.setFont(letters(17 if index == 0 else 15))
        room = QRect(0, step // 2 + index * step, WIDTH, step)
        painter.drawText(room, Qt.AlignmentFlag.AlignCenter, word)
    painter.end()
    return card


def blank() -> QImage:
    """Return an empty dark card."""
    card = QImage(WIDTH, HEIGHT, QImage.Format.Format_RGB888)
    card.fill(QColor(24, 28, 34))
    return card


def letters(points: int) -> QFont:
    """Return the font of the cards."""
    return QFont("DejaVu Sans", points)


def main() -> int:
    """Write the pictures."""
    application = QGuiApplication.instance() or QGuiApplication([])
    cards = {
        "CrossModalCohort": draw_tiles(cohort_tiles()),
        "CrossModalPatient": draw_tiles(patient_tiles()),
        "CrossModalSarcoma": draw_words(WORDS),
    }
    for name, card in cards.items():
        card.save(str(ICONS / f"{name}.png"))
    del application
    return 0


if __name__ == "__main__":
    sys.exit(main())
