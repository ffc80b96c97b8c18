"""Where the cases of a cohort come from, for random draws in which every site has its share."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from MDALSelectorLib.inspection.acquisition_groups import (
    UNKNOWN_GROUP,
    acquisition_groups,
    measured_grouping,
    site_column,
)
from MDALSelectorLib.retrospect.config import SITE_RANDOM
from MultimodalImagingLib.cohorts.cases import Cohort

OTHER_SITES = "Intervals resample the patients of this cohort and do not speak for any other site."


@dataclass(frozen=True)
class Sites:
    """Groups of cases by where or how their images were made.

    Attributes:
        grouping: Column or measure that tells them apart; `None` if nothing does.
        of_case: Group by name of the case; empty if nothing tells them apart.
    """

    grouping: str | None
    of_case: dict[str, str]

    @property
    def sentence(self) -> str:
        """Say what the groups are, and what cannot be said."""
        if self.grouping is None:
            return (
                "One site: no column such as site or scanner tells the cases apart, and neither do"
                " voxel size and field of view. A draw stratified by site would equal a plain"
                f" random one and is left out. {OTHER_SITES}"
            )
        sizes = Counter(self.of_case.values()).values()
        least, most = min(sizes), max(sizes)
        each = f"{least} to {most} cases" if least < most else f"{most} cases each"
        return (
            f"{SITE_RANDOM} draws from {len(sizes)} groups of {self.grouping} ({each}) in"
            f" proportion. {OTHER_SITES}"
        )

    def of(self, case_ids: tuple[str, ...]) -> tuple[str, ...] | None:
        """Return the group of each case; `None` if nothing tells them apart."""
        if self.grouping is None:
            return None
        return tuple(self.of_case.get(case_id, UNKNOWN_GROUP) for case_id in case_ids)


def sites_of(cohort: Cohort) -> Sites:
    """Find the sites of a cohort: a column that names them, else voxel size, else field of view.

    Columns that name all cases alike, or nearly each case another way, group nothing.

    Args:
        cohort: The cases that take part.
    """
    groups = acquisition_groups(cohort)
    name = site_column(groups) or measured_grouping(groups)
    return Sites(None, {}) if name is None else Sites(name, groups[name])
