"""What must hold of a record whatever happened to those who wrote it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from record_writer import number_of

from MDALSelectorLib.exchange.record_export import content_of
from MultimodalImagingLib.cohorts.label_maps import is_foreign, label_map_place
from MultimodalImagingLib.cohorts.reader_labels import reader_label_place
from MultimodalImagingLib.images.label_map import read_label_map
from MultimodalImagingLib.images.stored_image import ImageFile
from MultimodalImagingLib.record.atomic_files import is_unfinished
from MultimodalImagingLib.record.cohort_record import CaseState, CohortRecord


def check_record(record: CohortRecord, *, reads_voxels: bool = True) -> None:
    """Check that a record is valid: whole files, and no note of a label that is not there.

    Args:
        record: The record.
        reads_voxels: Whether every label is read, not only its bytes.
    """
    content = content_of(record)
    states = record.read_states()
    for case, labels in states.labels.items():
        assert states.of(case) is not CaseState.UNLABELLED
        for label in labels.values():
            assert (record.folder / label.path).is_file(), label
    for label in content.labels:
        if reads_voxels:
            read_label_map(ImageFile(record.folder / label.path))
    for case, made in states.maps.items():
        assert not is_foreign(label_map_place(case, record), made)
    for file in record.folder.rglob("*.nii.gz"):
        if reads_voxels and not is_unfinished(file):
            read_label_map(ImageFile(file))


def check_promises(record: CohortRecord, promises: str) -> Mapping[str, int]:
    """Check that all that was reported is there; returns how much of each kind was promised.

    Args:
        record: The record.
        promises: Output of `record_writer.py`; a last line without an end was not said.
    """
    events = Counter((e.event, e.case, e.reader) for e in content_of(record).history)
    told: Counter[tuple[str, str, str]] = Counter()
    latest: dict[Path, int] = {}
    for line in promises.split("\n")[:-1]:
        kind, case, reader, number = line.split("\t")
        told[kind, case, reader] += 1
        if kind in ("saved", "imported"):
            latest[reader_label_place(case, reader, record)] = int(number)
            assert reader in record.read_states().labels[case]
        if kind == "autosaved":
            latest[record.autosave / f"{case}~{reader}.seg.nrrd"] = int(number)
    for path, number in latest.items():
        assert number_of(path) >= number
    for key, n in told.items():
        if key[0] in ("saved", "autosaved"):
            assert events[key] >= n
    kinds = Counter[str]()
    for key, n in told.items():
        kinds[key[0]] += n
    return kinds
