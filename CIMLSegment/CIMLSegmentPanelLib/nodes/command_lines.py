"""What the user chose in CIMLSegment as command lines: segment and train. Must not import Qt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from CIMLSegmentPanelLib.nodes.segmentation_parameters import (
    CIMLSegmentParameterNode,
    nameCorrections,
)
from MultimodalSlicerLib.cohort_report import modality_options

N_VALIDATIONS = 20  # of a training of usual length
INTERVALS = (10, 250)  # least and most steps between two of them


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
) -> list[str]:
    """Return the command that segments cases of the cohort."""
    arguments = ["CIMLSegmentLib", "segment", parameters.cohortPath, "--events"]
    for case in cases:
        arguments += ["--case", case]
    arguments += modality_options(nameCorrections(parameters))
    return [*arguments, "--output", str(output), *_modelOptions(parameters)]


def roundArguments(parameters: CIMLSegmentParameterNode, model: Path) -> list[str]:
    """Return the command that ends a round: drafts for all cases without a label, and its Dice.

    Args:
        parameters: What the user chose.
        model: The model of the round.
    """
    options = {
        "--model": str(model),
        "--device": parameters.device.value,
        "--record": parameters.recordPath,
    }
    arguments = ["CIMLSegmentLib", "round", parameters.cohortPath, "--events"]
    for name, value in options.items():
        arguments += [name, value] if value else []
    values = parameters.labelValues.strip()
    arguments += [f"--label-values={values}"] if values else []
    return arguments + modality_options(nameCorrections(parameters))


def _modelOptions(parameters: CIMLSegmentParameterNode) -> list[str]:
    """`--uncertainty` comes last, as a number may follow it."""
    options = ["--model", parameters.modelPath, "--device", parameters.device.value, "--attention"]
    chosen = {
        "--gradcam": parameters.wantsGradcam,
        "--mirror": parameters.usesMirroring,
        "--uncertainty": parameters.wantsUncertainty,
    }
    return options + [name for name, isChosen in chosen.items() if isChosen]


def trainArguments(parameters: CIMLSegmentParameterNode, *, output: Path) -> list[str]:
    """Return the command that trains a model on the labeled cases of the cohort.

    Validated as often as a training of usual length, which is what the curve is drawn from.
    """
    least, most = INTERVALS
    interval = min(max(least, parameters.trainingSteps // N_VALIDATIONS), most)
    options = {
        "--task": parameters.taskPreset.value or parameters.taskPath,
        "--output": str(output),
        "--steps": str(parameters.trainingSteps),
        "--validate-every": str(interval),
        "--largest-patch": str(parameters.largestPatch),
        "--device": parameters.device.value,
        "--primary": parameters.primary.strip(),
        "--from": parameters.startPath,
        "--record": parameters.recordPath,
    }
    arguments = ["CIMLSegmentLib", "train", parameters.cohortPath, "--events"]
    for name, value in options.items():
        arguments += [name, value] if value else []
    values = parameters.labelValues.strip()
    arguments += [f"--label-values={values}"] if values else []
    return arguments + modality_options(nameCorrections(parameters))
