"""Runs the tests of this folder inside 3D Slicer.

    Slicer --testing --no-splash --additional-module-paths MDALSelector CIMLSegment
        --python-script Testing/Slicer/run_tests.py [pytest options]

in one line, with full paths.

The exit code is that of pytest, and 1 if anything at all goes wrong before. pytest has to be in
Slicer's Python (`PythonSlicer -m pip install pytest`). The same tests run outside Slicer with
`python -m pytest Testing/Slicer`.
"""

from __future__ import annotations

import sys
import traceback
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]
FAILED = 1


def main(options: list[str]) -> int:
    """Return the exit code of pytest for this folder."""
    for part in ("Testing/SlicerHost", "MDALSelector", "CIMLSegment"):
        sys.path.insert(0, str(ROOT / part))
    import pytest

    arguments = ["-p", "no:cacheprovider", "-p", "no:faulthandler", "--rootdir", str(ROOT), "-ra"]
    return int(pytest.main([*arguments, str(FOLDER), *options]))


def run_in_application() -> None:
    """Run and end the application with the result; anything unexpected counts as a failure."""
    import slicer

    code = FAILED
    try:
        code = main([option for option in sys.argv[1:] if option != "--"])
    except BaseException:  # noqa: BLE001 - printed; the application ends with a failure
        traceback.print_exc()
    finally:
        slicer.util.exit(code)


if __name__ == "__main__":
    run_in_application()
