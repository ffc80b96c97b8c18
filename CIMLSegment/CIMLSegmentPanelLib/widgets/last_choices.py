"""What the user chose last in CIMLSegment, taken over into a new scene."""

from __future__ import annotations

from pathlib import Path

from slicer.i18n import tr as _

from CIMLSegmentPanelLib.nodes.segmentation_parameters import (
    CIMLSegmentParameterNode,
    SegmentDevice,
)
from MultimodalWidgetsLib.remembered import recallCohort, recalled, recentCohorts

CHOICES = {
    "modelPath": "CIMLSegment/Model",
    "outputPath": "CIMLSegment/Results",
    "device": "CIMLSegment/Device",
}


def recallChoices(parameters: CIMLSegmentParameterNode) -> dict[str, str]:
    """Take over cohort, model, folders and device of the last time where nothing is chosen.

    Returns:
        Why a path was not taken over, by the name of its parameter.
    """
    gone = {"cohortPath": recallCohort(parameters)}
    places = {name: recalled(CHOICES[name]) for name in ("modelPath", "outputPath")}
    known = (one.results for one in recentCohorts() if one.path == parameters.cohortPath)
    places["batchPath"] = next(known, "")
    for name, path in places.items():
        if not path or getattr(parameters, name):
            continue
        if Path(path).is_dir():
            setattr(parameters, name, path)
        else:
            gone[name] = _goneText(name).format(path=path)
    device = recalled(CHOICES["device"])
    isKnown = device in {item.value for item in SegmentDevice}
    if isKnown and parameters.device is SegmentDevice.AUTO:
        parameters.device = SegmentDevice(device)
    return {name: text for name, text in gone.items() if text}


def _goneText(name: str) -> str:
    texts = {
        "modelPath": _("The model of last time, {path}, is not there now. Choose another one."),
        "outputPath": _(
            "The folder that kept results last time, {path}, is not there now. Choose another one"
            " under Advanced."
        ),
        "batchPath": _(
            "The folder for the results of last time, {path}, is not there now. Choose another"
            " one, or results go into the record of the cohort."
        ),
    }
    return texts[name]
