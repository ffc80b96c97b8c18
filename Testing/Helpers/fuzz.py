"""Gives mutated files to child processes and collects what goes wrong.

`python fuzz.py BASE WORK KIND=NUMBER ...` prints the findings, for example `nifti=3000`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

CHILD = Path(__file__).with_name("fuzz_child.py")
FILES_PER_CHILD = 200
MOST_MB = 1024.0
LONGEST_S = 10.0
_LAST_TEXT = 1500


@dataclass(frozen=True)
class Finding:
    """A mutated file that a command did not take well.

    Attributes:
        kind: Kind of file.
        number: Its number, which is the seed too.
        fault: What happened.
        text: The end of what the command printed.
    """

    kind: str
    number: int
    fault: str
    text: str


def findings(
    kind: str, numbers: range, *, base: Path, work: Path, longest_s: float = LONGEST_S
) -> Iterator[Finding]:
    """Run the files of a kind, many per child process, and yield those that went wrong.

    Args:
        kind: A key of `fuzz_subjects.SUBJECTS`.
        numbers: Numbers of the files.
        base: What `make_base` wrote.
        work: Folder for the mutated files; they are removed, but for those that ended a process.
        longest_s: Most seconds of computing per file.
    """
    work.mkdir(parents=True, exist_ok=True)
    first = numbers.start
    while first < numbers.stop:
        stop = min(first + FILES_PER_CHILD, numbers.stop)
        journal = work / f"journal-{kind}-{first}.jsonl"
        code = _run_child(kind, range(first, stop), (base, work, journal), longest_s)
        lines = journal.read_text(encoding="utf-8").splitlines() if journal.is_file() else []
        entries = [json.loads(line) for line in lines]
        yield from (f for entry in entries if "end" in entry for f in _faults(kind, entry))
        begun = max((entry["start"] for entry in entries if "start" in entry), default=first)
        if code:
            yield Finding(kind, begun, _ending(code), "")
        first = begun + 1 if code else stop
        journal.unlink(missing_ok=True)


def _run_child(kind: str, numbers: range, places: Sequence[Path], longest_s: float) -> int:
    amounts = [str(numbers.start), str(numbers.stop)]
    words = [sys.executable, str(CHILD), kind, *amounts, *map(str, places), str(longest_s)]
    home = places[1] / "home"
    home.mkdir(exist_ok=True)
    variables = {**os.environ, "HOME": str(home), "OMP_NUM_THREADS": "1"}
    # Its standard error holds what libraries write past Python; nothing there is looked at.
    with subprocess.Popen(
        words, env=variables, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as child:
        return child.wait()


def _faults(kind: str, entry: Mapping[str, object]) -> Iterator[Finding]:
    text, seconds, size_mb = (
        str(entry["text"]),
        float(str(entry["seconds"])),
        float(str(entry["mb"])),
    )
    faults = []
    if "Traceback" in text:
        faults.append("traceback")
    elif entry["code"] not in (0, 1, 2) or (entry["code"] and "Error: " not in text):
        faults.append(f"exit code {entry['code']} without a sentence")
    if seconds > LONGEST_S:
        faults.append(f"{seconds:.0f} s")
    if size_mb > MOST_MB:
        faults.append(f"{size_mb:.0f} MB")
    for fault in faults:
        yield Finding(kind, int(str(entry["end"])), fault, text[-_LAST_TEXT:])


def _ending(code: int) -> str:
    names = {
        -14: "hang (waiting)",
        -27: "hang (computing)",
        -11: "crash",
        -6: "abort",
        -9: "killed",
    }
    return names.get(code, f"process ended with {code}")


def main(base: str, work: str, *amounts: str) -> int:
    """Print all findings; exit code 1 if there are any."""
    n_found = 0
    for amount in amounts:
        kind, number = amount.split("=")
        for found in findings(kind, range(int(number)), base=Path(base), work=Path(work)):
            n_found += 1
            print(f"{found.kind} {found.number}: {found.fault}\n{found.text}", flush=True)
        print(f"{kind}: {number} files done", flush=True)
    return 1 if n_found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
