"""A situation: input as users really have it, a command, and what has to come out.

The files of `Testing/Situations` list them; `test_situations.py` runs all and prints the table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Situation:
    """One input, one command, one outcome.

    The command runs in the test's process, unless it asks for an environment or a wrapper. Home,
    temporary files and working folder are fresh empty folders. Whatever comes out, no file of the
    folder may have changed, its `.crossmodal` aside.

    Attributes:
        name: Unique, words joined by hyphens.
        kind: The kind of fault that it is a member of, for example `"label values"`.
        build: Makes the input in an empty folder; may call `pytest.skip`.
        command: Program and arguments; `{folder}` stands for the folder, `{out}` for another empty
            one, `{model}` for a small trained model of four MR sequences with task `brats`.
        exit_code: The exit code that is right.
        says: Regular expressions that the output (standard output and error) must contain; they
            are also tried on the output with every run of blanks and line ends made one blank.
        silent_about: Regular expressions that the output must not contain.
        check: Further assertions, given the folder, `{out}` and the output.
        environment: Variables of a child process; `None` removes one.
        wrapper: Words before the program of a child process, such as `("setpriv", "--reuid=4711")`.
        is_slow: Whether it takes more than some seconds and runs on request only.
    """

    name: str
    kind: str
    build: Callable[[Path], object]
    command: tuple[str, ...]
    exit_code: int = 0
    says: tuple[str, ...] = ()
    silent_about: tuple[str, ...] = ()
    check: Callable[[Path, Path, str], None] | None = None
    environment: Mapping[str, str | None] = field(default_factory=dict)
    wrapper: tuple[str, ...] = ()
    is_slow: bool = False

    @property
    def needs_child(self) -> bool:
        """Whether the command has to run in a process of its own."""
        return bool(self.environment or self.wrapper)
