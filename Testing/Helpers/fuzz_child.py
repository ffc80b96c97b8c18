"""Reads many mutated files in one process and writes down what came of each.

`python fuzz_child.py KIND FIRST STOP BASE WORK JOURNAL SECONDS`, which `fuzz.py` starts. A file
that takes too long ends the process, as a crash does; the journal tells at which file.
"""

from __future__ import annotations

import io
import json
import random
import resource
import shutil
import signal
import sys
import time
import traceback
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

HELPERS = Path(__file__).parent
sys.path[:0] = [
    str(HELPERS),
    *(str(HELPERS.parents[1] / n) for n in ("MDALSelector", "CIMLSegment")),
]

from fuzz_subjects import SUBJECTS, fault  # noqa: E402

_MOST_TEXT = 20_000
_PATIENCE = 6  # a busy computer may take so much longer than the processor's own time
MOST_VIRTUAL_BYTES = 12 << 30  # so that a fault does not take the whole computer down


def main(kind: str, first: str, stop: str, *rest: str) -> None:
    """Run the numbered files of a kind."""
    base, work, journal = map(Path, rest[:3])
    resource.setrlimit(resource.RLIMIT_AS, (MOST_VIRTUAL_BYTES, MOST_VIRTUAL_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _import_heavy(kind)
    with journal.open("a", encoding="utf-8") as file:
        for number in range(int(first), int(stop)):
            file.write(json.dumps({"start": number}) + "\n")
            file.flush()
            entry = _run(kind, number, (base, work), float(rest[3]))
            file.write(json.dumps({"end": number, **entry}) + "\n")
            file.flush()


def _import_heavy(kind: str) -> None:
    """Import beforehand what takes its time once, so that no file is blamed for it."""
    if kind in ("task", "model"):
        import CIMLSegmentLib.inference.segmentation_job
        import CIMLSegmentLib.model.model
        import CIMLSegmentLib.training.train
        import CIMLSegmentLib.training.training_cases  # noqa: F401


def _run(kind: str, number: int, places: tuple[Path, Path], longest_s: float) -> dict[str, object]:
    base, work = places
    folder = work / f"{kind}-{number}"
    folder.mkdir(parents=True)
    make = SUBJECTS.get(kind, fault)
    command = make(base, folder, random.Random(f"{kind}-{number}"))
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    err = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="backslashreplace")
    _forget_peak()
    started = time.process_time()
    signal.setitimer(signal.ITIMER_PROF, longest_s)
    signal.setitimer(signal.ITIMER_REAL, _PATIENCE * longest_s)
    try:
        with redirect_stdout(out), redirect_stderr(err):
            code = _exit_code(command)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
    text = "".join(_written(stream) for stream in (out, err))
    text = text if len(text) < _MOST_TEXT else text[: _MOST_TEXT // 2] + text[-_MOST_TEXT // 2 :]
    shutil.rmtree(folder)
    return {"code": code, "seconds": time.process_time() - started, "mb": _peak_mb(), "text": text}


def _exit_code(command) -> int:
    try:
        return int(command())
    except SystemExit as end:
        return int(end.code or 0)
    except BaseException:  # noqa: BLE001 - what a command lets through is a finding
        traceback.print_exc()
        return 1


def _written(stream: io.TextIOWrapper) -> str:
    stream.flush()
    return stream.buffer.getvalue().decode("utf-8", errors="replace")


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _peak_mb() -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    peak = next(line for line in lines if line.startswith("VmHWM"))
    return int(peak.split()[1]) / 1024


if __name__ == "__main__":
    main(*sys.argv[1:])
