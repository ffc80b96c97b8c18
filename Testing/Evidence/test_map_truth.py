"""Deletion and insertion against closed forms, and the rankings against cases made by hand."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from map_truth import ALWAYS, SHARES, Window, faithfulness, most, ranking

SHAPE = (10, 10, 10)
MATTERS = np.zeros(SHAPE)
MATTERS.reshape(-1)[::50] = 5.0  # 2 % of the voxels


class Known(Window):
    """A window in which every replaced voxel changes a known amount."""

    def __init__(self) -> None:
        self.bodies = np.ones((1, *SHAPE), bool)

    def changes(self, modality, hidden):
        return [float(MATTERS[mask].sum()) for mask in hidden]


def test_a_map_of_what_matters_has_1_its_opposite_0_and_a_flat_one_the_shares() -> None:
    maps = {"true": MATTERS, "opposite": -MATTERS, "flat": np.zeros(SHAPE)}
    found = faithfulness(Known(), 0, maps)
    assert found is not None
    assert found["true"] == {"deletion": 1.0, "insertion": 1.0}
    assert found["opposite"] == {"deletion": 0.0, "insertion": 0.0}
    assert found["flat"]["deletion"] == pytest.approx(np.mean(SHARES), abs=0.1)
    assert found["flat"]["insertion"] == pytest.approx(np.mean(SHARES), abs=0.1)


def rows(said, changed, voxels=(10, 20, 40)):
    return [
        {"case": str(n), "route": f"{name} to PET (GTV)", "voxels": size}
        | {"said": {"kind": value}, "changed_voxels": true, "dice_change": true / 100}
        for name in ("CT", "T1")
        for n, (value, true, size) in enumerate(zip(said[name], changed[name], voxels, strict=True))
    ]


def test_what_only_follows_the_size_of_the_region_ranks_nothing_per_voxel() -> None:
    said = {"CT": (10, 20, 40), "T1": (10, 20, 40)}
    changed = {"CT": (5, 6, 8), "T1": (5, 6, 8)}
    cases = rows(said, changed)
    assert ranking(cases, "kind", "changed_voxels", per_voxel=False) == pytest.approx(1)
    assert ranking(cases, "kind", "changed_voxels", per_voxel=True) == 0


def test_the_most_important_is_counted_beside_always_the_same_answer() -> None:
    cases = rows({"CT": (3, 1, 1), "T1": (2, 2, 2)}, {"CT": (9, 1, 4), "T1": (1, 9, 3)})
    assert most(cases, "kind") == (2, 3)
    assert most(cases, ALWAYS) == (2, 3)
