#!/usr/bin/env bash
# Passes the tests: style, types, layers, dead code, then all tests but the long measurements (those: pytest -m evidence).
# Further arguments go to pytest, for example: Testing/test.sh -k strategy
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
"$root/Testing/setup.sh"
cd "$root"
workers=$(nproc)  # before OMP_NUM_THREADS, which nproc would take for the answer
export PYTHONHASHSEED=0 OMP_NUM_THREADS=1 QT_QPA_PLATFORM=offscreen VTK_DEFAULT_OPENGL_WINDOW=vtkEGLRenderWindow
python=.venv/bin/python
"$python" -m ruff check .
"$python" -m ruff format --check .
"$python" -m mypy
PYTHONPATH=MDALSelector:CIMLSegment .venv/bin/lint-imports --no-cache
"$python" -m vulture
"$python" -m pytest --numprocesses "$workers" --dist loadfile --no-loadscope-reorder "$@"
