"""The files of a run's maps of local PMI, read back: where the modalities of a case fit least."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from MDALSelectorLib.selection.case_selection import CaseSelection
from MDALSelectorLib.selection.diagnostics import Pair
from MDALSelectorLib.selection.run_folder import map_places
from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.images.arrays import Float32Array, VoxelArray
from MultimodalImagingLib.images.geometry import Grid, is_same_grid
from MultimodalImagingLib.images.stored_image import ImageFile
from MultimodalImagingLib.images.volume_io import read_volume


def map_files(run: Path, selection: CaseSelection, case_id: str) -> dict[Pair, Path]:
    """Return the maps that a run has of a case, by pair; empty if it has none.

    Args:
        run: Folder of the run.
        selection: Its selection.
        case_id: The case.
    """
    case = next((case for case in selection.cases if case.case_id == case_id), None)
    if case is None or case.thumbnail is None:
        return {}
    places = map_places(case.thumbnail, selection.pairs)
    return {pair: run / place for pair, place in places.items() if (run / place).is_file()}


def read_disagreement(
    files: Mapping[Pair, Path], medians_nats: Mapping[Pair, float]
) -> tuple[Float32Array, Grid]:
    """Return how far the PMI of a case lies below the cohort's median, mean over pairs.

    Args:
        files: The maps of the pairs, at least one.
        medians_nats: Median PMI of these pairs, nats.

    Returns:
        Nats, `(K, J, I)`, NaN outside of the body; and the grid.

    Raises:
        CohortError: If the maps lie on different grids.
        CrossModalError: If a file cannot be read.
    """
    maps = {pair: read_volume(ImageFile(path)) for pair, path in files.items()}
    first = next(iter(maps.values()))
    if not all(is_same_grid(first.grid, volume.grid) for volume in maps.values()):
        folder = next(iter(files.values())).parent
        msg = (
            f"Expected maps of one case on one grid in {folder}, found several. They were changed"
            " after the run: run the selection again."
        )
        raise CohortError(msg)
    values = {pair: _known(volume.array) for pair, volume in maps.items()}
    found = mean_difference(values, medians_nats)
    if found is None:
        msg = "Expected at least one map, got none."
        raise ValueError(msg)
    return found, first.grid


def mean_difference(
    maps: Mapping[Pair, Float32Array], medians_nats: Mapping[Pair, float]
) -> Float32Array | None:
    """Return the median minus the PMI, mean over the pairs known at each position, nats."""
    if not maps:
        return None
    below = np.stack([medians_nats[pair] - values for pair, values in maps.items()])
    known = np.isfinite(below)
    number = known.sum(axis=0)
    total = np.sum(below, axis=0, where=known)
    mean = np.where(number > 0, total / np.maximum(number, 1), np.nan)
    return np.asarray(mean, dtype=np.float32)


def _known(values: VoxelArray) -> Float32Array:
    """Mark what lies outside of the body, where files of maps hold 0."""
    return np.where(values != 0, values, np.nan).astype(np.float32)
