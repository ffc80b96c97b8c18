"""What `Testing/Stubs` declares for mypy is what Slicer has."""

from __future__ import annotations

import ast
from importlib.util import find_spec
from pathlib import Path

import pytest

STUBS = Path(__file__).parents[1] / "Stubs"


def functions(path: Path) -> dict[str, ast.FunctionDef]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}


def parameters(function: ast.FunctionDef) -> list[str]:
    return [one.arg for one in (*function.args.posonlyargs, *function.args.args)]


@pytest.fixture(scope="module")
def slicer_util() -> dict[str, ast.FunctionDef]:
    spec = find_spec("slicer")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("slicer-core is not installed")
    return functions(Path(next(iter(spec.submodule_search_locations))) / "util.py")


@pytest.mark.parametrize("name", sorted(functions(STUBS / "slicer" / "util.pyi")))
def test_functions_have_the_parameters_of_slicer(
    name: str, slicer_util: dict[str, ast.FunctionDef]
) -> None:
    stub, real = functions(STUBS / "slicer" / "util.pyi")[name], slicer_util[name]
    assert parameters(stub) == parameters(real)
    assert len(stub.args.defaults) == len(real.args.defaults)
