"""Segment one case with a trained model: labels, maps and contributions on the primary's grid."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import torch

from CIMLSegmentLib.config import InferenceConfig
from CIMLSegmentLib.inference.devices import choose_device
from CIMLSegmentLib.inference.result_maps import (
    OutputSpace,
    changed_voxels,
    influence_by_region,
    influence_maps,
    information_by_sender,
    probability_maps,
    region_probabilities,
    result_maps,
)
from CIMLSegmentLib.inference.sliding_window import WindowedOutput, WindowPlan, predict_windows
from CIMLSegmentLib.inference.uncertain_places import draft_uncertainty
from CIMLSegmentLib.inference.window_box import WindowBox, body_box
from CIMLSegmentLib.model.model import TrainedModel
from CIMLSegmentLib.results.segmentation_result import (
    SegmentationResult,
    contributions,
    empty_region_warnings,
    influences,
)
from CIMLSegmentLib.task.regions import merge_regions, region_masks
from CIMLSegmentLib.task.task import Task
from MultimodalImagingLib.cohorts.cases import Case
from MultimodalImagingLib.errors import CohortError, ModelError
from MultimodalImagingLib.images.geometry import Volume
from MultimodalImagingLib.images.volume_io import read_grid
from MultimodalImagingLib.jobs.progress import Reporter
from MultimodalImagingLib.preparation.case_preparation import prepare_case
from MultimodalImagingLib.preparation.prepared_case import PreparedCase

# Means of cases of one cohort lie within about one standard deviation of the voxels.
MOST_SDS_OFF = 3.0


def segment_case(
    case: Case, model: TrainedModel, config: InferenceConfig, *, reporter: Reporter
) -> SegmentationResult:
    """Segment a case from its files.

    Args:
        case: The case; auxiliaries may be missing, primaries may not.
        model: The trained model; its own preprocessing is used.
        config: Device, windows, maps.
        reporter: Notified of windows and of everything that differs from what one would expect.

    Returns:
        Labels and maps on the grid of the primary image of the task's first sub-task.

    Raises:
        CohortError: If a primary is missing or unusable.
        ModelError: If the model is not for volumes.
        CancelledError: If the user asked to stop.
    """
    seconds: dict[str, float] = {}
    primary = model.task.subtasks[0].primary
    _check(case, model)
    with _timed(seconds, "read and prepare"):
        prepared = prepare_case(case, model.preprocessing, reference=primary, crop="reference")
        warnings = [*_input_warnings(prepared, model.task), *_unlike_training(prepared, model)]
    for text in warnings:
        reporter.warning(text)
    with _timed(seconds, "network"):
        box, output = predict_prepared(prepared, model, config, reporter=reporter)
    grid = read_grid(case.images[primary])
    space = OutputSpace(box, grid, model.task, prepared.bodies)
    with _timed(seconds, "labels and maps on the grid of the primary"):
        result = _result(output, space, config, case_id=case.case_id)
    empty = empty_region_warnings(result.volumes_ml(), model.task)
    for text in empty:
        reporter.warning(f"{case.case_id}: {text}")
    return replace(
        result,
        missing=tuple(m for m in model.task.modalities if m not in prepared.images),
        warnings=(*warnings, *empty),
        timings_s=seconds,
        model=dict(model.identity),
        is_seen=case.case_id in model.facts.seen_cases,
        role=model.facts.role_of(case.case_id),
    )


def predict_prepared(
    prepared: PreparedCase, model: TrainedModel, config: InferenceConfig, *, reporter: Reporter
) -> tuple[WindowBox, WindowedOutput]:
    """Run the network over a prepared case.

    Returns:
        The box that was looked at, and what came out, on the working grid inside the box.
    """
    stride = model.network.config.total_stride
    window = tuple(-(-size // s) * s for size, s in zip(model.patch_size, stride, strict=True))
    bodies = list(prepared.bodies.values())
    box = body_box(bodies, prepared.grid).fitted(window=window, stride=stride)
    present = [modality in prepared.images for modality in model.task.modalities]
    images = torch.zeros(len(present), *box.size)
    for channel, modality in enumerate(model.task.modalities):
        if modality in prepared.images:
            images[channel] = torch.from_numpy(box.cut(prepared.images[modality]))
    plan = WindowPlan(window, config, choose_device(config.device))
    network = model.network.eval()
    return box, predict_windows(network, images, present, plan, reporter)


@contextmanager
def _timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    seconds[name] = round(time.perf_counter() - start, 3)


def _check(case: Case, model: TrainedModel) -> None:
    if model.network.config.spatial_dims != 3:
        msg = (
            f"Expected a model for volumes, got one for {model.network.config.spatial_dims}-D"
            " images. Train a model with 3 spatial dimensions to segment cases."
        )
        raise ModelError(msg)
    missing = [modality for modality in model.task.primaries if modality not in case.images]
    if missing:
        msg = (
            f"Case {case.case_id} lacks {' and '.join(missing)}, which the task"
            f" {model.task.name!r} needs as primary; found"
            f" {', '.join(case.images) or 'no image'}. Add the image, or correct the modality"
            " names."
        )
        raise CohortError(msg)


def _input_warnings(prepared: PreparedCase, task: Task) -> list[str]:
    """Say what is missing or odd; refuse a case whose primary turned out to be unusable."""
    texts = [problem.message for problem in prepared.problems]
    missing = [modality for modality in task.modalities if modality not in prepared.images]
    lost = [modality for modality in missing if modality in task.primaries]
    if lost:
        msg = (
            f"Case {prepared.case_id} cannot be segmented without {' and '.join(lost)}, which is"
            f" primary in the task {task.name!r}. {' '.join(texts)}"
        )
        raise CohortError(msg)
    return texts + [
        f"Case {prepared.case_id} lacks the auxiliary {modality}: its messages are replaced by the"
        " prior mean (they say nothing), so the result may be worse."
        for modality in missing
    ]


def _unlike_training(prepared: PreparedCase, model: TrainedModel) -> Iterator[str]:
    """Name images whose mean inside the body is far from what the model was trained on."""
    for modality, known in model.facts.intensities.items():
        if modality not in prepared.images:
            continue
        mean = float(prepared.images[modality][prepared.bodies[modality]].mean())
        if abs(mean - known.mean) > MOST_SDS_OFF * known.sd:
            yield (
                f"The {modality} image of case {prepared.case_id} is unlike those that the model"
                f" was trained on: its prepared mean is {mean:.2g}, theirs was {known.mean:.2g}"
                f" with a standard deviation of {known.sd:.2g}. Check that it is {modality}, and"
                " its unit."
            )


def _result(
    output: WindowedOutput, space: OutputSpace, config: InferenceConfig, *, case_id: str
) -> SegmentationResult:
    probabilities = region_probabilities(output.logits, space)
    label_map = merge_regions(probabilities, space.task)
    is_small = max(space.task.labels) < 256
    labels = Volume(label_map.astype(np.uint8) if is_small else label_map, space.grid)
    information = information_by_sender(output, space)
    masks = region_masks(labels.array, space.task)
    changes = influence_by_region(output, space)
    maps = (
        *influence_maps(changes, space),
        *result_maps(output, information, space, with_messages=config.maps),
    )
    if config.probabilities:
        maps = (*maps, *probability_maps(probabilities, space))
    return SegmentationResult(
        case_id=case_id,
        task=space.task,
        primary=space.task.subtasks[0].primary,
        label_map=labels,
        contributions=contributions(masks, information, space.task),
        influences=influences(changes, changed_voxels(output, space, probabilities)),
        maps=maps,
        masks=masks,
        uncertainty=draft_uncertainty(probabilities, space.grid),
    )
