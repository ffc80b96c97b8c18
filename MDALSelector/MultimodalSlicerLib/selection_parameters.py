"""What the user chooses in MDALSelector: kept in the scene, and as a command line."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import Minimum, WithinRange, parameterNodeWrapper

from MDALSelectorLib.estimation.config import ESTIMATORS
from MDALSelectorLib.retrospect.config import DEFAULT_BUDGETS, LEARNERS
from MDALSelectorLib.selection.config import LABELLED_RULES
from MDALSelectorLib.strategies import STRATEGIES
from MultimodalImagingLib.record.cohort_record import CaseState
from MultimodalSlicerLib.cohort_files import CohortFiles
from MultimodalSlicerLib.cohort_report import inspect_arguments, modality_options

if TYPE_CHECKING:
    from slicer_types import WrappedParameters
else:
    WrappedParameters = object


SELECTOR, SEGMENTER = "MDALSelector", "CIMLSegment"


class BudgetUnit(enum.Enum):
    """What the budget counts; the value follows the number on the command line."""

    PERCENT = "%"
    CASES = ""

    def label(self) -> str:
        """Return the text of the combo box."""
        return _("% of the cases") if self is BudgetUnit.PERCENT else _("cases")


def memberName(name: str) -> str:
    """Return the name under which scenes keep a choice, for example `DIVERSE_MD`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|-", "_", name).upper()


class Strategy(enum.Enum):
    """The strategies of the command line."""

    _ignore_ = "members strategy"
    members = vars()
    for strategy in STRATEGIES:
        members[memberName(strategy)] = strategy

    def label(self) -> str:
        """Return the text of the combo box: names of methods are not translated."""
        return str(self.value)

    def hint(self) -> str:
        """Say how the strategy chooses."""
        summary = translate("Strategy", STRATEGIES[self.value].summary)
        return _("{summary}.").format(summary=summary[:1].upper() + summary[1:])


class Estimator(enum.Enum):
    """How pointwise mutual information is estimated; the values are those of the command line."""

    _ignore_ = "members name"
    members = vars()
    for name in ESTIMATORS:
        members[memberName(name)] = name

    def label(self) -> str:
        """Return the text of the combo box."""
        texts = {
            "auto": _("Automatic"),
            "local": _("Local (positions, closed form)"),
            "gaussian": _("Gaussian (closed form)"),
            "local-contrastive": _("Local contrastive (neural network)"),
            "contrastive": _("Contrastive (neural network)"),
        }
        return texts.get(self.value, str(self.value))


class Device(enum.Enum):
    """What networks are trained on; the empty value leaves the choice to the command."""

    AUTO = ""
    CPU = "cpu"
    CUDA = "cuda"
    MPS = "mps"

    def label(self) -> str:
        """Return the text of the combo box."""
        return deviceText(self.value)


def deviceText(name: str) -> str:
    """Return the text of the combo box for a device of the command line."""
    names = {"cpu": _("CPU"), "cuda": _("NVIDIA GPU"), "mps": _("Apple GPU")}
    return names.get(name, _("Automatic"))


class LabelledRule(enum.Enum):
    """Which cases count as labeled; the values are those of the command line."""

    _ignore_ = "members name"
    members = vars()
    for name in LABELLED_RULES:
        members[memberName(name)] = name

    def label(self) -> str:
        """Return the text of the combo box."""
        texts = {
            "auto": _("Automatic"),
            "files": _("Those with a label file"),
            "record": _("Those that were labeled here"),
        }
        return texts.get(self.value, str(self.value))


class Learner(enum.Enum):
    """What a retrospective run trains; the values are those of the command line."""

    _ignore_ = "members name"
    members = vars()
    for name in LEARNERS:
        members[memberName(name)] = name

    def label(self) -> str:
        """Return the text of the combo box."""
        texts = {
            "linear": _("Linear (a quick proxy)"),
            "network": _("Network (slow)"),
        }
        return texts.get(self.value, str(self.value))


class LabelStart(enum.Enum):
    """What the labels of a case begin as where nobody has made any."""

    RESULT = "result"
    EMPTY = "empty"

    def label(self) -> str:
        """Return the text of the combo box."""
        isResult = self is LabelStart.RESULT
        return _("Start from the model's result") if isResult else _("Start empty")


@parameterNodeWrapper
class MDALSelectorParameterNode(WrappedParameters):
    """Everything that the user chose.

    Attributes:
        cohortPath: Folder or CSV manifest; empty before one was chosen.
        recordPath: Folder of the record; empty for the usual place.
        corrections: Corrections `PATTERN=NAME` of the modalities' names.
        keepsModalityNames: Whether the corrections are kept in the cohort's record.
        budget: A number of `budgetUnit`.
        budgetUnit: Percent or cases.
        strategy: How cases are chosen.
        estimator: How pointwise mutual information is estimated.
        device: What networks are trained on.
        seed: Seed of everything random.
        labelledRule: Which cases count as labeled.
        scoreColumn: Column of the manifest for the strategy Score.
        within: Grouping within which the modality difference is compared; empty for none.
        acceptedCases: Cases whose pairing the user confirmed.
        labelStart: What labels begin as where a case has a result, and none of a reader.
        showsMap: Whether the local PMI map of the open case is shown.
        mapOpacity: Of the map over the image.
        retrospectBudgets: Budgets that a retrospective run replays, with commas between them.
        learner: What it trains.
        retrospectDraws: Random draws per outer fold and budget.
        retrospectRun: Folder of the last one that was finished; empty if there is none.
    """

    cohortPath: str
    recordPath: str
    corrections: list[str]
    keepsModalityNames: bool
    budget: Annotated[int, WithinRange(1, 100000)] = 20
    budgetUnit: BudgetUnit
    strategy: Strategy
    estimator: Estimator
    device: Device
    seed: Annotated[int, Minimum(0)] = 0
    labelledRule: LabelledRule
    scoreColumn: str
    within: str
    acceptedCases: list[str]
    labelStart: LabelStart
    showsMap: bool
    mapOpacity: Annotated[float, WithinRange(0.0, 1.0)] = 0.6
    retrospectBudgets: str = ",".join(DEFAULT_BUDGETS)
    learner: Learner
    retrospectDraws: Annotated[int, WithinRange(2, 1000)] = 40
    retrospectRun: str


def selectorParameters(scene: slicer.vtkMRMLScene) -> MDALSelectorParameterNode | None:
    """Return what the user chose in MDALSelector; `None` if it was never opened in the scene."""
    node = scene.GetSingletonNode(SELECTOR, "vtkMRMLScriptedModuleNode")
    return None if node is None else MDALSelectorParameterNode(node)


def chosenResults(scene: slicer.vtkMRMLScene, files: CohortFiles) -> str:
    """Return the folder that was chosen in CIMLSegment for results of a cohort; may be empty."""
    node = scene.GetSingletonNode(SEGMENTER, "vtkMRMLScriptedModuleNode")
    if node is None or node.GetParameter("cohortPath") != files.path:
        return ""
    return str(node.GetParameter("batchPath"))


def acceptPairing(scene: slicer.vtkMRMLScene, files: CohortFiles, caseID: str) -> None:
    """Note that the modalities of a case belong together: a selection may suggest it.

    Raises:
        CohortError: If the record cannot be written.
    """
    files.change_states({caseID: CaseState.CONFIRMED})
    parameters = selectorParameters(scene)
    if parameters is not None:
        parameters.acceptedCases = sorted({*parameters.acceptedCases, caseID})


def inspectArguments(parameters: MDALSelectorParameterNode) -> list[str]:
    """Return the command that inspects the cohort."""
    arguments = inspect_arguments(parameters.cohortPath, parameters.corrections)
    return [*arguments, *(["--save-modalities"] if parameters.keepsModalityNames else [])]


def selectArguments(parameters: MDALSelectorParameterNode) -> list[str]:
    """Return the command that ranks the cohort; options that are not chosen are left out."""
    budget = f"{parameters.budget}{parameters.budgetUnit.value}"
    options = {
        "--budget": budget,
        "--strategy": parameters.strategy.value,
        "--seed": str(parameters.seed),
        "--estimator": parameters.estimator.value,
        "--labelled": parameters.labelledRule.value,
        "--device": parameters.device.value,
        "--score-column": parameters.scoreColumn.strip(),
        "--within": parameters.within,
        "--record": parameters.recordPath,
    }
    arguments = _command("select", parameters, options)
    return arguments + [text for case in parameters.acceptedCases for text in ("--accept", case)]


def retrospectArguments(parameters: MDALSelectorParameterNode) -> list[str]:
    """Return the command that replays budgets on the labeled cases."""
    isNetwork = parameters.learner.value == "network"
    options = {
        "--budgets": parameters.retrospectBudgets.strip(),
        "--learner": parameters.learner.value,
        "--draws": str(parameters.retrospectDraws),
        "--device": parameters.device.value if isNetwork else "",
        "--seed": str(parameters.seed),
        "--score-column": parameters.scoreColumn.strip(),
        "--record": parameters.recordPath,
    }
    return _command("retrospect", parameters, options)


def _command(
    name: str, parameters: MDALSelectorParameterNode, options: Mapping[str, str]
) -> list[str]:
    """Return a command on the cohort; options without a value are left out."""
    arguments = ["MDALSelectorLib", name, parameters.cohortPath, "--events"]
    for option, value in options.items():
        arguments += [option, value] if value else []
    return arguments + modality_options(parameters.corrections)
