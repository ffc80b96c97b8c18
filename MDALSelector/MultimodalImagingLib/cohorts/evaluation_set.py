"""The cases of a cohort that are set aside for testing: what counts as set aside, for everybody.

They are labeled like others, are never suggested for training and never trained on. A patient is
set aside as a whole: other cases of it, also those that join the cohort later, are kept from
training too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from MultimodalImagingLib.cohorts.cases import Case, Cohort
from MultimodalImagingLib.errors import UsageError
from MultimodalImagingLib.images.label_names import draft_model
from MultimodalImagingLib.images.stored_image import ImageFile
from MultimodalImagingLib.jobs.environment import same_name
from MultimodalImagingLib.jobs.progress import Reporter
from MultimodalImagingLib.jobs.texts import counted, listed
from MultimodalImagingLib.record.cohort_record import CohortRecord, existing_record
from MultimodalImagingLib.record.shared_record import shared_record


@dataclass(frozen=True)
class EvaluationSet:
    """Cases that are set aside for testing.

    Attributes:
        cases: Those that the cohort has, sorted.
        companions: Other cases of their patients, sorted; kept from training, but no test cases.
        absent: Those that the cohort does not have, sorted: renamed, removed or unreadable.
    """

    cases: tuple[str, ...] = ()
    companions: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()

    @property
    def held_out(self) -> frozenset[str]:
        """Cases that may have no part in a model and in no choice of cases to train on."""
        return frozenset((*self.cases, *self.companions))

    @property
    def reasons(self) -> dict[str, str]:
        """Why each of the held out cases is not suggested; parts of sentences."""
        why = dict.fromkeys(self.companions, "another case of its patient is set aside for testing")
        return why | dict.fromkeys(self.cases, "set aside for testing; label it like the others")

    def tell(self, reporter: Reporter, *, what: str = "suggested") -> None:
        """Say how many cases are set aside and what that means here; nothing if none is."""
        for text in self.remarks:
            reporter.warning(text)
        if self.cases:
            n, verb = len(self.cases), "is" if len(self.cases) == 1 else "are"
            reporter.info(f"{counted(n, 'case')} {verb} set aside for testing and not {what}.")

    @property
    def remarks(self) -> tuple[str, ...]:
        """Say what a user would not expect; full sentences."""
        texts = []
        if self.companions:
            texts.append(
                f"{counted(len(self.companions), 'more case')} of patients that are set aside for"
                f" testing {'is' if len(self.companions) == 1 else 'are'} kept from training, too:"
                f" {listed(list(self.companions))}."
            )
        if self.absent:
            texts.append(
                f"Set aside for testing, but not in this cohort: {listed(list(self.absent))}. If"
                " they were renamed, their new names are not kept from training: set them aside"
                " again with `mdal-selector evaluation`."
            )
        return tuple(texts)


def read_evaluation_set(cohort: Cohort, record: CohortRecord) -> EvaluationSet:
    """Return the cases that are set aside, and the others of their patients.

    Raises:
        CohortError: If a record cannot be read.
    """
    return evaluation_set(cohort.cases, names_set_aside(cohort.root, record))


def names_set_aside(root: Path, record: CohortRecord) -> frozenset[str]:
    """Return the names that are set aside, by a record, the usual one, or that of the cohort.

    Args:
        root: Folder of the cohort.
        record: The record.

    Raises:
        CohortError: If a record cannot be read.
    """
    names = {*record.read_states().evaluation}
    usual = existing_record(root)
    if usual is not None and usual.folder.resolve() != record.folder.resolve():
        names |= {*usual.read_states().evaluation}
    shared = shared_record(root, record)
    if shared is not None:
        names |= {*shared.read_states().evaluation}
    return frozenset(same_name(name) for name in names)


def evaluation_set(cases: Iterable[Case], set_aside: Iterable[str]) -> EvaluationSet:
    """Find the cases that are set aside, and the others of their patients.

    Args:
        cases: All cases of the cohort.
        set_aside: Names of the cases that the record says are set aside.
    """
    wanted = {same_name(name) for name in set_aside}
    patient_of = {case.case_id: case.patient_id for case in cases}
    own = wanted & patient_of.keys()
    patients = {patient_of[name] for name in own}
    companions = {name for name, patient in patient_of.items() if patient in patients} - own
    return EvaluationSet(
        tuple(sorted(own)), tuple(sorted(companions)), tuple(sorted(wanted - patient_of.keys()))
    )


def split_held_out(
    cases: Sequence[Case], held: EvaluationSet
) -> tuple[tuple[Case, ...], tuple[Case, ...]]:
    """Split labeled cases into those to train on and those of the evaluation set.

    Companions are in neither.
    """
    tests = frozenset(held.cases)
    return (
        tuple(case for case in cases if case.case_id not in held.held_out),
        tuple(case for case in cases if case.case_id in tests),
    )


def labels_from_drafts(labels: Mapping[str, ImageFile | None]) -> dict[str, str]:
    """Return the cases whose label began as a draft, and the model of each draft.

    Args:
        labels: Label per case.
    """
    files = {name: file.path for name, file in labels.items() if file is not None}
    models = {name: draft_model(path) for name, path in files.items() if path.is_file()}
    return {name: model for name, model in models.items() if model}


def drafts_text(drafted: Mapping[str, str]) -> str:
    """Say that labels of the evaluation set began as drafts, which makes their Dice flatter."""
    n, models = len(drafted), sorted({*drafted.values()})
    return (
        f"{counted(n, 'label')} of the evaluation set began as {'a draft' if n == 1 else 'drafts'}"
        f" of {listed(models)}, so the Dice on {'it' if n == 1 else 'them'} flatters:"
        f" {listed(sorted(drafted))}. Labels that test a model are better drawn without its draft."
    )


def check_some_to_train_on(cases: Sequence[Case], tested: Sequence[Case]) -> None:
    """Refuse to train where all labeled cases are set aside for testing.

    Raises:
        UsageError: If so.
    """
    if tested and not cases:
        n = len(tested)
        msg = (
            f"Expected labeled cases to train on, found {counted(n, 'labeled case')} of the"
            " evaluation set only, which may not be trained on. Label other cases, too."
        )
        raise UsageError(msg)


def check_not_held_out(names: Iterable[str], held: EvaluationSet, *, option: str) -> None:
    """Refuse an option that names cases which are kept from training.

    Raises:
        UsageError: If it does.
    """
    wrong = sorted(held.held_out.intersection(same_name(name) for name in names))
    if wrong:
        msg = (
            f"{option} names {listed(wrong)}, which {'is' if len(wrong) == 1 else 'are'} set aside"
            " for testing and must have no part in a training. Name other cases."
        )
        raise UsageError(msg)
