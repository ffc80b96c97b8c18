"""The outcome of a selection run: ranked cases, why, and how far to trust them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from MDALSelectorLib.case_flags import CHECK_PAIRING, INCOMPLETE, Flag
from MDALSelectorLib.classification.class_findings import ClassFindings
from MDALSelectorLib.selection.budget import Budget
from MDALSelectorLib.selection.diagnostics import Diagnostics, Pair, Trust
from MDALSelectorLib.strategies.pool import EPISTEMIC, MODALITY_DIFFERENCE
from MultimodalImagingLib.translation import QT_TRANSLATE_NOOP

# Name of what the modalities of a case share where they share least.
LEAST_AGREEMENT = "least_agreement_nats"
# Strategies whose first case matters most; the others choose cases that matter together.
BY_PRIORITY = ("MaxMD", "MinMD", "VoxelNMI", "Score", "Epistemic", "EpistemicMD")


@dataclass(frozen=True)
class Measure:
    """A number per case, and with that a column of the table of cases.

    An entry of `MEASURES` is a key of every case in `selection.json` and a column of the panel, and
    of `selection.csv` and the report where any case has it; its values are `CohortScores.measures`.

    Attributes:
        name: Name of the values.
        title: Heading of the column.
        meaning: What its values say, in one sentence.
    """

    name: str
    title: str
    meaning: str


MEASURES: tuple[Measure, ...] = (
    Measure(
        MODALITY_DIFFERENCE,
        QT_TRANSLATE_NOOP("Measure", "modality difference"),
        "Unitless, about a standard deviation; the larger, the less information the modalities"
        " share.",
    ),
    Measure(
        LEAST_AGREEMENT,
        QT_TRANSLATE_NOOP("Measure", "least agreement"),
        "Nats per position; 95 % of the positions of the case share more. Low where something shows"
        " in one modality alone. The order does not depend on it.",
    ),
    Measure(
        EPISTEMIC,
        QT_TRANSLATE_NOOP("Measure", "uncertainty of the model"),
        "Nats: predictive entropy of the class of a draft, or mean of it around the border of a"
        " segmentation (0 to 0.69), whatever its size; the larger, the less sure the model is.",
    ),
)


@dataclass(frozen=True)
class RankedCase:
    """One case of the cohort and what the run found out about it.

    Attributes:
        rank: Place in the order of labeling, from 1.
        case_id: The case.
        patient_id: Its patient.
        suggested: Whether it is among the cases to label next.
        labelled: Whether it had a label before the run.
        measures: What was measured of it, by the names of `MEASURES`; absent where there is none.
        pmi: Pointwise mutual information per scored pair of modalities, nats.
        z: The same against the cohort's median and spread, unitless.
        components: First principal components of its fused embedding, unitless.
        flags: What the user should know.
        reason: Why it has its rank, in words and numbers.
        thumbnail: Name of its picture in the run's folder `thumbnails`; `None` if it has none.
    """

    rank: int
    case_id: str
    patient_id: str
    suggested: bool
    labelled: bool
    measures: Mapping[str, float]
    pmi: Mapping[Pair, float]
    z: Mapping[Pair, float]
    components: tuple[float, ...]
    flags: tuple[Flag, ...]
    reason: str
    thumbnail: str | None = None

    def __post_init__(self) -> None:
        """Refuse values that are not finite and pictures outside the run's folder."""
        values = [*self.pmi.values(), *self.z.values(), *self.measures.values(), *self.components]
        if not all(math.isfinite(value) for value in values):
            msg = f"Expected finite values for case {self.case_id}, got {values}."
            raise ValueError(msg)
        if self.thumbnail is not None and (set(self.thumbnail) & set("/\\:\0")):
            msg = f"Expected the name of a picture for case {self.case_id}, got {self.thumbnail!r}."
            raise ValueError(msg)

    @property
    def modality_difference(self) -> float | None:
        """See `MEASURES`; `None` if no pair of modalities could be scored."""
        return self.measures.get(MODALITY_DIFFERENCE)

    @property
    def state(self) -> str:
        """What is to be done: labeled, suggested, check pairing, or (still) unlabeled."""
        if self.labelled:
            return "labelled"
        if self.suggested:
            return "suggested"
        return CHECK_PAIRING if self.has_flag(CHECK_PAIRING) else "unlabelled"

    def has_flag(self, kind: str) -> bool:
        """Tell whether the case has a flag of that kind."""
        return any(flag.kind == kind for flag in self.flags)


@dataclass(frozen=True)
class Fallback:
    """The strategy that was used in place of the one that was asked for, and why."""

    asked: str
    used: str
    reason: str


@dataclass(frozen=True)
class StrategyComparison:
    """What the other strategies would have chosen with the same budget.

    Attributes:
        strategies: Names.
        n_shared: Cases that the picks of two strategies have in common; the diagonal is the budget.
        coverage_radius: Per strategy, the largest distance of a case to its closest picked or
            labeled case, in the space of the fused embeddings, unitless; small covers well.
        mean_difference: Per strategy, the mean modality difference of its picks, unitless.
        n_shared_by_chance: Cases that two random choices have in common on average.
    """

    strategies: tuple[str, ...]
    n_shared: tuple[tuple[int, ...], ...]
    coverage_radius: tuple[float, ...]
    mean_difference: tuple[float | None, ...]
    n_shared_by_chance: float

    def __post_init__(self) -> None:
        """Refuse tables that do not fit the names."""
        n = len(self.strategies)
        lengths = {len(row) for row in self.n_shared} | {len(self.n_shared)}
        if (lengths | {len(self.coverage_radius), len(self.mean_difference)}) != {n}:
            msg = f"Expected {n} rows and columns for {n} strategies."
            raise ValueError(msg)


@dataclass(frozen=True)
class CaseSelection:
    """A whole run: every case of the cohort once, in the order of labeling.

    Attributes:
        cohort: Name of the cohort.
        modalities: In the order of the cohort.
        strategy: The strategy that chose.
        budget: How many cases it chose.
        seed: Seed of everything random.
        cases: All cases by rank.
        diagnostics: What speaks for and against the ranking.
        trust: How far to trust it.
        fallback: If another strategy was asked for.
        comparison: What other strategies would have chosen; `None` for a cohort too small.
        classes: Classes, drafts and what they are worth; `None` for a cohort to segment.
        problems: What was wrong with the cohort's files, one sentence each.
        configuration: Settings of the run; JSON-able.
        versions: Versions of the programs that made it.
    """

    cohort: str
    modalities: tuple[str, ...]
    strategy: str
    budget: Budget
    seed: int
    cases: tuple[RankedCase, ...]
    diagnostics: Diagnostics
    trust: Trust
    fallback: Fallback | None = None
    comparison: StrategyComparison | None = None
    classes: ClassFindings | None = None
    problems: tuple[str, ...] = ()
    configuration: Mapping[str, object] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a ranking with gaps, and one whose suggested cases are not its first."""
        ranks = [case.rank for case in self.cases]
        if ranks != list(range(1, len(ranks) + 1)):
            msg = f"Expected the ranks 1 to {len(ranks)} in order, got {ranks[:10]}."
            raise ValueError(msg)
        if len({case.case_id for case in self.cases}) != len(self.cases):
            msg = "Expected every case once in the ranking."
            raise ValueError(msg)
        suggested = [case.rank for case in self.cases if case.suggested]
        if suggested != list(range(1, self.budget.n_cases + 1)):
            msg = (
                f"Expected the first {self.budget.n_cases} ranks to be suggested, got {suggested}."
            )
            raise ValueError(msg)

    @property
    def known_measures(self) -> tuple[Measure, ...]:
        """Those of `MEASURES` that any case has; the modality difference is always among them."""
        known = {MODALITY_DIFFERENCE}.union(*(case.measures for case in self.cases))
        return tuple(measure for measure in MEASURES if measure.name in known)

    @property
    def suggested(self) -> tuple[RankedCase, ...]:
        """The cases to label next, in order."""
        return tuple(case for case in self.cases if case.suggested)

    @property
    def to_check(self) -> tuple[RankedCase, ...]:
        """Cases whose modalities do not seem to belong together, not yet accepted or labeled."""
        return tuple(case for case in self.cases if case.state == CHECK_PAIRING)

    @property
    def order_text(self) -> str:
        """What the order of the suggested cases means, to follow "label next"."""
        if self.strategy in BY_PRIORITY:
            return ", in this order"
        return " (they were chosen together: the numbers are the order of choice, not of weight)"

    @property
    def incomplete(self) -> tuple[RankedCase, ...]:
        """Cases that lack a modality."""
        return tuple(case for case in self.cases if case.has_flag(INCOMPLETE))

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """All pairs of modalities, in the order of the diagnostics."""
        return tuple(pair.pair for pair in self.diagnostics.pairs)


def usual_range(values: Iterable[float]) -> tuple[float, float]:
    """Return the smallest and the largest value that are no outliers.

    Outliers are farther than three quartile distances from the quartiles [1]; without them, the
    values of all other cases can be distinguished in a bar or a plot.

    References:
        [1] Tukey, Exploratory Data Analysis, 1977: values that are "far out".
    """
    ordered = sorted(values)
    if not ordered:
        return 0.0, 0.0
    low, high = ordered[len(ordered) // 4], ordered[(3 * len(ordered) - 1) // 4]
    reach = 3.0 * (high - low)
    usual = [value for value in ordered if low - reach <= value <= high + reach]
    return usual[0], usual[-1]
