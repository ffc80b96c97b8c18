"""A cohort as a local datastore of MONAI Label: images, `labels/final`, `datastore_v2.json`.

MONAI Label keeps one image per case: that of the primary modality here. It works in the folder
itself; labels that were made or changed there stay, and so does all else that its file says.
"""

from __future__ import annotations

import time
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
from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.images.volume_io import write_volume
from MultimodalImagingLib.jobs.progress import Reporter
from MultimodalImagingLib.record.atomic_files import write_json
from MultimodalImagingLib.record.export_folder import ExportFolder, open_export
from MultimodalImagingLib.record.json_entry import read_json

OPTION = "--monai-label"
PROGRAM = "MONAI Label"
KIND = "MONAI Label datastore"
FILE = "datastore_v2.json"
ENDING = ".nii.gz"
IMAGES, LABELS, FINAL = ".", "labels", "labels/final"


@dataclass(frozen=True)
class ExportedDatastore:
    """What an export wrote.

    Attributes:
        modality: The modality whose images are there.
        n_images: Cases in the datastore.
        n_labels: Cases with a label of this export.
        left_out: Case to the reason why it, or its label, is not there.
        resampled: Cases whose label map was resampled.
        foreign: Files that somebody else changed or put there; they were left as they are.
    """

    modality: str
    n_images: int
    n_labels: int
    left_out: Mapping[str, str]
    resampled: tuple[str, ...]
    foreign: tuple[str, ...]


def export_monai_label(job: ExportJob, folder: Path, reporter: Reporter) -> ExportedDatastore:
    """Write the cases of a cohort as a datastore, or add to an earlier export.

    Args:
        job: What is exported; label values are those of the task.
        folder: The datastore, what `monailabel start_server --studies` gets.
        reporter: Notified of every case.

    Raises:
        UsageError: If the folder holds something else.
        CohortError: If MONAI Label's own file in it cannot be used.
        CrossModalError: If a file cannot be written.
    """
    primary = job.task.primaries[0]
    cases = (*job.labelled, *job.unlabelled)
    items, left_out = on_one_grid(cases, (primary,), job, program=PROGRAM)
    labelled = {case.case_id for case in job.labelled}
    with open_export(folder, KIND, option=OPTION) as export:
        store = _Store(export, job)
        reporter.stage("Write cases", len(items))
        for item in items:
            or_left_out(item, store.write_image, left_out)
            if item.case.case_id in labelled and item.case.case_id not in left_out:
                or_left_out(item, store.write_label, left_out)
            export.save()
            reporter.advance()
        store.write_list()
        return ExportedDatastore(
            primary,
            len(store.images),
            len(store.labels),
            dict(sorted(left_out.items())),
            tuple(sorted(store.resampled)),
            tuple(export.foreign),
        )


class _Store:
    """One export into an open datastore."""

    def __init__(self, export: ExportFolder, job: ExportJob) -> None:
        self._export, self._job = export, job
        self._values = {value: value for value in job.task.labels}
        self._content = _read(export.folder / FILE)
        self.images: list[str] = []
        self.labels: list[str] = []
        self.resampled: set[str] = set()

    def write_image(self, item: CaseOnGrid) -> None:
        name, modality = item.case.case_id, item.reference
        made_from = item.made_from(modality, self._job)
        self._export.write(
            f"{name}{ENDING}",
            made_from,
            lambda path: write_volume(path, item.read_image(modality)),
        )
        self.images.append(name)

    def write_label(self, item: CaseOnGrid) -> None:
        name = item.case.case_id
        if label_is_resampled(item):
            self.resampled.add(name)

        def make(path: Path) -> None:
            write_volume(path, read_label(item, self._job, self._values, program=PROGRAM))

        made_from = label_made_from(item, self._job, self._values)
        if self._export.write(f"{FINAL}/{name}{ENDING}", made_from, make):
            self.labels.append(name)

    def write_list(self) -> None:
        """Add what is new to `datastore_v2.json`, and write the marker."""
        ranks = {case: number for number, case in enumerate(self._job.suggested, start=1)}
        for name in self.images:
            entry = self._content["objects"].setdefault(name, {"image": {}, "labels": {}})
            image = _filled(entry["image"], name)
            if name in ranks:
                image["info"]["crossmodal_suggested"] = ranks[name]
        names = [{"name": name, "idx": value} for value, name in self._job.task.labels.items()]
        for name in self.labels:
            labels = self._content["objects"][name].setdefault("labels", {})
            label = _filled(labels.setdefault("final", {}), name)
            label["info"] |= {
                "checksum": f"SHA256:{self._export.files[f'{FINAL}/{name}{ENDING}']['sha256']}",
                "label_info": names,
            }
        for folder in (FINAL, f"{LABELS}/original"):
            (self._export.folder / folder).mkdir(parents=True, exist_ok=True)
        write_json(self._export.folder / FILE, self._content)
        self._export.save()


def _filled(data: dict[str, Any], name: str) -> dict[str, Any]:
    """Complete an entry for a file as MONAI Label writes it."""
    data.setdefault("ext", ENDING)
    info = data.setdefault("info", {})
    info.setdefault("ts", int(time.time()))
    info.setdefault("name", f"{name}{ENDING}")
    return data


def _read(path: Path) -> dict[str, Any]:
    """Read MONAI Label's list of an earlier export, or begin one.

    Raises:
        CohortError: If it is of another form.
    """
    if not path.is_file():
        return {
            "name": "CrossModal",
            "description": "Exported by CrossModal",
            "images_dir": IMAGES,
            "labels_dir": LABELS,
            "objects": {},
        }
    content = read_json(path)
    if isinstance(content, dict) and isinstance(content.get("objects"), dict):
        places = (content.get("images_dir"), content.get("labels_dir"))
        if places == (IMAGES, LABELS):
            return content
    msg = (
        f"Expected images in the datastore itself and labels in {LABELS} by {path}, found another"
        f" form. Give {OPTION} a new folder."
    )
    raise CohortError(msg)
