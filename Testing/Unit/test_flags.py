from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from MDALSelectorLib.case_flags import CHECK_PAIRING
from MDALSelectorLib.pairing.alignment import AlignmentMeasures, measure_alignment
from MDALSelectorLib.pairing.config import PairingConfig
from MDALSelectorLib.pairing.flags import gain_limits, pairing_flags
from MDALSelectorLib.synthetic_cohort import draw_factors, make_case
from MultimodalImagingLib.cohorts.cohort import find_cohort
from MultimodalImagingLib.jobs.progress import NullReporter
from MultimodalImagingLib.preparation.intensity import normalize
from MultimodalImagingLib.preparation.prepared_case import PreparedCase
from MultimodalImagingLib.preparation.preprocessing import default_spec, prepare_cohort

PAIRS = (("CT", "PET"), ("CT", "T1"), ("PET", "T1"))


def measures(n_cases: int, seed: int = 0, **changes) -> AlignmentMeasures:
    """A cohort of aligned cases: exponential gains, agreements far above unrelated ones."""
    generator = np.random.default_rng(seed)
    tables = {
        "agreement": {p: generator.normal(0.5, 0.05, n_cases) for p in PAIRS},
        "gain": {p: 0.01 + generator.exponential(0.01, n_cases) for p in PAIRS},
        "offset_mm": {p: generator.normal(0.0, 2.0, (n_cases, 3)) + 4.0 for p in PAIRS},
        "unrelated_z": {p: generator.normal(7.0, 0.8, n_cases) for p in PAIRS},
    }
    for name, cells in changes.items():
        for (pair, index), value in cells.items():
            tables[name][pair][index] = value
    return AlignmentMeasures(tuple(f"case-{i:03d}" for i in range(n_cases)), 3.0, **tables)


def test_limit_is_where_the_exponential_tail_leaves_the_false_flag_rate() -> None:
    config = PairingConfig()
    found = gain_limits(measures(200_000), config)
    for limit in found.values():
        assert limit == pytest.approx(0.01 + 0.01 * math.log(3 / 0.05), rel=0.02)


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.1])
def test_share_of_flagged_aligned_cases_is_the_false_flag_rate(rate: float) -> None:
    flags = pairing_flags(measures(20_000), config=PairingConfig(false_flag_rate=rate))
    assert len(flags) / 20_000 == pytest.approx(rate, rel=0.15)


def test_a_few_misaligned_cases_do_not_hide_each_other() -> None:
    bad = range(5)
    cells = {(("CT", "T1"), i): 0.3 for i in bad}
    flags = pairing_flags(measures(50, gain=cells))
    assert {f"case-{i:03d}" for i in bad} <= set(flags)
    assert len(flags) <= 8


def test_reason_names_the_modality_that_is_off_the_others_and_how_far() -> None:
    pairs = (("CT", "T1"), ("PET", "T1"))
    moved = measures(
        40,
        gain={(p, 4): 0.4 for p in pairs},
        offset_mm={(p, 4): (1.0, 0.5, -9.0) for p in pairs},
    )
    (flag,) = pairing_flags(moved)["case-004"]
    assert flag.kind == CHECK_PAIRING
    assert flag.reason == (
        "T1 lies about 9 mm (mostly inferior) off CT and PET. Check the alignment before labeling."
    )


def test_offset_of_the_first_modality_of_its_pairs_has_its_own_sign() -> None:
    pairs = (("CT", "PET"), ("CT", "T1"))
    moved = measures(
        40,
        gain={(p, 4): 0.4 for p in pairs},
        offset_mm={(pairs[0], 4): (7.0, 0.0, 0.0), (pairs[1], 4): (18.0, 0.0, 0.0)},
    )
    (flag,) = pairing_flags(moved)["case-004"]
    assert flag.reason == (
        "CT lies about 7 mm (mostly right) off PET and about 18 mm (mostly right) off T1."
        " Check the alignment before labeling."
    )


def test_a_gain_within_one_voxel_is_no_misalignment() -> None:
    cells = {(("CT", "PET"), 4): 0.4}
    near = {(("CT", "PET"), 4): (1.0, 1.0, 1.0)}
    assert "case-004" not in pairing_flags(measures(40, gain=cells, offset_mm=near))
    assert "case-004" in pairing_flags(measures(40, gain=cells))


def test_a_modality_that_agrees_like_another_patients_is_named() -> None:
    cells = {(p, 7): 0.3 for p in (("CT", "PET"), ("PET", "T1"))}
    (flag,) = pairing_flags(measures(40, unrelated_z=cells))["case-007"]
    assert flag.reason.startswith("The edges of PET agree with those of")
    assert "CT and T1" in flag.reason


def test_a_modality_that_agrees_with_one_other_belongs_to_the_case() -> None:
    assert "case-007" not in pairing_flags(measures(40, unrelated_z={(("CT", "PET"), 7): 0.3}))


def test_a_modality_that_a_shift_mends_is_called_misaligned_and_not_strange() -> None:
    pairs = (("CT", "PET"), ("PET", "T1"))
    moved = measures(
        40,
        unrelated_z={(p, 7): 0.3 for p in pairs},
        agreement={(p, 7): 0.1 for p in pairs},
        gain={(p, 7): 0.42 for p in pairs},
    )
    (flag,) = pairing_flags(moved)["case-007"]
    assert flag.reason.startswith("PET lies about")


def test_of_two_modalities_neither_is_blamed_alone() -> None:
    whole = measures(40, unrelated_z={(("CT", "PET"), 7): 0.3})
    pair = PAIRS[0]
    only = AlignmentMeasures(
        whole.case_ids,
        3.0,
        {pair: whole.agreement[pair]},
        {pair: whole.gain[pair]},
        {pair: whole.offset_mm[pair]},
        {pair: whole.unrelated_z[pair]},
    )
    (flag,) = pairing_flags(only)["case-007"]
    assert flag.reason.startswith("The edges of CT and PET agree hardly better")


@pytest.mark.parametrize("usual", [1.0, 2.5, 3.5])
def test_weakly_agreeing_modalities_are_not_all_flagged(usual: float) -> None:
    weak = measures(60)
    generator = np.random.default_rng(3)
    low = {p: generator.normal(usual, 1.0, 60) for p in PAIRS}
    weak = AlignmentMeasures(
        weak.case_ids, 3.0, weak.agreement, weak.gain, weak.offset_mm, unrelated_z=low
    )
    mismatched = [f for f in pairing_flags(weak).values() if "hardly better" in f[0].reason]
    assert len(mismatched) <= 2


def test_small_cohorts_are_judged_by_absolute_limits() -> None:
    config = PairingConfig()
    few = measures(5, gain={(("CT", "PET"), 1): 0.11, (("CT", "T1"), 2): 0.13})
    few = AlignmentMeasures(
        few.case_ids,
        3.0,
        {p: np.where(np.arange(5) == 3, 0.1, 0.5) for p in PAIRS},
        few.gain,
        few.offset_mm,
        {p: np.full(5, np.nan) for p in PAIRS},
    )
    assert set(gain_limits(few, config).values()) == {0.12}
    flags = pairing_flags(few)
    assert set(flags) == {"case-002", "case-003"}
    assert all("hardly better" in flag.reason for flag in flags["case-003"])


def test_pmi_far_below_all_others_is_flagged_and_a_low_one_is_not() -> None:
    pmi = np.full((60, len(PAIRS)), np.nan)
    pmi[:, 0] = np.random.default_rng(1).normal(3.0, 0.5, 60)
    pmi[[10, 11, 12], 0] = [-4.0, 1.5, np.nan]
    quiet = PairingConfig(false_flag_rate=1e-9)
    flags = pairing_flags(measures(60), pmi_nats=pmi, config=quiet)
    assert set(flags) == {"case-010"}
    assert "CT and PET share 7.0 nats less" in flags["case-010"][0].reason


def test_the_fence_of_pmi_lies_below_the_lower_quartile() -> None:
    config = PairingConfig(false_flag_rate=1e-9)
    values = np.linspace(2.0, 4.0, 41)
    lower, upper = 2.5, 3.5  # quartiles, which the two lowest values do not move
    limit = lower - config.pmi_iqr * (upper - lower)
    for offset, expected in ((-0.01, {"case-000"}), (0.01, set())):
        pmi = np.full((41, len(PAIRS)), np.nan)
        pmi[:, 0] = [limit + offset, *values[1:]]
        assert set(pairing_flags(measures(41), pmi_nats=pmi, config=config)) == expected


def test_missing_modalities_are_neither_flagged_nor_in_the_way() -> None:
    gone = {(p, 3): np.nan for p in PAIRS}
    partial = measures(
        40,
        agreement=gone,
        gain=gone,
        offset_mm=gone,
        unrelated_z={**gone, (("CT", "PET"), 5): np.nan, (("CT", "T1"), 5): np.nan},
    )
    assert "case-003" not in pairing_flags(partial)


def test_a_cohort_without_pairs_has_no_flags() -> None:
    assert pairing_flags(AlignmentMeasures(("a", "b"), 3.0, {}, {}, {}, {})) == {}


@pytest.fixture(scope="module")
def phantoms() -> list[PreparedCase]:
    """Sixteen brain phantoms: FLAIR swapped between 3 and 9, T2 of 12 moved by 12 mm."""
    streams = np.random.SeedSequence(4).spawn(16)
    made = [make_case(draw_factors(np.random.default_rng(s)))[0] for s in streams]
    made[3]["FLAIR"], made[9]["FLAIR"] = made[9]["FLAIR"], made[3]["FLAIR"]
    cases = []
    for number, volumes in enumerate(made):
        images = {m: volumes[m].array for m in ("T1", "T2", "FLAIR")}
        if number == 12:
            images["T2"] = np.roll(images["T2"], 4, axis=1)
        full = np.ones(images["T1"].shape, dtype=bool)
        ready = {m: normalize(a.astype(np.float32), full, kind="MR") for m, a in images.items()}
        cases.append(
            PreparedCase(
                f"case-{number:02d}",
                volumes["T1"].grid,
                {m: r.values for m, r in ready.items()},
                dict.fromkeys(images, full),
                {m: r.body for m, r in ready.items()},
                ready["T1"].body,
            )
        )
    return cases


def test_swapped_and_moved_images_are_flagged_and_no_other(phantoms: list[PreparedCase]) -> None:
    found = measure_alignment(phantoms, [c.case_id for c in phantoms], ("T1", "T2", "FLAIR"))
    flags = pairing_flags(found)
    assert set(flags) == {"case-03", "case-09", "case-12"}
    for name in ("case-03", "case-09"):
        assert flags[name][0].reason.startswith("The edges of FLAIR agree")
    assert "T2 lies about 12 mm (mostly posterior) off T1 and FLAIR" in flags["case-12"][0].reason


@pytest.mark.cohort
def test_the_known_misaligned_case_is_flagged_and_at_most_a_tenth_of_the_others(
    real_cohorts: Path, tmp_path: Path
) -> None:
    found = find_cohort(real_cohorts / "sts51")
    cohort = prepare_cohort(found, default_spec(found), cache=tmp_path, reporter=NullReporter())
    patients = [case.patient_id for case in cohort.cases]
    flags = pairing_flags(measure_alignment(cohort, patients, cohort.modalities))
    assert "STS_019" in flags
    assert len(flags) - 1 <= 5
