"""The synthetic patient as the input of a model that comes with CrossModal. Must not import Qt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import slicer
from slicer.i18n import tr as _

from CIMLSegmentLib.model.shipped_models import shipped_models
from CIMLSegmentPanelLib.nodes.map_browser import Cell
from CIMLSegmentPanelLib.nodes.model_summary import ModelSummary, read_model_summary
from CIMLSegmentPanelLib.nodes.result_facts import resultContributions, resultImages
from MultimodalSlicerLib.sample_nodes import isOfSample

if TYPE_CHECKING:
    from CIMLSegmentPanelLib.nodes.segmentation_parameters import CIMLSegmentParameterNode


def chooseSample(
    parameters: CIMLSegmentParameterNode,
    volumes: Mapping[str, slicer.vtkMRMLScalarVolumeNode],
) -> None:
    """Choose the images of the synthetic patient, and the model that comes with CrossModal.

    Raises:
        ValueError: If no such model has just their modalities.
        ModelError: If a model that comes with CrossModal is damaged.
    """
    model = shippedModel(list(volumes))
    with slicer.util.NodeModify(parameters):
        parameters.modelPath = str(model.folder)
        for number, modality in enumerate(model.modalities, start=1):
            setattr(parameters, f"volume{number}", volumes[modality])


def shippedModel(modalities: Sequence[str]) -> ModelSummary:
    """Return the model that comes with CrossModal for just these modalities.

    Raises:
        ValueError: If there is none.
        ModelError: If one is damaged.
    """
    for folder in shipped_models().values():
        model = read_model_summary(folder)
        if set(model.modalities) == set(modalities):
            return model
    text = _(
        "No model for {modalities} came with CrossModal. Install CrossModal again, or choose the"
        " folder of a model."
    )
    raise ValueError(text.format(modalities=", ".join(modalities)))


def cellOfSample(node: slicer.vtkMRMLSegmentationNode) -> Cell | None:
    """Return the cell with the largest share, for a result of the synthetic patient; else `None`.

    Its map is shown at once, so that whoever tries CrossModal sees one without a further click.
    """
    if not any(map(isOfSample, resultImages(node).values())):
        return None
    found = [one for one in resultContributions(node) if one.share is not None]
    if not found:
        return None
    best = max(found, key=lambda one: one.share or 0.0)
    return Cell(best.region, best.primary, best.auxiliary)
