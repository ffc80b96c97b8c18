"""Makes the host importable for its own tests."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2] / "Slicer"))

from slicer_host.pytest_plugin import *  # noqa: F403

DEMO = Path(__file__).parent / "data" / "HostDemo" / "HostDemo.py"


@pytest.fixture
def demo(scene, load_module):
    """The panel of the demo module in an empty scene."""
    return load_module(DEMO)


@pytest.fixture
def make_volume(scene):
    """Return a function that adds a scalar volume to the scene."""

    def make(name="Input", values=None):
        import slicer

        volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
        values = np.arange(1000, dtype=np.int16).reshape(10, 10, 10) if values is None else values
        slicer.util.updateVolumeFromArray(volume, values)
        volume.CreateDefaultDisplayNodes()
        return volume

    return make
