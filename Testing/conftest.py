"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from filelock import FileLock
from small_example import SmallExample, make_small_example, train_small_model

from MDALSelectorLib.synthetic_cohort import write_cohort

pytest_plugins = ["situation_table"]

# The tiny jobs of tests teach nobody how quick a computer is; child processes inherit this.
os.environ["CROSSMODAL_SPEEDS"] = os.devnull

# Started first, longest before shorter, so that no worker has one of them left at the end.
LONGEST_FILES = (
    "Testing/Slicer/test_ciml_segment.py",
    "Testing/Situations/test_situations.py",
    "Testing/Slicer/test_ciml_segment_cohort.py",
    "Testing/Commands/test_documented_commands.py",
    "Testing/Unit/test_select_command.py",
    "Testing/Unit/test_training.py",
    "Testing/Unit/test_complementarity.py",
    "Testing/Fuzz/test_mutated_files.py",
    "Testing/Unit/test_main_job.py",
    "Testing/Slicer/test_mdal_selector.py",
    "Testing/Slicer/test_tidy_scene.py",
    "Testing/Slicer/test_layout.py",
    "Testing/Slicer/test_user_place.py",
    "Testing/Unit/test_contrastive.py",
    "Testing/Slicer/test_mdal_selector_cohort.py",
    "Testing/Slicer/test_texts_follow_state.py",
    "Testing/Slicer/test_drafts.py",
    "Testing/Slicer/test_labeling.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of the longest files first."""
    places = {name: place for place, name in enumerate(LONGEST_FILES)}
    items.sort(key=lambda item: places.get(item.location[0], len(places)))


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """Return a folder that is filled once for all workers of a run."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / f"shared-{name}"
    with FileLock(folder.with_suffix(".lock")):
        if not folder.with_suffix(".finished").exists():
            folder.mkdir()
            make(folder)
            folder.with_suffix(".finished").touch()
    return folder


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
    make = partial(write_cohort, n_cases=34, seed=11)
    return once(tmp_path_factory, "synthetic", make) / "cohort"


@pytest.fixture(scope="session")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of four MR sequences with the task `brats`, of few steps; do not change it."""
    return once(tmp_path_factory, "model", train_small_model) / "model"


@pytest.fixture(scope="session")
def small_example(tmp_path_factory: pytest.TempPathFactory, small_model: Path) -> SmallExample:
    """A cohort, a model, a selection run and results; do not change them."""
    make = partial(make_small_example, model=small_model)
    folder = once(tmp_path_factory, "example", make)
    return SmallExample(folder / "cohort", small_model, folder / "run", folder / "results")
