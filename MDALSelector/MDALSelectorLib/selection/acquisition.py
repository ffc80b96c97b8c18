"""Does the order follow how images were acquired? The share of groups in it, and the remedy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from scipy.stats import kruskal, rankdata

from MDALSelectorLib.estimation.pair_estimate import robust_z
from MDALSelectorLib.inspection.acquisition_groups import (
    UNKNOWN_GROUP,
    Groups,
    acquisition_groups,
)
from MDALSelectorLib.selection.cohort_scores import CohortScores
from MDALSelectorLib.selection.diagnostics import Diagnostics
from MDALSelectorLib.strategies.pool import MODALITY_DIFFERENCE
from MultimodalImagingLib.cohorts.cases import Cohort
from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.images.arrays import Float64Array
from MultimodalImagingLib.jobs.texts import counted, joined

# A share of the rank variance that the user should know of, if chance gives it so rarely.
LARGE_SHARE = 0.2
RARELY = 0.01
# Groups with fewer cases have no spread of their own.
MIN_GROUP = 8


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
    return replace(scores, diagnostics=_with_shares(scores, groups, remarks))


def _with_shares(scores: CohortScores, groups: Groups, remarks: Sequence[str]) -> Diagnostics:
    values = scores.modality_difference
    rows = np.flatnonzero(np.isfinite(values))
    shares: dict[str, float] = {}
    large, texts = [], []
    for name, of_case in sorted(groups.items()):
        labels = [of_case.get(scores.case_ids[row], UNKNOWN_GROUP) for row in rows]
        share, p = explained_share(values[rows], labels)
        shares[name] = share
        if share >= LARGE_SHARE and p < RARELY:
            large.append(name)
            texts.append(
                f"{name} explains {share:.0%} of the order by modality difference"
                f" ({len({*labels})} groups): it follows how images were acquired. To compare"
                f" cases within these groups alone, give --within {name}."
            )
    if shares and not texts:
        most = max(shares, key=lambda name: shares[name])
        of_which = f"{shares[most]:.0%}"
        if len(shares) > 1:
            of_which = f"at most {of_which}, {most}"
        verb = "explains" if len(shares) == 1 else "explain"
        texts.append(
            f"{joined(sorted(shares))} {verb} little of the order by modality difference"
            f" ({of_which})."
        )
    return replace(
        scores.diagnostics,
        acquisition_shares=shares,
        followed=tuple(large),
        remarks=(*remarks, *texts),
    )


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
    small_were = (
        f"of fewer than {MIN_GROUP} cases {verb} taken together" for verb in ("was", "were")
    )
    listed = f" {counted(len(small), 'group', *small_were)} as one"
    rest = f"{listed} ({', '.join(small[:5])})." if small else ""
    n_own = len(sizes) - len(small)
    remark = (
        f"The modality difference was compared within {name} ({counted(n_own, 'group')}).{rest}"
    )
    measures = {**scores.measures, MODALITY_DIFFERENCE: changed}
    return replace(scores, measures=measures), remark
