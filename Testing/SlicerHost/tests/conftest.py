"""Makes the host importable for its own tests."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from slicer_host.pytest_plugin import *  # noqa: E402, F403

DEMO = Path(__file__).parent / "data" / "HostDemo" / "HostDemo.py"


@pytest.fixture
def demo(scene, load_module):
    """The panel of the demo module in an empty scene."""
    return load_module(DEMO)
