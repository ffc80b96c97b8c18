"""A situation: input as users really have it, a command, and what has to come out.

The files of `Testing/Situations` list them; `test_situations.py` runs all and prints the table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Situation:
    """One input, one command, one outcome.

    Attributes:
        name: Unique, words joined by hyphens.
        kind: The kind of fault that it is a member of, for example `"label values"`.
        build: Makes the input in an empty folder.
        command: Program and arguments; `{folder}` stands for the folder, `{out}` for another empty
            one, `{model}` for a small trained model of four MR sequences with task `brats`.
        exit_code: The exit code that is right.
        says: Regular expressions that the output (standard output and error) must contain.
        silent_about: Regular expressions that the output must not contain.
        check: Further assertions, given the folder, `{out}` and the output.
    """

    name: str
    kind: str
    build: Callable[[Path], object]
    command: tuple[str, ...]
    exit_code: int = 0
    says: tuple[str, ...] = ()
    silent_about: tuple[str, ...] = ()
    check: Callable[[Path, Path, str], None] | None = None
