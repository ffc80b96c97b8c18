"""What the user chooses in CIMLSegment: kept in the scene, and as command lines."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Union

import slicer
from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import Minimum, WithinRange, parameterNodeWrapper

from CIMLSegmentLib.results.map_kinds import MAP_KINDS
from CIMLSegmentLib.results.map_kinds import MapKind as KindOfMap

if TYPE_CHECKING:
    from slicer_types import WrappedParameters
else:
    WrappedParameters = object

MAX_INPUTS = 8  # rows of the panel
N_VALIDATIONS = 20  # of a training of usual length
INTERVALS = (10, 250)  # least and most steps between two of them

# Concrete classes, as Slicer asks one of each for its name; images of all kinds derive from the
# first. Choosing a sequence shows why it cannot be used.
Volume = Union[slicer.vtkMRMLScalarVolumeNode, slicer.vtkMRMLSequenceNode, None]  # noqa: UP007


class MapKind(enum.Enum):
    """The maps of a result; the values are those of `result.json`."""

    _ignore_ = "members kind"
    members = vars()
    for kind in MAP_KINDS:
        members[kind.upper()] = kind

    @property
    def entry(self) -> KindOfMap:
        """What the table of kinds says about it."""
        return MAP_KINDS[self.value]

    def label(self) -> str:
        """Return the text of the combo box."""
        return _(self.entry.choice)

    def hint(self, resolution: str) -> str:
        """Say what the map shows and what it does not.

        Args:
            resolution: Size of its finest details in mm; may be empty.
        """
        parts = [_(self.entry.hint)]
        if resolution and self.entry.has_route:
            parts.append(_("No finer than {mm}.").format(mm=resolution))
        return " ".join([*parts, _("Model attribution, not clinical evidence.")])


class SegmentDevice(enum.Enum):
    """What the network runs on, as the command line calls it."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"

    def label(self) -> str:
        """Return the text of the combo box."""
        names = {SegmentDevice.CPU: _("CPU"), SegmentDevice.CUDA: _("NVIDIA GPU")}
        return names.get(self, _("Automatic"))


class TaskPreset(enum.Enum):
    """Tasks that come with the program, or a file."""

    BRATS = "brats"
    PET_CT = "pet-ct"
    PET_CT_MR = "pet-ct-mr"
    SINGLE_TARGET = "single-target"
    FILE = ""

    def label(self) -> str:
        """Return the text of the combo box."""
        return {
            TaskPreset.BRATS: _("Brain tumor, BraTS (FLAIR, T1, T1c, T2)"),
            TaskPreset.PET_CT: _("Lesion in PET/CT"),
            TaskPreset.PET_CT_MR: _("Lesion in PET/CT/MR"),
            TaskPreset.SINGLE_TARGET: _("One target, all modalities of the cohort"),
            TaskPreset.FILE: _("From a task file"),
        }[self]


@parameterNodeWrapper
class CIMLSegmentParameterNode(WrappedParameters):
    """Everything that the user chose.

    Attributes:
        modelPath: Folder of the trained model.
        volume1: Volume of the model's first modality, and so on.
        target: Segmentation to be replaced; `None` for a new one.
        result: Segmentation whose maps are shown.
        device: What the network runs on.
        wantsGradcam: Whether Grad-CAM maps are computed.
        wantsUncertainty: Whether uncertainty maps are computed.
        usesMirroring: Whether mirror images are averaged.
        outputPath: Folder that keeps results; empty for a temporary one.
        mapKind: Which maps are shown.
        overlayOpacity: Of the map over the image.
        overlayThreshold: Values below this share of the scale are hidden, percent.
        isSideBySide: Whether the map is shown beside the primary image.
        isInterpolated: Whether the map is blended between voxels.
        formerViews: What the views showed before the overlay, as JSON.
        cohortPath: Cohort for training and batch.
        recordPath: Folder of the cohort's record; empty for the usual place.
        taskPreset: Task to train.
        taskPath: Task file, for `TaskPreset.FILE`.
        primary: Primary modality where the task leaves it open.
        labelValues: What the values of the label maps are; empty for what the data say.
        trainingSteps: Most optimizer steps.
        trainedModelPath: Folder that receives the trained model.
        batchPath: Folder that receives the results of a cohort.
    """

    modelPath: str
    volume1: Volume
    volume2: Volume
    volume3: Volume
    volume4: Volume
    volume5: Volume
    volume6: Volume
    volume7: Volume
    volume8: Volume
    target: slicer.vtkMRMLSegmentationNode
    result: slicer.vtkMRMLSegmentationNode
    device: SegmentDevice
    wantsGradcam: bool
    wantsUncertainty: bool
    usesMirroring: bool
    outputPath: str
    mapKind: MapKind
    overlayOpacity: Annotated[float, WithinRange(0.0, 1.0)] = 0.6
    overlayThreshold: Annotated[float, WithinRange(0.0, 100.0)] = 20.0
    isSideBySide: bool
    isInterpolated: bool
    formerViews: str
    cohortPath: str
    recordPath: str
    taskPreset: TaskPreset = TaskPreset.PET_CT
    taskPath: str
    primary: str
    labelValues: str
    trainingSteps: Annotated[int, Minimum(1)] = 5000
    trainedModelPath: str
    batchPath: str


def inputVolume(parameters: CIMLSegmentParameterNode, index: int) -> slicer.vtkMRMLNode | None:
    """Return the volume of the model's n-th modality, from 0."""
    return getattr(parameters, f"volume{index + 1}")


def setInputVolume(
    parameters: CIMLSegmentParameterNode, index: int, node: slicer.vtkMRMLNode | None
) -> None:
    """Choose the volume of the model's n-th modality, from 0."""
    setattr(parameters, f"volume{index + 1}", node)


def segmentArguments(
    parameters: CIMLSegmentParameterNode, images: Mapping[str, Path], *, caseID: str, output: Path
) -> list[str]:
    """Return the command that segments one case.

    Args:
        parameters: What the user chose.
        images: File per modality.
        caseID: Name of the case.
        output: Receives a folder of that name.
    """
    arguments = ["CIMLSegmentLib", "segment", "--events", "--case-id", caseID]
    for modality, path in images.items():
        arguments += ["--image", f"{modality}={path}"]
    return [*arguments, "--output", str(output), *_modelOptions(parameters)]


def batchArguments(
    parameters: CIMLSegmentParameterNode,
    cases: Sequence[str],
    *,
    output: Path,
    names: Sequence[str] = (),
) -> list[str]:
    """Return the command that segments cases of the cohort; names are corrections of theirs."""
    arguments = ["CIMLSegmentLib", "segment", parameters.cohortPath, "--events"]
    for case in cases:
        arguments += ["--case", case]
    arguments += _corrections(names)
    return [*arguments, "--output", str(output), *_modelOptions(parameters)]


def _modelOptions(parameters: CIMLSegmentParameterNode) -> list[str]:
    """`--uncertainty` comes last, as a number may follow it."""
    options = ["--model", parameters.modelPath, "--device", parameters.device.value, "--attention"]
    chosen = {
        "--gradcam": parameters.wantsGradcam,
        "--mirror": parameters.usesMirroring,
        "--uncertainty": parameters.wantsUncertainty,
    }
    return options + [name for name, isChosen in chosen.items() if isChosen]


def trainArguments(
    parameters: CIMLSegmentParameterNode, *, output: Path, names: Sequence[str] = ()
) -> list[str]:
    """Return the command that trains a model on the labeled cases of the cohort.

    Names are corrections of the cohort's names. Validated as often as a training of usual length,
    which is what the curve is drawn from.
    """
    least, most = INTERVALS
    interval = min(max(least, parameters.trainingSteps // N_VALIDATIONS), most)
    options = {
        "--task": parameters.taskPreset.value or parameters.taskPath,
        "--output": str(output),
        "--steps": str(parameters.trainingSteps),
        "--validate-every": str(interval),
        "--device": parameters.device.value,
        "--primary": parameters.primary.strip(),
        "--record": parameters.recordPath,
    }
    arguments = ["CIMLSegmentLib", "train", parameters.cohortPath, "--events"]
    for name, value in options.items():
        arguments += [name, value] if value else []
    values = parameters.labelValues.strip()
    arguments += [f"--label-values={values}"] if values else []
    return arguments + _corrections(names)


def inspectArguments(
    parameters: CIMLSegmentParameterNode, *, names: Sequence[str] = ()
) -> list[str]:
    """Return the command that finds the cases of the cohort; names are corrections of theirs."""
    arguments = ["MDALSelectorLib", "inspect", parameters.cohortPath, "--events"]
    return arguments + _corrections(names)


def _corrections(names: Sequence[str]) -> list[str]:
    return [text for name in names for text in ("--modality", name)]
