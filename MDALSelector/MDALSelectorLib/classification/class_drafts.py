"""From labeled cases to drafts for the others, and to what they are worth."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from MDALSelectorLib.classification.class_evaluation import (
    HeldOut,
    Resamples,
    accuracy_of,
    area_within_groups,
    balanced_accuracy,
    cross_validated,
    group_hits,
)
from MDALSelectorLib.classification.class_findings import ClassAccuracy, ClassDraft, ClassFindings
from MDALSelectorLib.classification.class_learner import (
    LEAST_PATIENTS,
    IntArray,
    chosen_strength,
    class_probabilities,
    patients_per_class,
    predictive_entropy,
    standardized,
)
from MultimodalImagingLib.images.arrays import Float64Array, MaskArray
from MultimodalImagingLib.jobs.texts import counted, joined

# Fewer labeled cases do not say how well anything is told.
FEW_CASES = 10
# Pairs of cases within a group below which nothing is said about them.
FEW_PAIRS = 20
CROSS_VALIDATED = "on {cases} with a class, each predicted without its patient"
EVALUATION = "on {cases} of the evaluation set, none of which was learned from"


@dataclass(frozen=True, eq=False)
class ClassifiedCohort:
    """What is known of a cohort whose cases have classes; row i of the arrays is case i.

    Attributes:
        names: Classes of the task, in its order.
        case_ids: Cases, in order.
        patient_ids: Their patients.
        embeddings: Fused embeddings, `(n_cases, n_features)`.
        given: Class per labeled case.
        evaluation: Cases that are set aside for testing; never learned from and, so that readers
            see no guess, not drafted.
        companions: Other cases of their patients; never learned from either.
        groups: Groups of acquisition, such as the site: name of the grouping, case, group.
    """

    names: tuple[str, ...]
    case_ids: tuple[str, ...]
    patient_ids: tuple[str, ...]
    embeddings: Float64Array
    given: Mapping[str, str]
    evaluation: frozenset[str] = frozenset()
    companions: frozenset[str] = frozenset()
    groups: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def training_rows(self) -> IntArray:
        """Rows of the labeled cases of patients of whom no case is set aside for testing."""
        return self._labelled(self.is_free)

    @property
    def is_free(self) -> MaskArray:
        """Whether something may be learned from a case, `(n_cases,)`: none of its patient tests."""
        held_out = self.evaluation | self.companions
        return np.array([name not in held_out for name in self.case_ids], dtype=bool)

    @property
    def evaluation_rows(self) -> IntArray:
        """Rows of the labeled cases of the evaluation set."""
        return self._labelled([name in self.evaluation for name in self.case_ids])

    def _labelled(self, is_wanted: Iterable[bool]) -> IntArray:
        wanted = zip(self.case_ids, is_wanted, strict=True)
        rows = [row for row, (name, is_one) in enumerate(wanted) if is_one and name in self.given]
        return np.array(rows, dtype=np.intp)

    def patients(self, rows: IntArray) -> list[str]:
        """Return the patients of rows."""
        return [self.patient_ids[row] for row in rows]

    def classes(self, rows: IntArray) -> IntArray:
        """Return the number of the class of labeled rows."""
        return np.array(
            [self.names.index(self.given[self.case_ids[row]]) for row in rows], dtype=np.intp
        )


def find_drafts(
    cohort: ClassifiedCohort, *, seed: int, advance: Callable[[], None] = lambda: None
) -> ClassFindings:
    """Learn from the labeled cases, draft the others, and say how far that holds.

    Args:
        cohort: The cohort.
        seed: Source of splits and resamples.
        advance: Called after every repeat of the cross-validation.
    """
    rows = cohort.training_rows
    numbers = cohort.classes(rows)
    enough = patients_per_class(numbers, cohort.patients(rows))
    learned = [c for c in sorted(enough) if enough[c] >= LEAST_PATIENTS]
    if len(learned) < 2:
        return ClassFindings(cohort.names, cohort.given, sentence=_why_not(cohort, numbers))
    used = rows[np.isin(numbers, learned)]
    classes = np.searchsorted(learned, cohort.classes(used))
    patients = cohort.patients(used)
    values = standardized(cohort.embeddings, over=cohort.embeddings[cohort.is_free])
    strength = chosen_strength(values[used], classes, patients, seed=seed)
    probabilities = class_probabilities(
        values[used], classes, values, n_classes=len(learned), strength=strength
    )
    names = [cohort.names[number] for number in learned]
    held_out = cross_validated(values[used], classes, patients, seed=seed, advance=advance)
    text = CROSS_VALIDATED.format(cases=counted(len(used), "case"))
    own = accuracy_of(held_out, names, cases=text, seed=seed)
    evaluation = _on_evaluation_set(cohort, probabilities, names, seed=seed)
    return ClassFindings(
        cohort.names,
        cohort.given,
        drafts=_drafts(cohort, probabilities, names),
        cross_validated=own,
        evaluation=evaluation,
        sentence=_how_far(evaluation or own),
        remarks=(
            *_not_learned(cohort, names, len(rows) - len(used)),
            *_about_groups(cohort, used, held_out, own, seed),
        ),
    )


def entropy_column(findings: ClassFindings, case_ids: tuple[str, ...]) -> Float64Array:
    """Return the predictive entropy of the draft of every case, nats; NaN where there is none."""
    drafts = [findings.drafts.get(case_id) for case_id in case_ids]
    return np.array([np.nan if draft is None else draft.entropy_nats for draft in drafts])


def _drafts(
    cohort: ClassifiedCohort, probabilities: Float64Array, names: list[str]
) -> dict[str, ClassDraft]:
    entropy = predictive_entropy(probabilities)
    best = probabilities.argmax(axis=1)
    return {
        case_id: ClassDraft(
            names[best[row]], float(probabilities[row, best[row]]), float(entropy[row])
        )
        for row, case_id in enumerate(cohort.case_ids)
        if case_id not in cohort.given and case_id not in cohort.evaluation
    }


def _on_evaluation_set(
    cohort: ClassifiedCohort, probabilities: Float64Array, names: list[str], *, seed: int
) -> ClassAccuracy | None:
    """Say how well drafts hold on the whole evaluation set; what cannot be named is wrong."""
    rows = cohort.evaluation_rows
    if not len(rows):
        return None
    known = np.zeros((1, len(rows), len(cohort.names)))
    known[0][:, [cohort.names.index(name) for name in names]] = probabilities[rows]
    held_out = HeldOut(known, cohort.classes(rows), tuple(cohort.patients(rows)))
    text = EVALUATION.format(cases=counted(len(rows), "case"))
    return accuracy_of(held_out, cohort.names, cases=text, seed=seed)


def _why_not(cohort: ClassifiedCohort, numbers: IntArray) -> str:
    counts = np.bincount(numbers, minlength=len(cohort.names))
    found = [f"{name} {n}" for name, n in zip(cohort.names, counts, strict=True)]
    return (
        "No drafts: expected two classes with labeled cases of at least"
        f" {LEAST_PATIENTS} patients each to learn from, found {joined(found)}. Label more cases."
    )


def _how_far(found: ClassAccuracy) -> str:
    if found.n_cases < FEW_CASES:
        return f"How well drafts hold cannot be said from so few cases. {found.sentence}"
    if found.is_above_chance:
        return f"Drafts are told from chance, and remain guesses. {found.sentence}"
    return (
        "Drafts are not told from chance: do not rely on them, nor on an order by their entropy."
        f" {found.sentence}"
    )


def _not_learned(cohort: ClassifiedCohort, names: list[str], n_unused: int) -> list[str]:
    missing = [name for name in cohort.names if name not in names]
    if not missing:
        return []
    text = (
        f"No draft can name {joined(missing)}: fewer than {LEAST_PATIENTS} patients have a labeled"
        " case of it."
    )
    if n_unused:
        text += (
            f" {counted(n_unused, 'case', 'is', 'are')} therefore not among those that were"
            " predicted without their patient; on the evaluation set such cases count as wrong."
        )
    return [text]


def _about_groups(
    cohort: ClassifiedCohort, rows: IntArray, held_out: HeldOut, own: ClassAccuracy, seed: int
) -> list[str]:
    """Say which groups of acquisition give the class away, and what is left within them."""
    remarks = []
    draws = Resamples(held_out.patients, seed=seed)
    for name, of_case in sorted(cohort.groups.items()):
        groups = [of_case.get(cohort.case_ids[row], "") for row in rows]
        hits = group_hits(groups, held_out.classes, held_out.patients)
        found = balanced_accuracy(hits, held_out.classes, draws)
        if np.quantile(found[1:], 0.025) <= own.chance:
            continue
        within = _within(name, area_within_groups(held_out, groups, draws))
        remarks.append(
            f"Classes follow {name}, which tells them alone with a balanced accuracy of"
            f" {found[0]:.2f}: drafts may know how images were acquired rather than what they show;"
            f" {within}."
        )
    return remarks


def _within(name: str, found: tuple[tuple[float, float, float], int] | None) -> str:
    if found is None or found[1] < FEW_PAIRS:
        return f"too few cases of different classes have the same {name} to tell"
    (area, low, high), n_pairs = found
    return (
        f"between cases of the same {name} the AUROC of the drafts is {area:.2f} (95 % interval"
        f" {low:.2f} to {high:.2f}, {counted(n_pairs, 'pair')})"
    )
