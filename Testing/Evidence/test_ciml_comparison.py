"""The order of the arms in `ciml_comparison.py`, measured anew."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

SCRIPT = Path(__file__).with_name("ciml_comparison.py")


@pytest.mark.evidence
@pytest.mark.cohort
@pytest.mark.skipif(not torch.cuda.is_available(), reason="takes hours without a GPU")
def test_gates_do_not_cost_accuracy(real_cohorts: Path, tmp_path: Path) -> None:
    command = [sys.executable, str(SCRIPT), str(real_cohorts / "sts51"), "--work", str(tmp_path)]
    subprocess.run([*command, "--steps", "1200", "--parallel", "4"], check=True)
    dice: dict[str, list[float]] = {}
    for file in (tmp_path / "runs").glob("*.json"):
        found = json.loads(file.read_text())
        scores = found["scores"]["nothing"].values()
        dice.setdefault(found["arm"], []).extend(score["dice"]["GTV"] for score in scores)
    assert {len(values) for values in dice.values()} == {50}
    mean = {arm: float(np.mean(values)) for arm, values in dice.items()}
    assert mean["CIML"] > max(mean["early fusion"], mean["concatenation"], mean["PET alone"])
