"""The labelled cases of a cohort, prepared once for training."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from CIMLSegmentLib.inference.window_box import BoolArray, window_box
from CIMLSegmentLib.model.model_description import Intensities
from CIMLSegmentLib.task.region_labels import label_warnings, masks_on_grid, read_label_map
from CIMLSegmentLib.task.task import Task
from CIMLSegmentLib.task.task_io import task_to_json
from CIMLSegmentLib.training.label_place import label_in_air, lost_label
from CIMLSegmentLib.training.training_case import (
    FORMAT_VERSION,
    FloatArray,
    NotPreparedError,
    PlaceArray,
    TrainingArrays,
    TrainingCase,
    read_training_case,
    write_training_case,
)
from MultimodalImagingLib.cohorts.cohort import Case
from MultimodalImagingLib.cohorts.place_problems import (
    check_readings,
    label_problems,
    read_positions,
)
from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.jobs.progress import Reporter
from MultimodalImagingLib.preparation.file_checksums import FileChecksums
from MultimodalImagingLib.preparation.prepared_cache import case_key
from MultimodalImagingLib.preparation.preprocessing import (
    PreparedCase,
    PreprocessingSpec,
    prepare_case,
)
from MultimodalImagingLib.record.atomic_files import remove_unfinished_files

MAX_WORKERS = 4
MOST_PLACES = 20_000


@dataclass(frozen=True)
class TrainingSet:
    """Prepared labelled cases, sorted by case id.

    Attributes:
        cases: The cases.
        preprocessing: How their images were prepared.
        intensities: Per modality, over the cases.
    """

    cases: tuple[TrainingCase, ...]
    preprocessing: PreprocessingSpec

    @property
    def intensities(self) -> dict[str, Intensities]:
        """Intensities per modality over all cases that have it."""
        return {
            modality: _over_cases(
                [c.intensities[modality] for c in self.cases if modality in c.intensities]
            )
            for modality in self.preprocessing.modalities
            if any(modality in case.intensities for case in self.cases)
        }

    def subset(self, case_ids: Sequence[str]) -> TrainingSet:
        """Return the same set with these cases only."""
        wanted = set(case_ids)
        return TrainingSet(
            tuple(case for case in self.cases if case.case_id in wanted), self.preprocessing
        )


@dataclass(frozen=True)
class PreparationJob:
    """Where labelled cases come from and go to.

    Attributes:
        task: What is segmented.
        spec: Working spacing and kinds of the task's modalities.
        root: Folder of the cohort.
        cache: Receives a file per case, about 2 bytes per voxel and modality.
    """

    task: Task
    spec: PreprocessingSpec
    root: Path
    cache: Path


def prepare_training_set(
    cases: Sequence[Case], job: PreparationJob, *, reporter: Reporter
) -> TrainingSet:
    """Prepare all labelled cases, or find them prepared; a second run reads no image.

    A case that cannot be used is reported and left out.

    Raises:
        CohortError: If no case can be used.
    """
    labelled = [case for case in cases if case.label is not None]
    remove_unfinished_files(job.cache)
    reporter.stage("Prepare labelled cases", len(labelled))
    found: list[TrainingCase] = []
    refused: list[str] = []
    known = FileChecksums(job.cache, job.root)
    pool = ThreadPoolExecutor(max_workers=min(MAX_WORKERS, os.cpu_count() or 1))
    try:
        tasks = {pool.submit(_prepared, case, job, known): case.case_id for case in labelled}
        for finished in as_completed(tasks):
            try:
                case = finished.result()
            except CohortError as error:
                refused.append(str(error))
                reporter.warning(f"{error} The case is not used for training.")
            else:
                found.append(case)
            reporter.advance()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    known.save()
    found.sort(key=lambda case: case.case_id)
    for case in found:
        for warning in case.warnings:
            reporter.warning(f"Case {case.case_id}: {warning}")
    if not found:
        raise CohortError(_nothing_usable(sorted(refused), job))
    return TrainingSet(tuple(found), job.spec)


def _nothing_usable(refused: Sequence[str], job: PreparationJob) -> str:
    expected = (
        f"Expected cases of {job.root.name} with a label map and"
        f" {' or '.join(job.task.primaries)} to train on, found"
    )
    if not refused:
        return f"{expected} no label map. Label some cases, or give a folder of label maps."
    more = f" The other {len(refused) - 1} are named above." if refused[1:] else ""
    return f"{expected} none of {len(refused)} that can be used. {refused[0]}{more}"


def _prepared(case: Case, job: PreparationJob, known: FileChecksums) -> TrainingCase:
    key = _key(case, job, known)
    slug = re.sub(r"[^A-Za-z0-9._-]+", "_", case.case_id)[:60]
    path = job.cache / f"training-{slug}-{key[:16]}.safetensors"
    try:
        return read_training_case(path, key=key)
    except NotPreparedError:
        prepared, arrays = _make(case, job, path)
    write_training_case(prepared, arrays, key=key)
    return prepared


def _make(case: Case, job: PreparationJob, path: Path) -> tuple[TrainingCase, TrainingArrays]:
    primaries = [modality for modality in job.task.primaries if modality in case.images]
    if not primaries or case.label is None:
        msg = f"Case {case.case_id}: Expected one of {', '.join(job.task.primaries)}, found none."
        raise CohortError(msg)
    positions = read_positions(case, job.spec.modalities)
    check_readings(case, positions)
    prepared = prepare_case(case, job.spec, reference=primaries[0], crop="reference")
    labels = read_label_map(case.label)
    masks = masks_on_grid(labels, prepared.grid, job.task)
    lost = lost_label(labels, masks, prepared.grid, job.task)
    if lost is not None:
        causes = (problem.message for problem in label_problems(case, positions))
        raise CohortError(" ".join([f"Case {case.case_id}: {lost}", *causes]))
    warnings = [problem.message for problem in prepared.problems]
    warnings += label_warnings(labels, masks, prepared.grid, job.task)
    warnings += label_in_air(masks, prepared)
    crop = _crop(prepared, masks)
    masks = {name: mask[crop] for name, mask in masks.items()}
    images = {name: image[crop] for name, image in prepared.images.items()}
    dk, dj, di = reversed(prepared.grid.spacing_mm)
    nk, nj, ni = next(iter(masks.values())).shape
    training_case = TrainingCase(
        case_id=case.case_id,
        patient_id=case.patient_id,
        modalities=prepared.modalities,
        shape=(nk, nj, ni),
        spacing_mm=(dk, dj, di),
        regions={name: int(mask.sum()) for name, mask in masks.items()},
        intensities={m: _inside(prepared.images[m], prepared.bodies[m]) for m in images},
        warnings=tuple(warnings),
        path=path,
    )
    places = {name: _places(mask) for name, mask in masks.items()}
    return training_case, TrainingArrays(images, masks, places)


def _crop(prepared: PreparedCase, masks: dict[str, BoolArray]) -> tuple[slice, ...]:
    """Keep what segmentation looks at, the box around the body, and all of the label."""
    bodies = [*prepared.bodies.values(), *masks.values()]
    return window_box(bodies, prepared.grid, window=(1, 1, 1), stride=(1, 1, 1)).visible


def _inside(image: FloatArray, body: BoolArray) -> Intensities:
    values = image[body] if body.any() else image.ravel()
    low, high = np.percentile(values, (1.0, 99.0))
    return Intensities(float(values.mean()), float(values.std()), float(low), float(high))


def _over_cases(found: Sequence[Intensities]) -> Intensities:
    return Intensities(
        mean=float(np.mean([values.mean for values in found])),
        sd=float(np.mean([values.sd for values in found])),
        low=min(values.low for values in found),
        high=max(values.high for values in found),
    )


def _places(mask: BoolArray) -> PlaceArray:
    places = np.argwhere(mask).astype(np.int32)
    if len(places) <= MOST_PLACES:
        return places
    chosen = np.random.default_rng(0).choice(len(places), MOST_PLACES, replace=False)
    return np.ascontiguousarray(places[np.sort(chosen)])


def _key(case: Case, job: PreparationJob, known: FileChecksums) -> str:
    label = case.label
    content = [
        FORMAT_VERSION,
        case_key(case, job.spec, job.root, checksums=known),
        case.patient_id,
        [label.path.name, label.component, known.of(label.path)] if label else None,
        {name: task_to_json(job.task)[name] for name in ("labels", "regions")},
        list(job.task.primaries),
    ]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
