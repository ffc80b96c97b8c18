"""What the user chooses in MDALSelector: kept in the scene, and as a command line."""

from __future__ import annotations

import enum
import re
from typing import TYPE_CHECKING, Annotated

from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import Minimum, WithinRange, parameterNodeWrapper

from MDALSelectorLib.strategies import STRATEGIES
from MultimodalSlicerLib.cohort_report import inspect_arguments, modality_options

if TYPE_CHECKING:
    from slicer_types import WrappedParameters
else:
    WrappedParameters = object


class BudgetUnit(enum.Enum):
    """What the budget counts; the value follows the number on the command line."""

    PERCENT = "%"
    CASES = ""

    def label(self) -> str:
        """Return the text of the combo box."""
        return _("% of the cases") if self is BudgetUnit.PERCENT else _("cases")


def _memberName(name: str) -> str:
    """Return the name under which scenes keep a strategy, for example `DIVERSE_MD`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).upper()


class Strategy(enum.Enum):
    """The strategies of the command line."""

    _ignore_ = "members strategy"
    members = vars()
    for strategy in STRATEGIES:
        members[_memberName(strategy)] = strategy

    def label(self) -> str:
        """Return the text of the combo box: names of methods are not translated."""
        return str(self.value)

    def hint(self) -> str:
        """Say how the strategy chooses."""
        summary = _(STRATEGIES[self.value].summary)
        return _("{summary}.").format(summary=summary[:1].upper() + summary[1:])


class Estimator(enum.Enum):
    """How pointwise mutual information is estimated."""

    AUTO = "auto"
    GAUSSIAN = "gaussian"
    CONTRASTIVE = "contrastive"

    def label(self) -> str:
        """Return the text of the combo box."""
        return {
            Estimator.AUTO: _("Automatic"),
            Estimator.GAUSSIAN: _("Gaussian (closed form)"),
            Estimator.CONTRASTIVE: _("Contrastive (neural network)"),
        }[self]


class Device(enum.Enum):
    """What networks are trained on; the empty value leaves the choice to the command."""

    AUTO = ""
    CPU = "cpu"
    CUDA = "cuda"
    MPS = "mps"

    def label(self) -> str:
        """Return the text of the combo box."""
        names = {Device.CPU: _("CPU"), Device.CUDA: _("NVIDIA GPU"), Device.MPS: _("Apple GPU")}
        return names.get(self, _("Automatic"))


class LabelledRule(enum.Enum):
    """Which cases count as labeled."""

    AUTO = "auto"
    FILES = "files"
    RECORD = "record"

    def label(self) -> str:
        """Return the text of the combo box."""
        return {
            LabelledRule.AUTO: _("Automatic"),
            LabelledRule.FILES: _("Those with a label file"),
            LabelledRule.RECORD: _("Those that were labeled here"),
        }[self]


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
        acceptedCases: Cases whose pairing the user confirmed.
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
    acceptedCases: list[str]


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
        "--record": parameters.recordPath,
    }
    arguments = ["MDALSelectorLib", "select", parameters.cohortPath, "--events"]
    for name, value in options.items():
        arguments += [name, value] if value else []
    arguments += modality_options(parameters.corrections)
    return arguments + [text for case in parameters.acceptedCases for text in ("--accept", case)]
