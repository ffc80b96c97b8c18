"""What a run found out about the classes of a cohort. Imports nothing slow: panels read it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

# Times that patients are dealt to folds to say how far drafts hold.
N_REPEATS = 2
LEARN_CLASSES = "Learn classes"  # the stage


@dataclass(frozen=True)
class ClassDraft:
    """The class that a classifier gives a case; no label.

    Attributes:
        name: The class.
        probability: Its probability, 0 to 1.
        entropy_nats: Predictive entropy: 0 where it is sure, `log(n_classes)` where all are alike.
    """

    name: str
    probability: float
    entropy_nats: float


@dataclass(frozen=True)
class ClassAccuracy:
    """How well drafts hold on cases that the classifier had not seen.

    Attributes:
        cases: Which cases these are, in words.
        n_cases: Their number.
        n_patients: Their patients.
        balanced_accuracy: Mean over the classes of the share that is right, 0 to 1.
        low: Lower end of its 95 % interval, from resampled patients.
        high: Upper end.
        chance: What guessing gives, and what naming the most frequent class every time gives.
        accuracy: Share of the cases that is right.
        majority: The most frequent class.
        majority_accuracy: Share of the cases that is right if it is named every time.
        auroc: Area under the receiver operating curve, mean over the classes against the rest;
            `None` if it is not defined.
        auroc_low: Lower end of its 95 % interval.
        auroc_high: Upper end.
        mean_probability: Mean probability of the named classes; close to `accuracy` where
            probabilities mean what they say.
    """

    cases: str
    n_cases: int
    n_patients: int
    balanced_accuracy: float
    low: float
    high: float
    chance: float
    accuracy: float
    majority: str
    majority_accuracy: float
    auroc: float | None
    auroc_low: float | None
    auroc_high: float | None
    mean_probability: float

    @property
    def is_above_chance(self) -> bool:
        """Whether the whole interval lies above chance."""
        return self.low > self.chance

    @property
    def sentence(self) -> str:
        """The figures in words."""
        auroc = ""
        if self.auroc is not None and self.auroc_low is not None and self.auroc_high is not None:
            auroc = (
                f"; AUROC {self.auroc:.2f} (95 % interval {self.auroc_low:.2f} to"
                f" {self.auroc_high:.2f})"
            )
        return (
            f"Balanced accuracy {self.balanced_accuracy:.2f} (95 % interval {self.low:.2f} to"
            f" {self.high:.2f}; naming {self.majority} every time gives {self.chance:.2f}){auroc};"
            f" {self.accuracy:.0%} of the cases are right, {self.majority_accuracy:.0%} if"
            f" {self.majority} is named every time; the mean probability was"
            f" {self.mean_probability:.0%}: {self.cases}."
        )


@dataclass(frozen=True)
class ClassFindings:
    """What a run found out about the classes of a cohort.

    Attributes:
        names: All classes of the task, in its order.
        given: Class of every labeled case.
        drafts: Draft of every other case; empty if nothing could be learned.
        cross_validated: How well drafts hold among the labeled cases; `None` if not known.
        evaluation: How well they hold on the evaluation set; `None` if none of it is labeled.
        sentence: How far to trust the drafts, or why there are none.
        remarks: What else speaks against them; full sentences.
    """

    names: tuple[str, ...]
    given: Mapping[str, str] = field(default_factory=dict)
    drafts: Mapping[str, ClassDraft] = field(default_factory=dict)
    cross_validated: ClassAccuracy | None = None
    evaluation: ClassAccuracy | None = None
    sentence: str = ""
    remarks: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """Number of labeled cases per class of the task."""
        found = Counter(self.given.values())
        return {name: found[name] for name in self.names}

    @property
    def draft_counts(self) -> dict[str, int]:
        """Number of drafts per class of the task."""
        found = Counter(draft.name for draft in self.drafts.values())
        return {name: found[name] for name in self.names}
