"""The cases of a cohort: to be trained on, to be segmented, and what became of them.

Must not import Slicer or Qt.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from CIMLSegmentLib.model.result_place import result_place
from MultimodalImagingLib.cohorts.evaluation_set import names_set_aside
from MultimodalImagingLib.errors import CrossModalError
from MultimodalImagingLib.record.cohort_record import CaseState
from MultimodalSlicerLib.cohort_files import CohortFiles, FoundCase

LABELLED, UNLABELLED, SEGMENTED, FAILED = "labelled", "unlabelled", "segmented", "failed"


@dataclass(frozen=True)
class BatchCase:
    """A case and what became of it.

    Attributes:
        found: The case with its files.
        state: `labelled`, `unlabelled`, `segmented` or `failed`.
        folder: Its result; empty before.
        detail: Volumes of the regions, or why it failed.
    """

    found: FoundCase
    state: str
    folder: str = ""
    detail: str = ""


class CohortCases:
    """The cases of one cohort.

    Attributes:
        files: Where the cohort lies.
        cases: Its cases by name.
        tests: Those that are set aside for testing.
    """

    def __init__(self, files: CohortFiles, found: Sequence[FoundCase]) -> None:
        states = files.states()
        self.files = files
        self.cases = {case.case_id: BatchCase(case, _state(case, files, states)) for case in found}
        self.tests = names_set_aside(files.root, files.record) & self.cases.keys()
        self._original = dict(self.cases)

    @property
    def unlabelled(self) -> list[str]:
        """Cases that are still to be segmented: without label and without result."""
        return [name for name, case in self.cases.items() if case.state in (UNLABELLED, FAILED)]

    @property
    def n_labelled(self) -> int:
        """Number of cases with a label."""
        return sum(case.state == LABELLED for case in self.cases.values())

    @property
    def n_labelled_tests(self) -> int:
        """Of these, the ones that test a model and are never trained on."""
        return sum(self.cases[name].state == LABELLED for name in self.tests)

    def find(self, folder: Path | None) -> Iterator[Path]:
        """Take over the results that a folder holds already, one per step.

        What was known of results before is forgotten.
        """
        from CIMLSegmentLib.results.segmentation_result import find_results

        self.cases = dict(self._original)
        for path in () if folder is None else find_results(folder):
            self.take(path)
            yield path

    def take(self, folder: Path) -> None:
        """Take over a result; one that cannot be read is a failed case."""
        from CIMLSegmentLib.results.segmentation_result import read_result

        try:
            result = read_result(folder)
        except CrossModalError as error:
            self.fail(folder.name, str(error))
            return
        case = self.cases.get(result.case_id)
        if case is not None and case.state != LABELLED:
            detail = _volumes(result.volumes_ml)
            changed = replace(case, state=SEGMENTED, folder=str(folder), detail=detail)
            self.cases[result.case_id] = changed

    def fail(self, name: str, reason: str) -> None:
        """Note why a case has no result."""
        if name in self.cases and self.cases[name].state != LABELLED:
            self.cases[name] = replace(self.cases[name], state=FAILED, folder="", detail=reason)


def default_model_folder(files: CohortFiles, task: str) -> Path:
    """Return a folder in the cohort's record that holds no model yet.

    Raises:
        UsageError: If the record cannot be created.
    """
    models = files.open_record().models
    models.mkdir(parents=True, exist_ok=True)
    number, folder = 2, models / task
    while folder.exists():
        number, folder = number + 1, models / f"{task}-{number}"
    return folder


def default_result_folder(files: CohortFiles, model: Path) -> Path:
    """Return the folder of a model's results in the cohort's record; nothing is created."""
    return result_place(files.record, model)


def _state(case: FoundCase, files: CohortFiles, states: Mapping[str, CaseState]) -> str:
    return LABELLED if files.is_labelled(case, states.get(case.case_id)) else UNLABELLED


def _volumes(volumes_ml: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {volume:.1f} ml" for name, volume in volumes_ml.items())
