"""What the user chooses in CIMLSegment, kept in the scene; the cohort comes from MDALSelector."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Annotated, Union

import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import Minimum, WithinRange, parameterNodeWrapper

from CIMLSegmentLib.config import LARGEST_PATCH, MOST_SIDE, SMALLEST_SIDE
from CIMLSegmentLib.results.map_kinds import MAP_KINDS
from CIMLSegmentLib.results.map_kinds import MapKind as KindOfMap
from CIMLSegmentLib.task.task_io import preset_names
from MultimodalSlicerLib.selection_parameters import (
    deviceText,
    memberName,
    selectorParameters,
)

if TYPE_CHECKING:
    from slicer_types import WrappedParameters
else:
    WrappedParameters = object

# Concrete classes, as Slicer asks one of each for its name; images of all kinds derive from the
# first. Choosing a sequence shows why it cannot be used.
Volume = Union[slicer.vtkMRMLScalarVolumeNode, slicer.vtkMRMLSequenceNode, None]  # noqa: UP007


class MapKind(enum.Enum):
    """The maps of a result; the values are those of `result.json`."""

    _ignore_ = "members kind"
    members = vars()
    for kind in MAP_KINDS:
        members[memberName(kind)] = kind

    @property
    def entry(self) -> KindOfMap:
        """What the table of kinds says about it."""
        return MAP_KINDS[self.value]

    def label(self) -> str:
        """Return the text of the combo box."""
        return translate("MapKind", self.entry.choice)

    def hint(self, resolution: str) -> str:
        """Say what the map shows and what it does not.

        Args:
            resolution: Size of its finest details in mm; may be empty.
        """
        parts = [translate("MapKind", self.entry.hint)]
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
        return deviceText(self.value)


class TaskPreset(enum.Enum):
    """Tasks that come with the program, or a file."""

    _ignore_ = "members name"
    members = vars()
    for name in preset_names():
        members[memberName(name)] = name
    FILE = ""

    def label(self) -> str:
        """Return the text of the combo box."""
        texts = {
            "brats": _("Brain tumor, BraTS (FLAIR, T1, T1c, T2)"),
            "pet-ct": _("Lesion in PET/CT"),
            "pet-ct-mr": _("Lesion in PET/CT/MR"),
            "single-target": _("One target, all modalities of the cohort"),
            "": _("From a task file"),
        }
        return texts.get(self.value, str(self.value))


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
        startPath: Model whose weights the training begins with; empty for new weights.
        labelValues: What the values of the label maps are; empty for what the data say.
        trainingSteps: Most optimizer steps.
        largestPatch: Side of the cube that patches have as many voxels as, at most.
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
    taskPreset: TaskPreset = TaskPreset("pet-ct")
    taskPath: str
    primary: str
    startPath: str
    labelValues: str
    trainingSteps: Annotated[int, Minimum(1)] = 5000
    largestPatch: Annotated[int, WithinRange(SMALLEST_SIDE, MOST_SIDE)] = LARGEST_PATCH
    trainedModelPath: str
    batchPath: str


def adoptCohort(parameters: CIMLSegmentParameterNode) -> None:
    """Choose the cohort of MDALSelector and its record if none is chosen yet."""
    other = selectorParameters(parameters.parameterNode.GetScene())
    if other is not None and other.cohortPath and not parameters.cohortPath:
        with slicer.util.NodeModify(parameters):
            parameters.cohortPath, parameters.recordPath = other.cohortPath, other.recordPath


def nameCorrections(parameters: CIMLSegmentParameterNode) -> list[str]:
    """Return how the names of the chosen cohort were corrected in MDALSelector."""
    other = selectorParameters(parameters.parameterNode.GetScene())
    if other is None or other.cohortPath != parameters.cohortPath:
        return []
    return list(other.corrections)
