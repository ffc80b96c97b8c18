"""The pure packages import without Slicer and Qt; nothing heavy is imported before it is needed."""

from __future__ import annotations

import os
import subprocess
import sys
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
