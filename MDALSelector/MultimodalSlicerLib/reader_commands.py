"""The commands about cases for testing and about readers, and what the record says of both.

Must not import Qt.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from slicer.i18n import tr as _

from MultimodalImagingLib.cohorts.agreement import agreement_sentences, read_agreement
from MultimodalImagingLib.cohorts.reading_plan import read_plan
from MultimodalImagingLib.errors import CrossModalError
from MultimodalImagingLib.record.cohort_record import CaseState
from MultimodalSlicerLib.cohort_files import CohortFiles
from MultimodalSlicerLib.cohort_report import modality_options
from MultimodalSlicerLib.plurals import byNumber
from MultimodalSlicerLib.selection_parameters import MDALSelectorParameterNode


@dataclass(frozen=True)
class ReadersFacts:
    """What the record says of tests and readers.

    Attributes:
        nTests: Cases that are set aside for testing.
        nLabelledTests: Of these, labeled ones.
        sentences: How well readers agree, and what is to be done about it.
        share: Share of the labeled cases that comes back blinded, 0 to 1.
        problem: Why nothing can be said; empty if something can.
    """

    nTests: int = 0
    nLabelledTests: int = 0
    sentences: tuple[str, ...] = ()
    share: float = 0.0
    problem: str = ""

    @property
    def testText(self) -> str:
        """Say how many cases are set aside; an offer if none is."""
        if not self.nTests:
            return _(
                "No case is set aside for testing. Set some aside before the first training, or no"
                " Dice will say how good a model is on new cases."
            )
        one, more = (
            _("{n} case is set aside for testing, {labeled} of them labeled."),
            _("{n} cases are set aside for testing, {labeled} of them labeled."),
        )
        return byNumber(self.nTests, one, more).format(n=self.nTests, labeled=self.nLabelledTests)


def readersFacts(files: CohortFiles) -> ReadersFacts:
    """Return what the record of a cohort says of tests and readers; nothing is created."""
    try:
        record = files.record
        states, plan = record.read_states(), read_plan(record)
        sentences = agreement_sentences(read_agreement(record), states, limit=plan.limit)
    except CrossModalError as error:
        return ReadersFacts(problem=str(error))
    labelled = [name for name in states.evaluation if states.of(name) is CaseState.LABELLED]
    return ReadersFacts(len(states.evaluation), len(labelled), tuple(sentences), plan.share)


def defaultNumber(nCases: int) -> int:
    """Return how many cases of a cohort are set aside unless the user says otherwise."""
    from MDALSelectorLib.selection.evaluation_draw import size_of_set

    return size_of_set(None, n_cases=nCases)[0] if nCases > 1 else 1


def evaluationArguments(parameters: MDALSelectorParameterNode, nCases: int, seed: int) -> list[str]:
    """Return the command that sets so many cases aside for testing in all."""
    options = ["--share", str(nCases), "--seed", str(seed)]
    return _command("evaluation", parameters, options)


def agreementArguments(parameters: MDALSelectorParameterNode, sharePercent: int) -> list[str]:
    """Return the command that compares readers, and says which share comes back blinded."""
    return _command("agreement", parameters, ["--read-again", f"{sharePercent}%"])


def consensusArguments(parameters: MDALSelectorParameterNode, method: str) -> list[str]:
    """Return the command that makes the consensus of all cases with several readers."""
    return _command("consensus", parameters, ["--method", method])


def pageArguments(parameters: MDALSelectorParameterNode, record: Path) -> list[str]:
    """Return the command that writes the page of the labeling into the folder of its record."""
    chosen = [] if parameters.recordPath else ["--record", str(record)]
    return _command("report", parameters, chosen)


def _command(name: str, parameters: MDALSelectorParameterNode, options: list[str]) -> list[str]:
    record = ["--record", parameters.recordPath] if parameters.recordPath else []
    arguments = ["MDALSelectorLib", name, parameters.cohortPath, "--events", *options, *record]
    return arguments + modality_options(parameters.corrections)
