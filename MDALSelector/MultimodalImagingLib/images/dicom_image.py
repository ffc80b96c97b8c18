"""The voxels of a DICOM volume, read by SimpleITK (GDCM) slice by slice.

GDCM applies slope and intercept of every file. Of a file of several frames it applies those of the
first frame to all, so what differs is made good here.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813

from MultimodalImagingLib.images.arrays import VoxelArray
from MultimodalImagingLib.images.geometry import Grid
from MultimodalImagingLib.record.series_file import SeriesFile, read_series_file, slice_files


def series_grid(path: Path) -> Grid:
    """Return where the voxels of a DICOM volume lie.

    Raises:
        OSError: If the file that names its slices cannot be opened.
        ValueError: If it cannot be used; the text is the end of "found ...".
    """
    series = read_series_file(path)
    return Grid(series.size, series.spacing_mm, series.origin_mm, series.direction)


def read_series_voxels(path: Path) -> VoxelArray:
    """Read the voxels `(K, J, I)`: whole numbers as stored, all else as float32.

    Raises:
        OSError: If the file that names the slices cannot be opened.
        ValueError: If a slice cannot be read; the text is the end of "found ...".
    """
    series = read_series_file(path)
    numbers: dict[str, list[int]] = {}
    for k, name in enumerate(series.files):
        numbers.setdefault(name, []).append(k)
    slices: dict[int, VoxelArray] = {}
    for file, ks in zip(slice_files(path), numbers.values(), strict=True):
        frames = _read(file, ks[0], len(series.files))
        for k in ks:
            slices[k] = _frame(frames, series, k)
    stack = np.stack([slices[k] for k in range(len(series.files))])
    if series.factor != 1.0:
        stack = stack.astype(np.float64) * series.factor
    return stack.astype(np.float32) if stack.dtype.kind == "f" else stack


def _read(file: Path, k: int, n_slices: int) -> VoxelArray:
    """Read all frames of a file; its name may be that of the patient and is not told."""
    if not file.is_file():
        msg = f"no file of slice {k + 1} of {n_slices}, which was there when it was inspected"
        raise ValueError(msg)
    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(str(file))
    try:
        return np.asarray(sitk.GetArrayFromImage(reader.Execute()))
    except RuntimeError as error:
        msg = f"slice {k + 1} of {n_slices} that cannot be read (truncated or damaged)"
        raise ValueError(msg) from error


def _frame(frames: VoxelArray, series: SeriesFile, k: int) -> VoxelArray:
    frame = series.frames[k]
    expected = series.size[1::-1]
    if frames.ndim != 3 or len(frames) <= frame or frames.shape[1:] != expected:
        shape = "x".join(str(n) for n in frames.shape)
        msg = f"slice {k + 1} with {shape} values in place of {expected[0]}x{expected[1]}"
        raise ValueError(msg)
    if not series.rescale:
        return np.asarray(frames[frame])
    factor, added = series.rescale[k]
    return np.asarray(frames[frame].astype(np.float64) * factor + added)
