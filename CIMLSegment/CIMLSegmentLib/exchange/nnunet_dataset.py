"""A cohort as a raw data set of nnU-Net v2, which grows from round to round of labeling.

Cases keep their names, channels their order, label values their meaning and patients their folds,
whatever is added later. Labeled cases lie in `imagesTr` and `labelsTr`, the others in `imagesTs`.
Cases of the evaluation set are among the others, are in no fold, and have their labels in
`labelsTs`, which no training of nnU-Net reads. nnU-Net wants label values without gaps, so they are
numbered in the order of the task.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from CIMLSegmentLib.exchange.labelled_cases import (
    CaseOnGrid,
    ExportJob,
    label_is_resampled,
    label_made_from,
    on_one_grid,
    or_left_out,
    read_label,
)
from CIMLSegmentLib.exchange.splits import dealt_folds, splits
from CIMLSegmentLib.task.task import Task
from MultimodalImagingLib.errors import CohortError, UsageError
from MultimodalImagingLib.images.volume_io import write_volume
from MultimodalImagingLib.jobs.progress import Reporter
from MultimodalImagingLib.jobs.texts import joined
from MultimodalImagingLib.record.atomic_files import write_json
from MultimodalImagingLib.record.export_folder import ExportFolder, open_export
from MultimodalImagingLib.record.json_entry import read_json

OPTION = "--nnunet"
PROGRAM = "nnU-Net"
KIND = "nnU-Net raw"
DATASET_FILE, SPLITS_FILE = "dataset.json", "splits_final.json"
ENDING = ".nii.gz"
_NAME = re.compile(r"Dataset\d{3}_\w+")


@dataclass(frozen=True)
class ExportedDataset:
    """What an export wrote.

    Attributes:
        round: Number of the round; it grows when cases with labels are added.
        added: Labeled cases that are new in this round.
        n_labelled: Labeled cases in the data set.
        n_unlabelled: Cases in `imagesTs`, those of the evaluation set too.
        n_tested: Cases of the evaluation set with a label in `labelsTs`.
        withdrawn: Cases that earlier rounds had among those to train on.
        splits: The file of the splits; `None` while a fold is empty.
        left_out: Case to the reason why it is not there.
        resampled: Cases of which something was resampled.
        foreign: Files that somebody else changed or put there; they were left as they are.
    """

    round: int
    added: tuple[str, ...]
    n_labelled: int
    n_unlabelled: int
    n_tested: int
    withdrawn: tuple[str, ...]
    splits: Path | None
    left_out: Mapping[str, str]
    resampled: tuple[str, ...]
    foreign: tuple[str, ...]


def export_nnunet(job: ExportJob, folder: Path, reporter: Reporter) -> ExportedDataset:
    """Write the cases of a cohort as a data set of nnU-Net, or add to an earlier export.

    Args:
        job: What is exported.
        folder: `.../nnUNet_raw/Dataset123_Name`.
        reporter: Notified of every case.

    Raises:
        UsageError: If the folder cannot be used, an earlier export in it has other channels or
            lacks one of its labels now, or images would have to be resampled and may not.
        CrossModalError: If a file cannot be written.
    """
    if not _NAME.fullmatch(folder.name):
        msg = (
            f"nnU-Net reads folders named like Dataset123_Name, got {folder.name!r}. Give {OPTION}"
            f" a folder such as {folder.parent / 'Dataset123_Name'}."
        )
        raise UsageError(msg)
    modalities = tuple(job.task.modalities)
    labelled, left_out = on_one_grid(job.labelled, modalities, job, program=PROGRAM)
    labels = {case.case_id: case for case in job.tested}
    unlabelled = [labels.get(case.case_id, case) for case in job.unlabelled]
    others, lacking = on_one_grid(unlabelled, modalities, job, program=PROGRAM)
    left_out |= lacking
    with open_export(folder, KIND, option=OPTION) as export:
        values = _values(export, job.task)
        _check_channels(export, modalities)
        before = dict(export.content.get("cases", {}))
        work = _Work(export, job, values)
        for name in sorted(job.held_out):
            work.withdraw(name)
        reporter.stage("Write cases", len(labelled) + len(others))
        for items, write in ((labelled, work.write_labelled), (others, work.write_unlabelled)):
            for item in items:
                or_left_out(item, write, left_out)
                export.save()
                reporter.advance()
        path = work.finish()
        cases: Mapping[str, Mapping[str, Any]] = export.content["cases"]
        is_labelled = {name for name, entry in cases.items() if entry["fold"] is not None}
        known = {name for name, entry in before.items() if entry["fold"] is not None}
        return ExportedDataset(
            round=export.content["round"],
            added=tuple(sorted(is_labelled - known)),
            n_labelled=len(is_labelled),
            n_unlabelled=len(cases) - len(is_labelled),
            n_tested=len(work.tested),
            withdrawn=tuple(work.withdrawn),
            splits=path,
            left_out=dict(sorted(left_out.items())),
            resampled=tuple(sorted(work.resampled)),
            foreign=tuple(export.foreign),
        )


class _Work:
    """One export into an open folder."""

    def __init__(self, export: ExportFolder, job: ExportJob, values: Mapping[int, int]) -> None:
        self._export, self._job, self._values = export, job, values
        self._cases: dict[str, Any] = export.content.setdefault("cases", {})
        self._new: dict[str, str] = {}
        self._tested = {case.case_id for case in job.tested}
        self.resampled: set[str] = set()
        self.tested: list[str] = []
        self.withdrawn: list[str] = []

    def withdraw(self, name: str) -> None:
        """Take a case that was set aside for testing out of those to train on."""
        if name not in self._labelled():
            return
        for old, new in self._image_names(name, "imagesTr", "imagesTs"):
            self._export.move(old, new)
        self._export.remove(f"labelsTr/{name}{ENDING}")
        del self._cases[name]
        self.withdrawn.append(name)

    def write_labelled(self, item: CaseOnGrid) -> None:
        """Write images and label map; what was in `imagesTs` moves."""
        name = item.case.case_id
        moves = self._image_names(name, "imagesTs", "imagesTr")
        for old, new in moves:
            self._export.move(old, new)
        target = f"labelsTr/{name}{ENDING}"
        try:
            is_whole = self._write_label(item, target) and self._write_images(item, "imagesTr")
        except CohortError:
            if name not in self._labelled():  # images without label would stop nnU-Net
                for file in (target, *(new for _, new in moves)):
                    self._export.remove(file)
            raise
        for old in (f"labelsTs/{name}{ENDING}", *(old for old, _ in moves)):
            self._export.remove(old)
        if is_whole and name not in self._labelled():
            self._new[name] = item.case.patient_id

    def write_unlabelled(self, item: CaseOnGrid) -> None:
        name = item.case.case_id
        if name not in self._labelled() and self._write_images(item, "imagesTs"):
            self._cases[name] = {"patient": item.case.patient_id, "fold": None, "round": None}
            target = f"labelsTs/{name}{ENDING}"
            if name in self._tested and self._write_label(item, target):
                self.tested.append(name)

    def finish(self) -> Path | None:
        """Write `dataset.json`, the splits and the marker; returns the file of the splits."""
        export = self._export
        labelled = self._labelled()
        known = {name: entry["fold"] for name, entry in labelled.items()}
        patients = {name: entry["patient"] for name, entry in labelled.items()} | self._new
        folds = dealt_folds(patients, known)
        if self._new:
            export.content["round"] = export.content.get("round", 0) + 1
        export.content.setdefault("round", 0)
        for name, patient in self._new.items():
            entry = {"patient": patient, "fold": folds[name], "round": export.content["round"]}
            self._cases[name] = entry
        for folder in ("imagesTr", "labelsTr", "imagesTs"):
            (export.folder / folder).mkdir(exist_ok=True)
        self._write_description()
        found = splits(folds)
        if found is not None:
            export.write(SPLITS_FILE, found, lambda path: write_json(path, found))
        else:
            export.remove(SPLITS_FILE)  # an older one may name cases that were withdrawn
        export.save()
        return None if found is None else export.folder / SPLITS_FILE

    def _labelled(self) -> dict[str, Any]:
        return {name: e for name, e in self._cases.items() if e["fold"] is not None}

    def _image_names(self, case_id: str, *folders: str) -> list[tuple[str, ...]]:
        return [
            tuple(f"{folder}/{case_id}_{number:04d}{ENDING}" for folder in folders)
            for number in range(len(self._job.task.modalities))
        ]

    def _write_label(self, item: CaseOnGrid, name: str) -> bool:
        if label_is_resampled(item):
            self.resampled.add(item.case.case_id)

        def make(path: Path) -> None:
            write_volume(path, read_label(item, self._job, self._values, program=PROGRAM))

        return self._export.write(name, label_made_from(item, self._job, self._values), make)

    def _write_images(self, item: CaseOnGrid, folder: str) -> bool:
        """Write the channels of a case; returns whether all are as they should be."""
        names = [name for (name,) in self._image_names(item.case.case_id, folder)]
        channels = zip(names, self._job.task.modalities, strict=True)
        written = [self._write_image(item, name, modality) for name, modality in channels]
        if item.resampled:
            self.resampled.add(item.case.case_id)
        return all(written)

    def _write_image(self, item: CaseOnGrid, name: str, modality: str) -> bool:
        def make(path: Path) -> None:
            write_volume(path, item.read_image(modality))

        return self._export.write(name, item.made_from(modality, self._job), make)

    def _write_description(self) -> None:
        """Write `dataset.json`; what a user changed in it for nnU-Net stays."""
        path = self._export.folder / DATASET_FILE
        old = read_json(path) if path.is_file() else {}
        known = old if isinstance(old, dict) else {}
        labels = {e["name"]: e["value"] for e in self._export.content["labels"]}
        content = {
            "channel_names": {str(n): name for n, name in enumerate(self._job.task.modalities)},
            "file_ending": ENDING,
            **known,
            "labels": {"background": 0, **labels, **known.get("labels", {})},
            "numTraining": len(list((path.parent / "labelsTr").glob(f"*{ENDING}"))),
        }
        write_json(path, content)


def _values(export: ExportFolder, task: Task) -> dict[int, int]:
    """Number the labels of a task; those of an earlier export keep their numbers.

    Raises:
        UsageError: If the task lacks a label of the earlier export.
    """
    labels: list[dict[str, Any]] = export.content.setdefault("labels", [])
    known = {entry["name"]: entry["value"] for entry in labels}
    lost = [name for name in known if name not in task.labels.values()]
    if lost:
        msg = (
            f"The earlier export in {export.folder} has the label {joined(lost)}, which the task"
            f" {task.name!r} has not. Use the task of the earlier export, or another folder."
        )
        raise UsageError(msg)
    for name in task.labels.values():
        if name not in known:
            known[name] = len(known) + 1
            labels.append({"name": name, "value": known[name]})
    return {value: known[name] for value, name in task.labels.items()}


def _check_channels(export: ExportFolder, modalities: tuple[str, ...]) -> None:
    known = tuple(export.content.setdefault("channels", list(modalities)))
    if known != modalities:
        msg = (
            f"The earlier export in {export.folder} has the channels {', '.join(known)}, this one"
            f" {', '.join(modalities)}. Use the task of the earlier export, or another folder."
        )
        raise UsageError(msg)
