"""The cohort that MDALSelector works on in the same scene: taken over, with its corrected names.

Must not import Qt.
"""

from __future__ import annotations

import slicer

from CIMLSegmentPanelLib.nodes.segmentation_parameters import CIMLSegmentParameterNode
from MultimodalSlicerLib.selection_parameters import MDALSelectorParameterNode

SELECTOR = "MDALSelector"


def adoptCohort(parameters: CIMLSegmentParameterNode) -> None:
    """Choose the cohort of MDALSelector and its record if none is chosen yet."""
    other = _selectorParameters(parameters.parameterNode.GetScene())
    if other is not None and other.cohortPath and not parameters.cohortPath:
        with slicer.util.NodeModify(parameters):
            parameters.cohortPath, parameters.recordPath = other.cohortPath, other.recordPath


def nameCorrections(parameters: CIMLSegmentParameterNode) -> list[str]:
    """Return how the names of the chosen cohort were corrected in MDALSelector."""
    other = _selectorParameters(parameters.parameterNode.GetScene())
    if other is None or other.cohortPath != parameters.cohortPath:
        return []
    return list(other.corrections)


def _selectorParameters(scene: slicer.vtkMRMLScene) -> MDALSelectorParameterNode | None:
    node = scene.GetSingletonNode(SELECTOR, "vtkMRMLScriptedModuleNode")
    return None if node is None else MDALSelectorParameterNode(node)
