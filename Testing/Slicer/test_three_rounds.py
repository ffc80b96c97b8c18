"""Three rounds of labeling by two readers, clicked through in a process of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COHORT = ROOT.parent / "shared" / "data" / "sts51"
STEPS = ("--steps", "6")


@pytest.mark.usefixtures("host")
@pytest.mark.evidence  # three selections, trainings and rounds of drafts of 51 cases: many minutes
def test_three_rounds_end_with_labels_that_are_the_references(tmp_path):
    from slicer_host import in_application

    if in_application.is_real_application():
        pytest.skip("Run Testing/Slicer/three_rounds.py in the application.")
    if not COHORT.is_dir():
        pytest.skip("The cohort sts51 is not there.")
    script = [sys.executable, str(Path(__file__).with_name("three_rounds.py")), str(tmp_path)]
    done = subprocess.run(
        [*script, *STEPS], capture_output=True, text=True, check=False, timeout=3600
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    assert "15 to train on, 8 for testing" in done.stdout
