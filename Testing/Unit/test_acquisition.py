"""The order follows content or acquisition: the run says which, and can compare within groups."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from example_selection import example_scores

from MDALSelectorLib.inspection.acquisition_groups import (
    FIELD_OF_VIEW,
    VOXEL_SIZE,
    acquisition_groups,
)
from MDALSelectorLib.selection.acquisition import explained_share, with_acquisition
from MDALSelectorLib.selection.cohort_scores import CohortScores
from MDALSelectorLib.strategies.pool import MODALITY_DIFFERENCE
from MultimodalImagingLib.cohorts.cases import Case, Cohort
from MultimodalImagingLib.cohorts.modality_patterns import ModalityPatterns
from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.images.geometry import Grid
from MultimodalImagingLib.images.position import Position
from MultimodalImagingLib.images.stored_image import ImageFile

PLAIN = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


def cohort(
    scores: CohortScores, root: Path, *, site: dict[str, str], thick: frozenset[str] = frozenset()
) -> Cohort:
    cases, positions = [], {}
    for name in scores.case_ids:
        file = ImageFile(root / f"{name}.nii.gz", None)
        spacing = (1.0, 1.0, 5.0) if name in thick else (1.0, 1.0, 1.0)
        positions[file] = Position(Grid((100, 100, 100), spacing, (0.0, 0.0, 0.0), PLAIN))
        attributes = {"site": site[name]} if site else {}
        cases.append(Case(name, name, {"CT": file}, None, attributes))
    return Cohort(root, "CSV", ("CT",), tuple(cases), (), ModalityPatterns(()), positions=positions)


def scored(offset: dict[str, float]) -> CohortScores:
    """Example scores whose modality difference is noise plus an offset per case."""
    scores = example_scores()
    noise = np.random.default_rng(3).normal(size=len(scores.case_ids))
    values = noise + np.array([offset.get(name, 0.0) for name in scores.case_ids])
    return replace(scores, measures={**scores.measures, MODALITY_DIFFERENCE: values})


def sites(scores: CohortScores, n_sites: int = 3) -> dict[str, str]:
    return {name: f"site-{row % n_sites}" for row, name in enumerate(scores.case_ids)}


def test_groups_that_do_not_matter_explain_nothing_and_that_decide_explain_most() -> None:
    generator = np.random.default_rng(0)
    labels = [f"g{row % 4}" for row in range(80)]
    shares = [explained_share(generator.normal(size=80), labels)[0] for _ in range(200)]
    assert np.mean(shares) < 0.03
    decided = generator.normal(size=80) + 10.0 * np.arange(80.0) % 4
    share, p = explained_share(np.array([10.0 * (row % 4) for row in range(80)]) + decided, labels)
    assert share > 0.8
    assert p < 1e-6


def test_an_order_that_follows_the_site_is_said_and_within_mends_it(tmp_path: Path) -> None:
    names = example_scores()
    of_case = sites(names)
    scores = scored({name: 4.0 for name, site in of_case.items() if site == "site-1"})
    found = with_acquisition(scores, cohort(scores, tmp_path, site=of_case), None)
    assert found.diagnostics.acquisition_shares["site"] > 0.5
    (remark,) = found.diagnostics.remarks
    assert remark.startswith("site explains")
    assert "--within site" in remark
    assert found.diagnostics.followed == ("site",)
    np.testing.assert_array_equal(found.modality_difference, scores.modality_difference)
    mended = with_acquisition(scores, cohort(scores, tmp_path, site=of_case), "site")
    assert mended.diagnostics.acquisition_shares["site"] < 0.1
    assert mended.diagnostics.followed == ()
    assert mended.diagnostics.remarks[0] == (
        "The modality difference was compared within site (3 groups)."
    )
    for label in {*of_case.values()}:
        rows = [of_case[name] == label for name in scores.case_ids]
        before, after = (s.modality_difference[rows] for s in (scores, mended))
        assert np.array_equal(np.argsort(before), np.argsort(after))


def test_voxel_size_is_found_from_the_headers(tmp_path: Path) -> None:
    names = example_scores().case_ids
    thick = frozenset(names[::2])
    scores = scored(dict.fromkeys(thick, 4.0))
    found = with_acquisition(scores, cohort(scores, tmp_path, site={}, thick=thick), None)
    assert set(found.diagnostics.acquisition_shares) == {VOXEL_SIZE, FIELD_OF_VIEW}
    assert found.diagnostics.acquisition_shares[VOXEL_SIZE] > 0.5


def test_columns_of_the_participants_file_group_the_cases(tmp_path: Path) -> None:
    scores = scored({})
    lines = ["participant_id\tscanner\tage"]
    lines += [f"{name}\tS{row % 2}\t{row}" for row, name in enumerate(scores.case_ids)]
    (tmp_path / "participants.tsv").write_text("\n".join(lines))
    groups = acquisition_groups(cohort(scores, tmp_path, site={}))
    assert set(groups) == {"scanner"}


def test_an_order_that_follows_content_is_said_to(tmp_path: Path) -> None:
    scores = scored({})
    found = with_acquisition(scores, cohort(scores, tmp_path, site=sites(scores)), None)
    (remark,) = found.diagnostics.remarks
    assert " little of the order by modality difference (" in remark


def test_small_groups_are_taken_together_and_named(tmp_path: Path) -> None:
    scores = scored({})
    of_case = dict.fromkeys(scores.case_ids, "large")
    of_case |= dict.fromkeys(scores.case_ids[:3], "tiny") | {scores.case_ids[4]: "single"}
    found = with_acquisition(scores, cohort(scores, tmp_path, site=of_case), "site")
    assert (
        "2 groups of fewer than 8 cases were taken together as one (single, tiny)"
        in (found.diagnostics.remarks[0])
    )


def test_an_unknown_grouping_is_refused_with_those_that_are_there(tmp_path: Path) -> None:
    scores = scored({})
    with pytest.raises(UsageError, match="found site"):
        with_acquisition(scores, cohort(scores, tmp_path, site=sites(scores)), "scanner")
