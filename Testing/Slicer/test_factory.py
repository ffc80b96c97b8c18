"""What a build of the extension runs in Slicer passes in the host, too."""

from __future__ import annotations

import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_both_modules_open_in_a_bare_slicer(scene, load_module, monkeypatch):
    for name in ("MDALSelector", "CIMLSegment"):
        load_module(ROOT / name / f"{name}.py")
    monkeypatch.syspath_prepend(ROOT / "Testing")
    suite = unittest.defaultTestLoader.loadTestsFromName("CrossModalInSlicer")
    sys.modules.pop("CrossModalInSlicer")
    result = unittest.TestResult()
    suite.run(result)
    assert suite.countTestCases() == result.testsRun == 5
    assert [*result.errors, *result.failures, *result.skipped] == []
