"""Kill -9 of whole processes while they save, autosave, claim and import: nothing said is lost."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from record_check import check_promises, check_record
from record_writer import write_segmentation

from MDALSelectorLib.exchange.record_export import export_record
from MultimodalImagingLib.cohorts.reader_labels import reader_label_place
from MultimodalImagingLib.cohorts.saved_labels import new_saved_label, note_saved_label
from MultimodalImagingLib.jobs.progress import NullReporter
from MultimodalImagingLib.record.cohort_record import CaseState, CohortRecord, open_record
from MultimodalImagingLib.record.history import history_problem

ROOT = Path(__file__).parents[2]
FOLDERS = [str(ROOT / name) for name in ("MDALSelector", "CIMLSegment", "Testing/Helpers")]
LONGEST_S = 1.5  # of one life, after its first word


def exported(folder: Path) -> Path:
    """Export a record of somebody else, with labels of two cases that are in no other record."""
    record = open_record(folder, folder=folder / "others")
    for case in ("case-0", "far"):
        place = reader_label_place(case, "zoe", record)
        write_segmentation(place, 7)
        note_saved_label(record, new_saved_label(case, "zoe", place, record))
    export_record(record, folder / "export", NullReporter())
    return folder / "export"


def start(record: CohortRecord, export: Path, reader: str) -> subprocess.Popen[str]:
    """Start a process that writes; it is at work when this returns."""
    script = ROOT / "Testing" / "Helpers" / "record_writer.py"
    words = [sys.executable, str(script), str(record.folder), str(export), reader]
    around = {**os.environ, "PYTHONPATH": os.pathsep.join(FOLDERS)}
    return subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=around
    )


def killed_often(folder: Path, n: int, seed: int) -> Counter[str]:
    """Let two processes write and kill one at a random moment, so many times; check each time."""
    export, record = exported(folder), open_record(folder, folder=folder / "record")
    chance, counts = random.Random(seed), Counter[str]()
    said = dict.fromkeys(("ana", "bo"), "")
    for turn in range(n):
        writers = {reader: start(record, export, reader) for reader in said}
        first = {reader: process.stdout.readline() for reader, process in writers.items()}
        time.sleep(chance.uniform(0, LONGEST_S))
        order = sorted(said) if turn % 2 else sorted(said, reverse=True)
        for reader in order:
            os.kill(writers[reader].pid, signal.SIGKILL)
        for reader, process in writers.items():
            rest, errors = process.communicate(timeout=60)
            assert "Traceback" not in errors, errors
            whole_lines = (first[reader] + rest).rpartition("\n")[0]
            said[reader] += f"{whole_lines}\n" if whole_lines else ""
        for text in said.values():
            check_promises(record, text)
        check_record(record)
        counts["cut lines"] += "cannot be read" in history_problem(record)
    counts.update(check_promises(record, "".join(said.values())))
    # Whoever comes next is not kept out by what the killed ones left.
    record.change_states({"last": CaseState.SUGGESTED})
    assert record.read_states().of("last") is CaseState.SUGGESTED
    return counts


def test_nothing_that_was_reported_is_lost_by_a_kill(tmp_path: Path) -> None:
    counts = killed_often(tmp_path, 2, seed=1)
    assert counts["saved"] > 0


@pytest.mark.evidence
def test_nothing_that_was_reported_is_lost_by_200_kills(tmp_path: Path) -> None:
    counts = killed_often(tmp_path, 100, seed=2)  # two processes each
    print(f"200 kills: {dict(counts)}")
    assert min(counts[kind] for kind in ("saved", "autosaved", "claimed", "imported")) >= 10
