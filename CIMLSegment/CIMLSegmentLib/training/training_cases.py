"""The labeled cases of a cohort, prepared once for training."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from CIMLSegmentLib.inference.window_box import body_box
from CIMLSegmentLib.model.model_description import Intensities
from CIMLSegmentLib.task.label_scheme import LabelMaps, check_regions, find_label_maps, grouped
from CIMLSegmentLib.task.label_values import LabelValues
from CIMLSegmentLib.task.regions import label_in_air, label_warnings, lost_label, placed_regions
from CIMLSegmentLib.task.task import Task
from CIMLSegmentLib.task.task_io import task_to_json
from CIMLSegmentLib.training.training_case import (
    FORMAT_VERSION,
    NotPreparedError,
    TrainingCase,
    read_training_case,
    write_training_case,
)
from MultimodalImagingLib.cohorts.cases import Case
from MultimodalImagingLib.cohorts.place_problems import (
    check_readings,
    label_problems,
    read_positions,
)
from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.images.arrays import Float32Array, MaskArray
from MultimodalImagingLib.jobs.environment import core_count
from MultimodalImagingLib.jobs.progress import Reporter
from MultimodalImagingLib.jobs.texts import counted, listed
from MultimodalImagingLib.preparation.case_preparation import prepare_case
from MultimodalImagingLib.preparation.prepared_case import PreprocessingSpec, case_key
from MultimodalImagingLib.record.atomic_files import remove_unfinished_files
from MultimodalImagingLib.record.checksums import FileChecksums, json_checksum

MAX_WORKERS = 4


@dataclass(frozen=True)
class TrainingSet:
    """Prepared labeled cases, sorted by case id.

    Attributes:
        cases: The cases.
        preprocessing: How their images were prepared.
        label_values: What the user said about the values of their label maps.
        evaluation: Cases that only test the finished network; nothing is learned from them.
        intensities: Per modality, over the cases.
    """

    cases: tuple[TrainingCase, ...]
    preprocessing: PreprocessingSpec
    label_values: str = ""
    evaluation: tuple[TrainingCase, ...] = ()

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

    def setting_aside(self, case_ids: Sequence[str]) -> TrainingSet:
        """Return the same set with these cases for testing only.

        Raises:
            CohortError: If no case is left to train on, or none of them has a region of the task.
        """
        tests = set(case_ids)
        kept = tuple(case for case in self.cases if case.case_id not in tests)
        if not kept:
            msg = (
                "Expected cases to train on beside the evaluation set, found none that can be used."
                " The reasons are above; label other cases, or correct their label maps."
            )
            raise CohortError(msg)
        found = tuple(case for case in self.cases if case.case_id in tests)
        names = kept[0].regions
        lacking = [name for name in names if not any(case.regions[name] for case in kept)]
        if lacking:
            msg = (
                "Expected voxels of every region of the task in the cases to train on, found none"
                f" of {listed(lacking)} in any of {counted(len(kept), 'case')}, so there is nothing"
                " to learn for it; cases of the evaluation set do not count. Label another case"
                " that has it, or use a task without it."
            )
            raise CohortError(msg)
        return replace(self, cases=kept, evaluation=found)

    def subset(self, case_ids: Sequence[str]) -> TrainingSet:
        """Return the same set with these cases only."""
        wanted = set(case_ids)
        return replace(self, cases=tuple(c for c in self.cases if c.case_id in wanted))


@dataclass(frozen=True)
class PreparationJob:
    """Where labeled cases come from and go to.

    Attributes:
        task: What is segmented.
        spec: Working spacing and kinds of the task's modalities.
        root: Folder of the cohort.
        cache: Receives a file per case, about 2 bytes per voxel and modality.
        label_values: What the user says about the values of the label maps.
    """

    task: Task
    spec: PreprocessingSpec
    root: Path
    cache: Path
    label_values: LabelValues = field(default_factory=LabelValues)


def prepare_training_set(
    cases: Sequence[Case], job: PreparationJob, *, reporter: Reporter
) -> TrainingSet:
    """Prepare all labeled cases, or find them prepared; a second run reads no image.

    A case that cannot be used is reported and left out.

    Raises:
        CohortError: If no case can be used, a label value cannot be explained, or no case has a
            region of the task.
    """
    labelled = [case for case in cases if case.label is not None]
    remove_unfinished_files(job.cache)
    maps = _label_maps(labelled, job, reporter)
    usable = [case for case in labelled if case.case_id not in maps.survey.faults]
    found, faults = _prepare(usable, maps, job, reporter)
    for text in grouped({**maps.survey.faults, **faults}):
        reporter.warning(f"{text} It is not used for training.")
    for number in range(max((len(case.warnings) for case in found), default=0)):
        texts = {c.case_id: c.warnings[number] for c in found if len(c.warnings) > number}
        for text in grouped(texts):
            reporter.warning(text)
    if not found:
        raise CohortError(_nothing_usable({**maps.survey.faults, **faults}, job))
    return TrainingSet(tuple(found), job.spec, job.label_values.text)


def _label_maps(labelled: Sequence[Case], job: PreparationJob, reporter: Reporter) -> LabelMaps:
    files = {case.case_id: case.label for case in labelled if case.label is not None}
    maps = find_label_maps(
        files, job.task, said=job.label_values, reporter=reporter, cache=job.cache
    )
    maps.tell(reporter)
    if maps.survey.cases:
        check_regions(maps.scheme, maps.survey.cases)
    return maps


def _prepare(
    cases: Sequence[Case], maps: LabelMaps, job: PreparationJob, reporter: Reporter
) -> tuple[list[TrainingCase], dict[str, str]]:
    """Return the prepared cases, and the reason of each case that cannot be used."""
    reporter.stage("Prepare labeled cases", len(cases))
    found: list[TrainingCase] = []
    faults: dict[str, str] = {}
    known = FileChecksums(job.cache, job.root)
    pool = ThreadPoolExecutor(max_workers=min(MAX_WORKERS, core_count()))
    try:
        tasks = {pool.submit(_prepared, case, maps, job, known): case.case_id for case in cases}
        for finished in as_completed(tasks):
            try:
                case, is_kept = finished.result()
                found.append(case)
            except CohortError as error:
                case_id, is_kept = tasks[finished], False
                faults[case_id] = str(error).removeprefix(f"Case {case_id}: ")
            (reporter.kept if is_kept else reporter.advance)()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    known.save()
    return sorted(found, key=lambda case: case.case_id), dict(sorted(faults.items()))


def _nothing_usable(refused: Mapping[str, str], job: PreparationJob) -> str:
    expected = (
        f"Expected cases of {job.root.name} with a label map and"
        f" {' or '.join(job.task.primaries)} to train on, found"
    )
    if not refused:
        return f"{expected} no label map. Label some cases, or give a folder of label maps."
    more = f" The other {len(refused) - 1} are named above." if len(refused) > 1 else ""
    case_id, reason = min(refused.items())
    return f"{expected} none of {len(refused)} that can be used. Case {case_id}: {reason}{more}"


def _prepared(
    case: Case, maps: LabelMaps, job: PreparationJob, known: FileChecksums
) -> tuple[TrainingCase, bool]:
    """Return a prepared case, and whether an earlier training had prepared it."""
    key = _key(case, maps, job, known)
    slug = re.sub(r"[^A-Za-z0-9._-]+", "_", case.case_id)[:60]
    path = job.cache / f"training-{slug}-{key[:16]}.safetensors"
    try:
        return read_training_case(path, key=key), True
    except NotPreparedError:
        return _make(case, maps, job, path, key), False


def _make(case: Case, maps: LabelMaps, job: PreparationJob, path: Path, key: str) -> TrainingCase:
    primaries = [modality for modality in job.task.primaries if modality in case.images]
    if not primaries or case.label is None:
        msg = f"Case {case.case_id}: Expected one of {', '.join(job.task.primaries)}, found none."
        raise CohortError(msg)
    positions = read_positions(case, job.spec.modalities)
    check_readings(case, positions)
    prepared = prepare_case(case, job.spec, reference=primaries[0], crop="reference")
    regions = placed_regions(maps.read(case.case_id), prepared.grid, job.task)
    lost = lost_label(regions)
    if lost is not None:
        causes = (problem.message for problem in label_problems(case, positions))
        raise CohortError(" ".join([f"Case {case.case_id}: {lost}", *causes]))
    warnings = [problem.message for problem in prepared.problems]
    warnings += [*label_warnings(regions), *label_in_air(regions, prepared.body)]
    # What segmentation looks at, the box around the body, and all of the label.
    box = body_box([*prepared.bodies.values(), *regions.masks.values()], prepared.grid)
    crop = box.visible
    masks = {name: mask[crop] for name, mask in regions.masks.items()}
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
        before=_three(part.start for part in box.inner),
        after=_three(n - part.stop for n, part in zip(box.size, box.inner, strict=True)),
        path=path,
    )
    write_training_case(training_case, images, masks, key=key)
    return training_case


def _three(values: Iterable[int]) -> tuple[int, int, int]:
    k, j, i = values
    return k, j, i


def _inside(image: Float32Array, body: MaskArray) -> Intensities:
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


def _key(case: Case, maps: LabelMaps, job: PreparationJob, known: FileChecksums) -> str:
    label = case.label
    content = [
        FORMAT_VERSION,
        case_key(case, job.spec, known),
        case.patient_id,
        [label.path.name, label.component, known.of(label.path)] if label else None,
        {name: task_to_json(job.task)[name] for name in ("labels", "regions")},
        sorted(maps.scheme.translations.get(case.case_id, {}).items()),
        list(job.task.primaries),
    ]
    return json_checksum(content)
