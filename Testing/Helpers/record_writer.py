"""A process that works on a record as readers do, until it is killed; says what it was told.

Each line of its output is a promise: what it names was reported as done, so it must be there
whenever and however the process ends. Run as `python record_writer.py RECORD EXPORT READER`.
Numbers of labels grow over all processes, and a label holds its number in its voxels.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from segment_files import save_segments

from MDALSelectorLib.exchange.record_content import read_content
from MDALSelectorLib.exchange.record_merge import merge_content
from MultimodalImagingLib.cohorts.label_maps import write_label_map
from MultimodalImagingLib.cohorts.reader_labels import reader_label_place
from MultimodalImagingLib.cohorts.saved_labels import (
    new_saved_label,
    note_saved_label,
)
from MultimodalImagingLib.errors import CohortError
from MultimodalImagingLib.images.geometry import Grid
from MultimodalImagingLib.images.label_map import read_label_map
from MultimodalImagingLib.images.stored_image import ImageFile
from MultimodalImagingLib.record.atomic_files import atomic_path
from MultimodalImagingLib.record.cohort_record import CaseState, CohortRecord
from MultimodalImagingLib.record.history import append_event

CASES = tuple(f"case-{n}" for n in range(6))
GRID = Grid((8, 8, 8), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0))


N_BITS = 64


def write_segmentation(path: Path, number: int) -> None:
    """Write a label with a number atomically, as the panel does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.ones(GRID.array_shape, np.uint8)
    array[0] = np.array([number >> bit & 1 for bit in range(N_BITS)]).reshape(8, 8)
    with atomic_path(path) as unfinished:
        save_segments(unfinished, [array], [("tumor", 1, 0)], GRID)


def number_of(path: Path) -> int:
    """Return the number that a label holds."""
    bits = read_label_map(ImageFile(path)).volume.array[0].ravel()
    return sum(int(bit) << n for n, bit in enumerate(bits))


class Writer:
    """Does one thing after the other, and tells of each that is done."""

    def __init__(self, record: CohortRecord, export: Path, reader: str) -> None:
        self._record, self._export, self._reader = record, export, reader
        self._chance = random.Random(reader)
        self._n = time.time_ns()

    def run(self) -> None:
        """Work for ever."""
        actions: list[Callable[[str], None]] = [
            *(self._save, self._save, self._save, self._autosave, self._claim, self._release),
            *(self._skip, self._import),
        ]
        while True:
            self._n = max(self._n + 1, time.time_ns())
            case = self._chance.choice(CASES)
            try:
                self._chance.choice(actions)(case)
            except CohortError:  # the other one is at it
                continue

    def _save(self, case: str) -> None:
        place = reader_label_place(case, self._reader, self._record)
        write_segmentation(place, self._n)
        saved = new_saved_label(case, self._reader, place, self._record)
        note_saved_label(self._record, replace(saved, looking_s=2, drawing_s=1))
        tell("saved", case, self._reader, str(self._n))
        write_label_map(case, self._record, GRID)

    def _autosave(self, case: str) -> None:
        path = self._record.autosave / f"{case}~{self._reader}.seg.nrrd"
        write_segmentation(path, self._n)
        append_event(self._record, "autosaved", case, reader=self._reader, details={"n": self._n})
        tell("autosaved", case, self._reader, str(self._n))

    def _claim(self, case: str) -> None:
        self._record.claim(case, self._reader)
        tell("claimed", case, self._reader, str(self._n))

    def _release(self, case: str) -> None:
        self._record.release(case, self._reader)

    def _skip(self, case: str) -> None:
        if self._record.read_states().of(case) is CaseState.UNLABELLED:
            self._record.change_states({case: CaseState.SKIPPED}, note="no T1", reader=self._reader)

    def _import(self, _case: str) -> None:
        content = read_content(self._export)
        merge_content(self._record, content, self._export, may_replace=False)
        for label in content.labels:
            tell("imported", label.case_id, label.reader, "0")


def tell(*words: str) -> None:
    """Promise something, in one write."""
    sys.stdout.write("\t".join(words) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    Writer(CohortRecord(Path(sys.argv[1])), Path(sys.argv[2]), sys.argv[3]).run()
