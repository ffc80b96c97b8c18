"""How long a record of many cases takes: to open, to save a label in, to say the status of.

`python Testing/Benchmarks/benchmark_record.py [--cases 2000]` prints seconds, and what noting a
label costs in proportion to writing its file; on a busy computer look at the processor's time.
Nothing of the scene is in it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / name) for name in ("MDALSelector", "CIMLSegment", "Testing/Helpers")]

from segment_files import save_segments  # noqa: E402

from MultimodalImagingLib.cohorts.labelled_cases import label_that_counts  # noqa: E402
from MultimodalImagingLib.cohorts.reader_labels import reader_label_place  # noqa: E402
from MultimodalImagingLib.cohorts.saved_labels import (  # noqa: E402
    changed_elsewhere,
    new_saved_label,
    note_saved_label,
)
from MultimodalImagingLib.images.geometry import Grid  # noqa: E402
from MultimodalImagingLib.record import states_file  # noqa: E402
from MultimodalImagingLib.record.atomic_files import atomic_path  # noqa: E402
from MultimodalImagingLib.record.case_states import SavedLabel, utc_now  # noqa: E402
from MultimodalImagingLib.record.cohort_record import (  # noqa: E402
    CaseState,
    CohortRecord,
    open_record,
)
from MultimodalImagingLib.record.history import HistoryEvent, append_events  # noqa: E402

GRID = Grid((256, 256, 100), (1.0, 1.0, 2.0), (0.0, 0.0, 0.0), (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0))
N_SAVES = 20
EVENTS_PER_CASE = 12


def filled_record(folder: Path, n_cases: int) -> CohortRecord:
    """Make a record in which every case but one is labeled, by the second of two readers too."""
    record = open_record(folder, folder=folder / "record")
    cases = [f"case-{n:04d}" for n in range(n_cases)]
    record.change_states(dict.fromkeys(cases, CaseState.LABELLED))
    labels = {}
    for case in cases[1:]:
        own = {}
        for reader in ("ana", "bo"):
            place = reader_label_place(case, reader, record)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(b"x")
            path = place.relative_to(record.folder).as_posix()
            own[reader] = SavedLabel(case, reader, path, "0" * 64, utc_now(), 300.5, 200.25, "m")
        labels[case] = own
    groups = dict.fromkeys(cases[: n_cases // 7], "site 1")
    record.update(lambda now: replace(now, labels=labels, evaluation=groups))
    events = [
        HistoryEvent(utc_now(), "ana", "login", "autosaved", case, {"n": n})
        for case in cases
        for n in range(EVENTS_PER_CASE)
    ]
    append_events(record, events)
    return record


def seconds(action: Callable[[], object], n: int) -> tuple[float, float]:
    """Return the median time of an action, and of that the processor's, s."""
    times = []
    for _ in range(n):
        start, cpu_start = time.perf_counter(), time.process_time()
        action()
        times.append((time.perf_counter() - start, time.process_time() - cpu_start))
    return median(wall for wall, _ in times), median(cpu for _, cpu in times)


def write_label(place: Path) -> None:
    """Write a segmentation of a usual size."""
    array = np.zeros(GRID.array_shape, np.uint8)
    array[20:60, 60:180, 60:180] = 1
    with atomic_path(place) as unfinished:
        save_segments(unfinished, [array], [("tumor", 1, 0)], GRID)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=2000)
    n_cases = parser.parse_args().cases
    with tempfile.TemporaryDirectory() as folder:
        record = filled_record(Path(folder), n_cases)
        cases = [f"case-{n:04d}" for n in range(n_cases)]
        place = reader_label_place("case-0000", "ana", record)
        place.parent.mkdir(parents=True)
        file_s = seconds(lambda: write_label(place), 5)

        def note() -> None:
            note_saved_label(record, new_saved_label("case-0000", "ana", place, record))

        def changing() -> None:
            states = (CaseState.SKIPPED, CaseState.LABELLED)
            is_skipped = record.read_states().of("case-0001") is CaseState.SKIPPED
            record.change_states({"case-0001": states[is_skipped]}, note="why")

        def counting() -> None:
            states = record.read_states()
            for case in cases:
                label_that_counts(case, None, record, states=states)

        def opening() -> None:
            states_file._PARSED.clear()  # as a process that has not read it yet
            record.read_states()

        note_s = seconds(note, N_SAVES)
        rows = (
            ("open the record", seconds(opening, N_SAVES)),
            ("which label counts, of every case", seconds(counting, 3)),
            ("write the file of a label, 6.5 million voxels", file_s),
            ("checksum and note a label, with history", note_s),
            ("change the state of a case", seconds(changing, N_SAVES)),
            ("claim a case", seconds(lambda: record.claim("case-0001", "ana"), N_SAVES)),
            ("edited elsewhere? first time", seconds(lambda: changed_elsewhere(record), 1)),
            ("edited elsewhere? again", seconds(lambda: changed_elsewhere(record), 3)),
        )
        size = (record.folder / "cases.json").stat().st_size / 1e6
    print(f"{n_cases} cases, 2 readers, cases.json {size:.1f} MB")
    for what, value in rows:
        print(f"{what:<48} {value[0]:8.3f} s, of that processor {value[1]:.3f} s")
    ratio = note_s[1] / file_s[1]
    print(f"noting a label takes {ratio:.2f} of the processor time that its file takes")


if __name__ == "__main__":
    main()
