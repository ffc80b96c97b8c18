"""Files of segments as 3D Slicer writes them, for tests: names, values, layers, extents."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from MultimodalImagingLib.images.geometry import Grid

Segment = tuple[str, int, int]  # name, label value, layer


def save_segments(
    path: Path,
    layers: Sequence[npt.NDArray[np.generic]],
    segments: Sequence[Segment],
    grid: Grid,
    *,
    code: str = "SCT^85756007^Tissue",
) -> Path:
    """Write a segmentation file.

    Args:
        path: The file, `.seg.nrrd`.
        layers: Label values `(K, J, I)` per layer.
        segments: Name, label value and layer of every segment.
        grid: Where the voxels lie.
        code: Standard code of the type of all segments.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    axes = [grid.index_to_lps[:3, axis] for axis in range(3)]
    vectors = " ".join("(" + ",".join(repr(float(v)) for v in axis) + ")" for axis in axes)
    is_many = len(layers) > 1
    lines = [
        "NRRD0004",
        "type: unsigned char",
        f"dimension: {3 + is_many}",
        "space: left-posterior-superior",
        "sizes: " + (f"{len(layers)} " if is_many else "") + " ".join(map(str, grid.size)),
        "space directions: " + ("none " if is_many else "") + vectors,
        "kinds: " + ("list " if is_many else "") + "domain domain domain",
        "encoding: gzip",
        "space origin: (" + ",".join(repr(float(v)) for v in grid.origin_mm) + ")",
        "Segmentation_MasterRepresentation:=Binary labelmap",
    ]
    for index, (name, value, layer) in enumerate(segments):
        lines += [
            f"Segment{index}_ID:=Segment_{index + 1}",
            f"Segment{index}_Name:={name}",
            f"Segment{index}_LabelValue:={value}",
            f"Segment{index}_Layer:={layer}",
            f"Segment{index}_Tags:=TerminologyEntry:Segmentation~SCT^1^Any~{code}~^^~Anatomic~^^~^^|",
        ]
    voxels = np.stack(layers, axis=-1) if is_many else layers[0]
    header = ("\n".join(lines) + "\n\n").encode()
    path.write_bytes(header + gzip.compress(voxels.astype(np.uint8).tobytes(), mtime=0))
    return path
