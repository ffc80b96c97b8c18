"""The share folder of the host: color tables, written at start."""

from __future__ import annotations

import colorsys
from pathlib import Path

ANCHORS = {
    "Viridis": "440154 482475 414487 355f8d 2a788e 21918c 22a884 44bf70 7ad151 bddf26 fde725",
    "Inferno": "000004 160b39 420a68 6a176e 932667 bc3754 dd513a f37819 fca50a f6d746 fcffa4",
    "Magma": "000004 140e36 3b0f70 641a80 8c2981 b73779 de4968 f7705c fe9f6d fecf92 fcfdbf",
    "Plasma": "0d0887 41049d 6a00a8 8f0da4 b12a90 cc4778 e16462 f2844b fca636 fcce25 f0f921",
    "Cividis": "00224e 123570 3b496c 575d6d 707173 8a8678 a59c74 c3b369 e1cc55 fee838",
    "DivergingBlueRed": "3b4cc0 6f92f3 aac7fd dddddd f7b89c e7745b b40426",
}
DISCRETE = ("GenericColors", "GenericAnatomyColors", "Slicer3_2010_Label_Colors")


def write(folder: Path) -> None:
    """Write the files that the logic of Colors reads at start."""
    colors = folder / "ColorFiles"
    colors.mkdir(parents=True, exist_ok=True)
    for name, anchors in ANCHORS.items():
        (colors / f"{name}.txt").write_text(_continuous(anchors.split()))
    for name in DISCRETE:
        (colors / f"{name}.txt").write_text(_discrete())


def _continuous(anchors: list[str]) -> str:
    points = [[int(text[at : at + 2], 16) for at in (0, 2, 4)] for text in anchors]
    lines = []
    for index in range(256):
        position = index / 255 * (len(points) - 1)
        left = min(int(position), len(points) - 2)
        ends = zip(points[left], points[left + 1], strict=True)
        rgb = [round(a + (position - left) * (b - a)) for a, b in ends]
        lines.append(f"{index} {index} {rgb[0]} {rgb[1]} {rgb[2]} 255")
    return "\n".join(lines) + "\n"


def _discrete() -> str:
    lines = ["0 Background 0 0 0 0"]
    for index in range(1, 128):
        rgb = colorsys.hsv_to_rgb(0.618034 * index % 1, 0.55 + 0.35 * (index % 2), 0.9)
        lines.append(f"{index} {index} {' '.join(str(round(255 * part)) for part in rgb)} 255")
    return "\n".join(lines) + "\n"
