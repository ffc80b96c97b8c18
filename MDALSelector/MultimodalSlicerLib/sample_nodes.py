"""Sample data: where they lie, how they are made, and the synthetic patient in the scene.

Must not import Qt. They lie in the folder that Slicer keeps sample data in, and are made once.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from MultimodalImagingLib.images.stored_image import ImageFile
from MultimodalSlicerLib.case_loader import addImage
from MultimodalSlicerLib.cohort_nodes import MODALITY_ATTRIBUTE
from MultimodalSlicerLib.patience import Breathe
from MultimodalSlicerLib.slice_views import showEverywhere
from MultimodalSlicerLib.volume_nodes import nodesOf

SAMPLE_ATTRIBUTE = "CrossModal.Sample"
FIRST_SHOWN = "PET"


class Sample(enum.Enum):
    """What `mdal-selector sample` makes."""

    COHORT = "cohort"
    PATIENT = "patient"


def sampleArguments(scene: slicer.vtkMRMLScene, sample: Sample) -> list[str]:
    """Return the command that makes a sample, unless it is there already."""
    cache = Path(scene.GetCacheManager().GetRemoteCacheDirectory())
    folder = cache / f"CrossModal-synthetic-{sample.value}"
    return ["MDALSelectorLib", "sample", sample.value, "--output", str(folder), "--events"]


def samplePlaces(result: Mapping[str, object] | None) -> dict[str, str]:
    """Return the paths that the command told: of the cohort, or of every image by modality.

    Raises:
        ValueError: If it told none.
    """
    places = {name: str(path) for name, path in (result or {}).items() if name != "sample"}
    if not places:
        raise ValueError(_("The job reported no sample. See the log, then start it again."))
    return places


def addPatient(
    scene: slicer.vtkMRMLScene, files: Mapping[str, str], *, breathe: Breathe
) -> dict[str, slicer.vtkMRMLScalarVolumeNode]:
    """Put the images of the synthetic patient into scene and slice views; none of them twice.

    Args:
        scene: The scene.
        files: File of every modality.
        breathe: Handles events meanwhile.

    Returns:
        The images by modality.

    Raises:
        ValueError: If a file cannot be read, or the scene was closed meanwhile.
    """
    for modality, file in files.items():
        if modality not in patientVolumes(scene):
            name = _("Synthetic patient {modality}").format(modality=modality)
            node = addImage(scene, name, modality, ImageFile(Path(file)), breathe=breathe)
            node.SetAttribute(SAMPLE_ATTRIBUTE, Sample.PATIENT.value)
            breathe()
    first = patientVolumes(scene).get(FIRST_SHOWN)
    if first is not None:
        showEverywhere(first, breathe)
    volumes = patientVolumes(scene)
    if volumes.keys() != files.keys():
        raise ValueError(_("The scene was closed while the sample was loaded. Load it again."))
    return volumes


def patientVolumes(scene: slicer.vtkMRMLScene) -> dict[str, slicer.vtkMRMLScalarVolumeNode]:
    """Return the images of the synthetic patient that are in a scene, by modality."""
    nodes = (node for node in nodesOf(scene, "vtkMRMLScalarVolumeNode") if isOfSample(node))
    return {node.GetAttribute(MODALITY_ATTRIBUTE): node for node in nodes}


def isOfSample(node: slicer.vtkMRMLNode | None) -> bool:
    """Tell whether a node is an image of the synthetic patient."""
    return node is not None and node.GetAttribute(SAMPLE_ATTRIBUTE) == Sample.PATIENT.value
