"""Fixtures shared by all tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_example import SmallExample, make_small_example, train_small_model

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


@pytest.fixture(scope="session")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of four MR sequences with the task `brats`, of few steps; do not change it."""
    return train_small_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="session")
def small_example(tmp_path_factory: pytest.TempPathFactory, small_model: Path) -> SmallExample:
    """A cohort, a model, a selection run and results; do not change them."""
    return make_small_example(tmp_path_factory.mktemp("example"), small_model)
