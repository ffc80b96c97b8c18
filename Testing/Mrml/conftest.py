"""Fixtures for tests on Slicer's own MRML libraries, without the application and without Qt."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from importlib.util import find_spec

import numpy as np
import pytest

slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")
if "slicer.i18n" not in sys.modules and find_spec("slicer.i18n") is None:
    # The libraries come without the application's translations.
    i18n = types.ModuleType("slicer.i18n")
    i18n.tr = str
    sys.modules["slicer.i18n"] = i18n

from MultimodalImagingLib.images.geometry import Grid, Volume  # noqa: E402


@pytest.fixture
def scene() -> Iterator[slicer.vtkMRMLScene]:
    """An empty scene with the logics that nodes need."""
    scene = slicer.vtkMRMLScene()
    slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene)
    segmentations = slicer.vtkSlicerSegmentationsModuleLogic()  # knows how segments are converted
    segmentations.SetMRMLScene(scene)
    yield scene
    scene.Clear(1)


@pytest.fixture
def oblique_grid() -> Grid:
    """Anisotropic voxels on rotated axes, away from the origin."""
    matrix, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))
    matrix *= np.sign(np.linalg.det(matrix))
    return Grid((9, 8, 7), (1.0, 1.5, 3.0), (12.0, -40.0, 25.0), tuple(matrix.ravel().tolist()))


@pytest.fixture
def oblique_volume(oblique_grid: Grid) -> Volume:
    """Smooth values, so that interpolation errors stay small."""
    k, j, i = np.indices(oblique_grid.array_shape)
    values = np.sin(i / 3.0) + np.cos(j / 4.0) + k / 5.0
    return Volume(values.astype(np.float32), oblique_grid)
