"""The pure packages import without Slicer and Qt; nothing heavy is imported before it is needed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = [ROOT / "MDALSelector", ROOT / "CIMLSegment"]
PURE_PACKAGES = ("MultimodalImagingLib", "MDALSelectorLib", "CIMLSegmentLib")


def pure_modules() -> list[str]:
    names = []
    for source in SOURCES:
        for package in PURE_PACKAGES:
            for path in sorted((source / package).rglob("*.py")):
                parts = path.relative_to(source).with_suffix("").parts
                names.append(".".join(part for part in parts if part != "__init__"))
    return [name for name in names if not name.endswith("__main__")]


def imported_packages(statement: str) -> set[str]:
    """Top-level packages that are loaded after a statement in a fresh interpreter."""
    listing = "print(*sorted({name.split('.')[0] for name in sys.modules}))"
    code = f"{statement}\nimport sys\n{listing}"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, SOURCES))}
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    return set(run.stdout.split())


def test_pure_packages_import_without_slicer_and_qt() -> None:
    loaded = imported_packages("\n".join(f"import {name}" for name in pure_modules()))
    assert not loaded & {"slicer", "qt", "ctk", "vtk", "PySide6"}
    assert "torch" in loaded  # else this test looked at nothing


def test_the_imaging_layer_imports_without_torch_and_scientific_packages() -> None:
    names = [name for name in pure_modules() if name.startswith("MultimodalImagingLib")]
    loaded = imported_packages("\n".join(f"import {name}" for name in names))
    assert not loaded & {"torch", "monai", "scipy", "sklearn", "plotly", "pandas", "psutil"}


@pytest.mark.parametrize("package", ["MDALSelectorLib", "CIMLSegmentLib"])
def test_the_commands_start_without_torch(package: str) -> None:
    loaded = imported_packages(f"import {package}.__main__")
    assert not loaded & {"torch", "monai", "scipy", "sklearn", "plotly", "pandas"}


@pytest.mark.parametrize(
    "module",
    [
        "CIMLSegmentLib.results.evaluation",
        "CIMLSegmentLib.results.segmentation_report",
        "MDALSelectorLib.inspection.cohort_inspection",
        "MDALSelectorLib.report.page",
    ],
)
def test_what_needs_no_network_works_without_torch(module: str) -> None:
    assert not imported_packages(f"import {module}") & {"torch", "monai", "sklearn"}


# One import that each contract of pyproject.toml refuses: file, and the line planted in it.
VIOLATIONS = {
    "packages": (
        "MDALSelector/MultimodalImagingLib/jobs/progress.py",
        "from CIMLSegmentLib.task import task",
    ),
    "imaging": (
        "MDALSelector/MultimodalImagingLib/images/geometry.py",
        "from MultimodalImagingLib.cohorts import cohort",
    ),
    "selector": (
        "MDALSelector/MDALSelectorLib/selection/budget.py",
        "from MDALSelectorLib.commands import select",
    ),
    "segmenter": (
        "CIMLSegment/CIMLSegmentLib/task/regions.py",
        "from CIMLSegmentLib.results import result",
    ),
    "panels": (
        "CIMLSegment/CIMLSegmentPanelLib/nodes/former_views.py",
        "from CIMLSegmentPanelLib.widgets import batch_table",
    ),
    "circles": (
        "MDALSelector/MDALSelectorLib/estimation/encoders.py",
        "from MDALSelectorLib.estimation import contrastive_training",
    ),
    "application": ("MDALSelector/MDALSelectorLib/selection/budget.py", "import slicer"),
    "qt": ("MDALSelector/MultimodalSlicerLib/table_nodes.py", "import qt"),
    "torch": ("MDALSelector/MultimodalImagingLib/images/geometry.py", "import scipy"),
}


def lint_imports(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-c",
        "from importlinter.cli import lint_imports_command as run; run()",
    ]
    paths = os.pathsep.join(str(root / source.name) for source in SOURCES)
    return subprocess.run(
        [*command, "--no-cache", *arguments],
        cwd=root,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )


def contracts() -> set[str]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return {contract["id"] for contract in settings["tool"]["importlinter"]["contracts"]}


@pytest.fixture(scope="module")
def copied_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("project")
    for source in SOURCES:
        shutil.copytree(source, root / source.name, ignore=shutil.ignore_patterns("Resources"))
    shutil.copy(ROOT / "pyproject.toml", root)
    return root


def test_every_contract_has_a_violation_that_is_tried() -> None:
    assert set(VIOLATIONS) == contracts()


def test_all_contracts_are_kept(copied_project: Path) -> None:
    run = lint_imports(copied_project)
    assert run.returncode == 0, run.stdout


@pytest.mark.parametrize("contract", VIOLATIONS)
def test_a_contract_fails_on_an_import_that_it_forbids(copied_project: Path, contract: str) -> None:
    name, line = VIOLATIONS[contract]
    path = copied_project / name
    text = path.read_text(encoding="utf-8")
    path.write_text(f"{text}\n{line}\n", encoding="utf-8")
    try:
        run = lint_imports(copied_project, "--contract", contract)
    finally:
        path.write_text(text, encoding="utf-8")
    assert run.returncode == 1
    assert "BROKEN" in run.stdout
