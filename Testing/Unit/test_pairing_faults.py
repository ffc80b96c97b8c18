"""Every kind of fault in the pairing is planted in phantoms and flagged, and nothing else is."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np
import pytest

from MDALSelectorLib.case_flags import CHECK_PAIRING
from MDALSelectorLib.pairing.alignment import AlignmentMeasures, measure_alignment
from MDALSelectorLib.pairing.flags import pairing_flags
from MDALSelectorLib.pairing.poses import POSES, pose_agreements
from MDALSelectorLib.synthetic_cohort import draw_factors, make_case
from MultimodalImagingLib.preparation.intensity import normalize
from MultimodalImagingLib.preparation.prepared_case import PreparedCase

MODALITIES = ("T1", "T2", "FLAIR")
Arrays = dict[str, np.ndarray]
Change = Callable[[np.ndarray], np.ndarray]


@pytest.fixture(scope="module")
def arrays() -> list[Arrays]:
    made = [make_case(draw_factors(np.random.default_rng(s)))[0] for s in _streams()]
    return [{m: volumes[m].array.astype(np.float32) for m in MODALITIES} for volumes in made]


def _streams() -> list[np.random.SeedSequence]:
    return np.random.SeedSequence(11).spawn(13)


def prepared(arrays: list[Arrays]) -> list[PreparedCase]:
    whole = make_case(draw_factors(np.random.default_rng(0)))[0]["T1"].grid
    cases = []
    for number, images in enumerate(arrays):
        grid = replace(whole, size=images["T1"].shape[::-1])
        full = np.ones(images["T1"].shape, dtype=bool)
        ready = {m: normalize(a, full, kind="MR") for m, a in images.items()}
        bodies = {m: r.body for m, r in ready.items()}
        values = {m: r.values for m, r in ready.items()}
        coverage = dict.fromkeys(images, full)
        body = next(iter(bodies.values()))
        cases.append(PreparedCase(f"case-{number:02d}", grid, values, coverage, bodies, body))
    return cases


def measured(arrays: list[Arrays]) -> AlignmentMeasures:
    cases = prepared(arrays)
    return measure_alignment(cases, [case.case_id for case in cases], MODALITIES)


@pytest.fixture(scope="module")
def untouched(arrays: list[Arrays]) -> set[str]:
    """Cases that are flagged without any fault: at most one, whose edges are weak."""
    flagged = set(pairing_flags(measured(arrays)))
    assert len(flagged) <= 1
    return flagged


def planted(arrays: list[Arrays], faults: dict[int, tuple[str, Change]]) -> list[Arrays]:
    changed = [dict(images) for images in arrays]
    for row, (modality, change) in faults.items():
        changed[row][modality] = np.ascontiguousarray(change(changed[row][modality]))
    return changed


def quarter_turn(image: np.ndarray, axes: tuple[int, int] = (1, 2)) -> np.ndarray:
    """Turn about the center; what leaves the image is cut off, air comes in."""
    side = max(image.shape)
    pad = [((side - n) // 2, side - n - (side - n) // 2) for n in image.shape]
    turned = np.rot90(np.pad(image, pad, mode="edge"), axes=axes)
    cut = [slice(before, before + n) for (before, _), n in zip(pad, image.shape, strict=True)]
    return turned[tuple(cut)]


FAULTS: dict[int, tuple[str, Change]] = {
    1: ("T2", lambda image: np.flip(image, 2)),
    4: ("FLAIR", lambda image: np.flip(image, 1)),
    7: ("T1", lambda image: np.flip(image, 0)),
    9: ("T2", lambda image: np.flip(image, (1, 2))),
    11: ("FLAIR", quarter_turn),
}
SEEN = {
    1: "T2 fits T1 and FLAIR better when it is mirrored left to right.",
    4: "FLAIR fits T1 and T2 better when it is mirrored front to back.",
    7: "T1 fits T2 and FLAIR better when it is mirrored upside down.",
    9: "T2 fits T1 and FLAIR better when it is turned by 180 degrees around the head-foot axis.",
    11: "FLAIR fits T1 and T2 better when it is turned by 90 degrees around the head-foot axis.",
}


@pytest.mark.parametrize("rows", [(1, 4, 11), (7, 9)])
def test_mirrored_and_turned_images_are_named_and_no_other_case_is(
    arrays: list[Arrays], untouched: set[str], rows: tuple[int, ...]
) -> None:
    flags = pairing_flags(measured(planted(arrays, {row: FAULTS[row] for row in rows})))
    assert set(flags) - untouched == {f"case-{row:02d}" for row in rows}
    for row in rows:
        (flag,) = flags[f"case-{row:02d}"]
        assert flag.kind == CHECK_PAIRING
        assert flag.reason.startswith(SEEN[row])


def test_a_modality_that_is_mirrored_in_every_case_is_flagged_in_nearly_all(
    arrays: list[Arrays],
) -> None:
    every = dict.fromkeys(range(len(arrays)), ("T1", lambda image: np.flip(image, 2)))
    flags = pairing_flags(measured(planted(arrays, every)))
    named = [f for own in flags.values() for f in own if "mirrored left to right" in f.reason]
    assert len(named) >= len(arrays) - 2
    assert all(flag.reason.startswith("T1 fits T2 and FLAIR") for flag in named)


def test_a_modality_that_is_swapped_in_all_cases_is_flagged_with_whom_it_fits(
    arrays: list[Arrays],
) -> None:
    n = len(arrays)
    moved = [{**images, "FLAIR": arrays[row - 1]["FLAIR"]} for row, images in enumerate(arrays)]
    flags = pairing_flags(measured(moved))
    fits = [f"FLAIR fits the images of case-{(row - 1) % n:02d}" for row in range(n)]
    named = [
        fits[row] in flags[f"case-{row:02d}"][0].reason
        for row in range(n)
        if f"case-{row:02d}" in flags
    ]
    assert sum(named) >= n - 3


def test_a_copy_of_another_modality_is_flagged_whatever_its_file_and_scale(
    arrays: list[Arrays], untouched: set[str]
) -> None:
    copied = [dict(images) for images in arrays]
    copied[3]["T2"] = 2.0 * copied[3]["T1"] + 7.0
    flags = pairing_flags(measured(copied))
    assert set(flags) - untouched == {"case-03"}
    assert flags["case-03"][0].reason.startswith("T1 and T2 hold the same voxels.")


def test_of_two_modalities_either_may_be_the_mirrored_one(arrays: list[Arrays]) -> None:
    two = [{m: images[m] for m in ("T1", "T2")} for images in planted(arrays, {1: FAULTS[1]})]
    cases = prepared(two)
    flags = pairing_flags(measure_alignment(cases, [c.case_id for c in cases], ("T1", "T2")))
    assert set(flags) == {"case-01"}
    (flag,) = flags["case-01"]
    assert flag.reason.startswith("T1 fits T2 better when it is mirrored left to right.")


@pytest.mark.parametrize("pose", POSES, ids=lambda pose: pose.text)
def test_a_pose_undoes_its_inverse(pose) -> None:
    field = np.random.default_rng(2).normal(size=(7, 12, 12, 12)).astype(np.float32)
    back = next(other for other in POSES if np.allclose(other(pose(field)), field))
    agreements = pose_agreements(field, pose(field))
    gains = agreements[1:] - agreements[0]
    assert int(gains.argmax()) == POSES.index(back)


def test_flags_say_what_was_seen_and_accuse_no_one(
    arrays: list[Arrays], untouched: set[str]
) -> None:
    swapped = [dict(images) for images in arrays]
    swapped[3]["FLAIR"], swapped[9]["FLAIR"] = swapped[9]["FLAIR"], swapped[3]["FLAIR"]
    flags = pairing_flags(measured(swapped))
    assert set(flags) - untouched == {"case-03", "case-09"}
    for own in flags.values():
        assert "wrong" not in own[0].reason.lower()
        assert own[0].reason.endswith("before labeling.")


def displaced(images: Arrays, modality: str, voxels: tuple[int, int, int]) -> Arrays:
    """Move a modality along (K, J, I) and keep what both show: the grid where they overlap."""
    kept, moved = [], []
    for steps in voxels:
        first, last = slice(max(steps, 0), None), slice(None, -abs(steps) or None)
        kept.append(first if steps >= 0 else last)
        moved.append(slice(-min(steps, 0), None) if steps < 0 else last)
    return {m: a[tuple(moved if m == modality else kept)] for m, a in images.items()}


# The phantoms have voxels of 3 mm.
FAR = {
    (0, 0, 20): "T2 lies about 60 mm (mostly left) off T1 and FLAIR.",
    (0, 0, -20): "T2 lies about 60 mm (mostly right) off T1 and FLAIR.",
    (0, 20, 0): "T2 lies about 60 mm (mostly posterior) off T1 and FLAIR.",
    (0, -20, 0): "T2 lies about 60 mm (mostly anterior) off T1 and FLAIR.",
    (18, 0, 0): "T2 lies about 54 mm (mostly superior) off T1 and FLAIR.",
    (-18, 0, 0): "T2 lies about 54 mm (mostly inferior) off T1 and FLAIR.",
}


def similar(sentence: str) -> str:
    """Return a pattern of the sentence that allows another last digit of its millimeters."""
    return re.sub(r"\d mm", r"[0-9] mm", re.escape(sentence).replace(r"\ ", " "))


@pytest.mark.parametrize("n_cases", [12, 36])
def test_a_modality_that_lies_far_off_is_told_from_a_mirrored_one(n_cases: int) -> None:
    """Where only halves overlap, the half of a symmetric body resembles the other one mirrored."""
    made = [make_case(draw_factors(np.random.default_rng([5, s])))[0] for s in range(n_cases)]
    cohort = [{m: of[m].array.astype(np.float32) for m in MODALITIES} for of in made]
    usual = measured(cohort)
    untouched = set(pairing_flags(usual))
    assert len(untouched) <= n_cases // 12
    rows = [row for row in range(n_cases) if usual.case_ids[row] not in untouched]
    steps = [*FAR, None]
    chosen = rows[: len(steps)] if n_cases > 12 else rows[:2]
    for start in range(0, len(steps), len(chosen)):
        faults = dict(zip(chosen, steps[start : start + len(chosen)], strict=False))
        changed = list(cohort)
        for row, step in faults.items():
            if step is None:
                changed[row] = planted(cohort, {row: FAULTS[1]})[row]
            else:
                changed[row] = displaced(cohort[row], "T2", step)
        flags = pairing_flags(measured_alike(usual, changed, list(faults)))
        assert set(flags) - untouched == {usual.case_ids[row] for row in faults}
        for row, step in faults.items():
            (flag,) = flags[usual.case_ids[row]]
            assert re.match(similar(SEEN[1] if step is None else FAR[step]), flag.reason)


def measured_alike(
    usual: AlignmentMeasures, changed: list[Arrays], rows: list[int]
) -> AlignmentMeasures:
    """Measure what has changed only: other patients' images do not count for what is told here."""
    alone = measured([changed[row] for row in rows])
    tables = {}
    for item in fields(AlignmentMeasures)[2:]:
        tables[item.name] = {p: v.copy() for p, v in getattr(usual, item.name).items()}
        if item.name in ("unrelated_z", "foreign_z", "foreign_case"):
            continue
        for pair, values in tables[item.name].items():
            values[rows] = getattr(alone, item.name)[pair]
    return AlignmentMeasures(usual.case_ids, usual.spacing_mm, **tables)
