"""The two commands, run in this process or in a child, with everything that they print."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from CIMLSegmentLib.__main__ import main as ciml_segmenter
from MDALSelectorLib.__main__ import main as mdal_selector

ROOT = Path(__file__).parents[2]
PROGRAMS = {"mdal-selector": mdal_selector, "ciml-segmenter": ciml_segmenter}
PACKAGES = {"mdal-selector": "MDALSelectorLib", "ciml-segmenter": "CIMLSegmentLib"}
LONGEST_S = 600.0


@dataclass(frozen=True)
class Outcome:
    """What a command left behind.

    Attributes:
        exit_code: As the shell would see it.
        output: Standard output, then standard error.
    """

    exit_code: int
    output: str

    @property
    def sentence(self) -> str:
        """The first error, else the first warning, else the last line."""
        lines = [line.strip() for line in self.output.splitlines() if line.strip()]
        for start in ("Error:", "Warning:"):
            for line in lines:
                if line.startswith(start):
                    return line
        return lines[-1] if lines else ""


@dataclass(frozen=True)
class Surroundings:
    """Fresh empty folders that a command sees as its home, temporary and working folder."""

    folder: Path

    def enter(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Make them those of this process until the test ends."""
        for name, value in self.variables().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(tempfile, "tempdir", None)
        monkeypatch.chdir(self._made("elsewhere"))

    def variables(self) -> Mapping[str, str]:
        """Return the environment variables that name them."""
        return {"HOME": str(self._made("home")), "TMPDIR": str(self._made("tmp"))}

    def _made(self, name: str) -> Path:
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def run_here(command: Sequence[str], capfd: pytest.CaptureFixture[str]) -> Outcome:
    """Run a command in this process; what libraries write past Python is captured as well."""
    capfd.readouterr()
    try:
        code = PROGRAMS[command[0]](command[1:])
    except SystemExit as end:  # wrong usage, and --help
        code = end.code if isinstance(end.code, int) else 1
    printed = capfd.readouterr()
    return Outcome(code, printed.out + printed.err)


def run_child(
    command: Sequence[str],
    around: Surroundings,
    *,
    environment: Mapping[str, str | None] | None = None,
    wrapper: Sequence[str] = (),
) -> Outcome:
    """Run a command in a child process."""
    paths = os.pathsep.join(str(ROOT / name) for name in ("MDALSelector", "CIMLSegment"))
    changes = {**around.variables(), "PYTHONPATH": paths, **(environment or {})}
    variables: dict[str, str | None] = {**os.environ, **changes}
    child = subprocess.run(
        [*wrapper, sys.executable, "-m", PACKAGES[command[0]], *command[1:]],
        cwd=around.folder,
        env={name: value for name, value in variables.items() if value is not None},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=LONGEST_S,
        check=False,
    )
    text = (child.stdout + child.stderr).decode("utf-8", errors="replace")
    return Outcome(child.returncode, text)
