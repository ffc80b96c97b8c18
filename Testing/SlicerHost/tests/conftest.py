"""Makes the host importable for its own tests."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from slicer_host.pytest_plugin import *  # noqa: F403


@pytest.fixture
def make_volume(scene):
    """Return a function that adds a scalar volume to the scene."""
    import numpy as np
    import slicer

    def make(name="Input"):
        volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
        values = np.arange(1000, dtype=np.int16).reshape(10, 10, 10)
        slicer.util.updateVolumeFromArray(volume, values)
        volume.CreateDefaultDisplayNodes()
        return volume

    return make
