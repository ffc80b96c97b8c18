"""What a person chooses in MDALSelector: kept in the scene, and as a command line."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Annotated

from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import Minimum, WithinRange, parameterNodeWrapper

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


class Strategy(enum.Enum):
    """The strategies of the command line."""

    DIVERSE_MD = "DiverseMD"
    MAX_MD = "MaxMD"
    RANDOM = "Random"
    ALPS = "ALPS"
    TYPI_CLUST = "TypiClust"
    K_CENTER = "KCenter"
    VOXEL_NMI = "VoxelNMI"
    MIN_MD = "MinMD"
    SCORE = "Score"

    def label(self) -> str:
        """Return the text of the combo box: names of methods are not translated."""
        return self.value

    def hint(self) -> str:
        """Say how the strategy chooses."""
        return {
            Strategy.DIVERSE_MD: _("The largest modality difference of every group of cases."),
            Strategy.MAX_MD: _("The largest modality differences."),
            Strategy.RANDOM: _("By chance, to compare with."),
            Strategy.ALPS: _("The middle of every group of cases."),
            Strategy.TYPI_CLUST: _("The most typical case of every group."),
            Strategy.K_CENTER: _("Cases that are as far from each other as possible."),
            Strategy.VOXEL_NMI: _("The least shared information of voxels; nothing is learned."),
            Strategy.MIN_MD: _("The smallest modality differences, to compare with."),
            Strategy.SCORE: _("By a column of the CSV manifest: see Advanced."),
        }[self]


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
    """Which cases count as labelled."""

    AUTO = "auto"
    FILES = "files"
    RECORD = "record"

    def label(self) -> str:
        """Return the text of the combo box."""
        return {
            LabelledRule.AUTO: _("Automatic"),
            LabelledRule.FILES: _("Those with a label file"),
            LabelledRule.RECORD: _("Those that were labelled here"),
        }[self]


@parameterNodeWrapper
class MDALSelectorParameterNode(WrappedParameters):
    """Everything that the person chose.

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
        labelledRule: Which cases count as labelled.
        scoreColumn: Column of the manifest for the strategy Score.
        acceptedCases: Cases whose pairing a person found right.
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
    arguments = ["MDALSelectorLib", "inspect", parameters.cohortPath, "--events"]
    arguments += _repeated("--modality", parameters.corrections)
    if parameters.keepsModalityNames:
        arguments.append("--save-modalities")
    return arguments


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
    arguments += _repeated("--modality", parameters.corrections)
    return arguments + _repeated("--accept", parameters.acceptedCases)


def reportArguments(run: str) -> list[str]:
    """Return the command that writes the report of a run again."""
    return ["MDALSelectorLib", "report", run, "--events"]


def _repeated(option: str, values: list[str]) -> list[str]:
    return [text for value in values for text in (option, value)]
