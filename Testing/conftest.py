"""Fixtures shared by all tests."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_cohorts() -> Path:
    """Folder of the real research cohorts that lie beside a checkout of the project."""
    folder = Path(__file__).parents[2] / "shared" / "data"
    if not (folder / "sts51").is_dir():
        pytest.skip("The real cohorts (folder ../shared/data beside the project) are not here.")
    return folder
