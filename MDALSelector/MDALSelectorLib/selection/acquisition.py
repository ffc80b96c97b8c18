"""Does the order follow how images were acquired? Groups, their share of it, and the remedy.

Groups come from columns of the cohort's manifest or its `participants.tsv`, and from the headers:
voxel size and field of view of the finest image of each case.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from scipy.stats import kruskal, rankdata

from MDALSelectorLib.estimation.pair_estimate import robust_z
from MDALSelectorLib.selection.cohort_scores import CohortScores
from MDALSelectorLib.strategies.pool import MODALITY_DIFFERENCE
from MultimodalImagingLib.cohorts.cases import Case, Cohort
from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.images.arrays import Float64Array
from MultimodalImagingLib.jobs.texts import joined

Groups = Mapping[str, Mapping[str, str]]

# Group of the cases of which nothing is known.
UNKNOWN_GROUP = "unknown"
VOXEL_SIZE, FIELD_OF_VIEW = "voxel-size", "field-of-view"
# A share of the rank variance that the user should know of, if chance gives it so rarely.
LARGE_SHARE = 0.2
RARELY = 0.01
# Groups with fewer cases have no spread of their own.
MIN_GROUP = 8
PARTICIPANTS_NAME = "participants.tsv"


def acquisition_groups(cohort: Cohort) -> dict[str, dict[str, str]]:
    """Return how the cases of a cohort can be grouped: name of the grouping, case, group.

    Columns that name nearly every case another way, or all of them the same, group nothing.
    """
    columns: dict[str, dict[str, str]] = {}
    people = _participants(cohort)
    for case in cohort.cases:
        row = {**people.get(case.patient_id, {}), **case.attributes, **_from_headers(cohort, case)}
        for name, value in row.items():
            columns.setdefault(name, {})[case.case_id] = value.strip() or UNKNOWN_GROUP
    return {name: groups for name, groups in columns.items() if _is_grouping(groups)}


def _is_grouping(groups: Mapping[str, str]) -> bool:
    return 1 < len({*groups.values()}) <= max(len(groups) // 3, 1)


def _participants(cohort: Cohort) -> dict[str, dict[str, str]]:
    path = cohort.root / PARTICIPANTS_NAME
    if not path.is_file():
        return {}
    try:
        rows = list(csv.DictReader(path.read_text("utf-8-sig").splitlines(), delimiter="\t"))
    except (OSError, UnicodeDecodeError, csv.Error):
        return {}
    texts = [{k: v for k, v in row.items() if isinstance(v, str) and k} for row in rows]
    return {row.pop("participant_id"): row for row in texts if "participant_id" in row}


def _from_headers(cohort: Cohort, case: Case) -> dict[str, str]:
    files = [file for file in case.images.values() if file in cohort.grids]
    if not files:
        return {}
    grid = min((cohort.grids[file] for file in files), key=lambda g: float(np.prod(g.spacing_mm)))
    spacing = sorted(grid.spacing_mm)
    extent = sorted(n * s for n, s in zip(grid.size, grid.spacing_mm, strict=True))
    return {
        VOXEL_SIZE: " x ".join(f"{s:.2g}" for s in spacing) + " mm",
        FIELD_OF_VIEW: " x ".join(f"{20 * round(e / 20):.0f}" for e in extent) + " mm",
    }


def explained_share(values: Float64Array, labels: list[str]) -> tuple[float, float]:
    """Return the share of the rank variance that groups explain, and how rarely chance does.

    Args:
        values: Finite values, `(n,)`.
        labels: Group of each.

    Returns:
        Epsilon squared (0 on average where groups do not matter), and the p of Kruskal and Wallis.
    """
    ranks = rankdata(values)
    names, of = np.unique(labels, return_inverse=True)
    n, k = len(ranks), len(names)
    if k < 2 or n <= k or np.ptp(ranks) == 0:
        return 0.0, 1.0
    means = np.bincount(of, ranks) / np.bincount(of)
    within = float(((ranks - means[of]) ** 2).sum()) / float(((ranks - ranks.mean()) ** 2).sum())
    p = float(kruskal(*(ranks[of == g] for g in range(k))).pvalue)
    return max(0.0, 1.0 - within * (n - 1) / (n - k)), p


def with_acquisition(scores: CohortScores, cohort: Cohort, within: str | None) -> CohortScores:
    """Standardize within groups if asked for, and note what acquisition explains of the order.

    Args:
        scores: Scores of the cohort.
        cohort: Where groups come from.
        within: Name of the grouping to standardize within; `None` for none.

    Raises:
        UsageError: If there is no such grouping.
    """
    groups = acquisition_groups(cohort)
    remarks: list[str] = []
    if within is not None:
        if within not in groups:
            found = ", ".join(sorted(groups))
            advice = f"found {found}. Give one of these." if groups else "found none. Leave it out."
            msg = f"Expected a grouping '{within}' of the cases (`--within`), {advice}"
            raise UsageError(msg)
        scores, remark = _standardized_within(scores, groups[within], within)
        remarks.append(remark)
    shares, texts = _shares(scores, groups)
    diagnostics = replace(scores.diagnostics, acquisition_shares=shares, remarks=(*remarks, *texts))
    return replace(scores, diagnostics=diagnostics)


def _shares(scores: CohortScores, groups: Groups) -> tuple[dict[str, float], list[str]]:
    values = scores.modality_difference
    rows = np.flatnonzero(np.isfinite(values))
    shares, texts = {}, []
    for name, of_case in sorted(groups.items()):
        labels = [of_case.get(scores.case_ids[row], UNKNOWN_GROUP) for row in rows]
        share, p = explained_share(values[rows], labels)
        shares[name] = share
        if share >= LARGE_SHARE and p < RARELY:
            texts.append(
                f"{name} explains {share:.0%} of the order by modality difference"
                f" ({len({*labels})} groups): it follows how images were acquired. To compare"
                f" cases within these groups alone, give --within {name}."
            )
    if shares and not texts:
        most = max(shares, key=lambda name: shares[name])
        texts.append(
            f"Of the order by modality difference, {joined(sorted(shares))} explain little (at most"
            f" {shares[most]:.0%}, {most})."
        )
    return shares, texts


def _standardized_within(
    scores: CohortScores, groups: Mapping[str, str], name: str
) -> tuple[CohortScores, str]:
    values = scores.modality_difference
    labels = np.array([groups.get(case_id, UNKNOWN_GROUP) for case_id in scores.case_ids])
    sizes = Counter(labels[np.isfinite(values)].tolist())
    small = sorted(label for label, size in sizes.items() if size < MIN_GROUP)
    merged = np.where(np.isin(labels, small), "", labels)
    changed = np.full(len(values), np.nan)
    for label in np.unique(merged):
        rows = (merged == label) & np.isfinite(values)
        if rows.any():
            changed[rows] = robust_z(values[rows])
    listed = f" {len(small)} groups of fewer than {MIN_GROUP} cases were taken together as one"
    rest = f"{listed} ({', '.join(small[:5])})." if small else ""
    n_own = len(sizes) - len(small)
    remark = f"The modality difference was compared within {name} ({n_own} groups).{rest}"
    measures = {**scores.measures, MODALITY_DIFFERENCE: changed}
    return replace(scores, measures=measures), remark
