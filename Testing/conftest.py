"""Fixtures shared by all tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from MDALSelectorLib.synthetic_cohort import write_cohort

pytest_plugins = ["situation_table"]


@pytest.fixture(scope="session")
def real_cohorts() -> Path:
    """Folder of the real research cohorts that lie beside a checkout of the project."""
    folder = Path(__file__).parents[2] / "shared" / "data"
    if not (folder / "sts51").is_dir():
        pytest.skip("The real cohorts (folder ../shared/data beside the project) are not here.")
    return folder


@pytest.fixture(scope="session")
def synthetic_cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synthetic cohort of 34 cases, four modalities, with known faults; do not change it."""
    folder = tmp_path_factory.mktemp("synthetic")
    return write_cohort(folder, n_cases=34, seed=11)
