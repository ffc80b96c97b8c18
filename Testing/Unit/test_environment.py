"""Where something usual is missing: user, home folder, a terminal that knows all letters, space."""

from __future__ import annotations

import argparse
import errno
import getpass
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from MultimodalImagingLib.errors import CancelledError, CrossModalError, NoSpaceError, UsageError
from MultimodalImagingLib.jobs import environment
from MultimodalImagingLib.jobs.command_line import run_command_line
from MultimodalImagingLib.record.atomic_files import write_bytes
from MultimodalImagingLib.record.atomic_folder import new_folder
from MultimodalImagingLib.record.cohort_record import CaseState, default_record_folder, open_record


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without entry in the list of users, as in containers."""

    def unknown(*_args: object) -> str:
        msg = "getpwuid(): uid not found: 12345"
        raise KeyError(msg)

    for name in ("LOGNAME", "USER", "LNAME", "USERNAME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(getpass, "getuser", unknown)
    monkeypatch.setattr(Path, "home", unknown)


def test_a_user_without_name_is_a_number(nobody: None, tmp_path: Path) -> None:
    assert environment.user_name() == f"user-{os.getuid()}"
    states = open_record(tmp_path).change_states({"a": CaseState.LABELLED})
    assert states.entries["a"].by == f"user-{os.getuid()}"
    assert not (tmp_path / ".crossmodal" / "cases.lock").exists()
    environment.provide_user_name()
    assert os.environ["USER"] == f"user-{os.getuid()}"


def test_a_read_only_cohort_of_a_user_without_home_needs_a_record(
    nobody: None, tmp_path: Path
) -> None:
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(UsageError, match="--record"):
            default_record_folder(tmp_path)
    finally:
        tmp_path.chmod(0o755)


@pytest.mark.parametrize("home", ["", "relative"])
def test_a_home_that_is_no_place_is_none(monkeypatch: pytest.MonkeyPatch, home: str) -> None:
    monkeypatch.setenv("HOME", home)
    assert environment.home_folder() is None


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "gbk", "latin-1", "utf-8"])
def test_any_encoding_takes_any_text(encoding: str) -> None:
    code = (
        "from MultimodalImagingLib.jobs.environment import make_streams_safe, is_unicode\n"
        "import sys\nmake_streams_safe()\n"
        "print('6 \\xd7 4 \\u60a3\\u8005 \\U0001f9e0 \\udce4')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        check=True,
    )
    text = done.stdout.decode(encoding)
    assert text.startswith("6 x 4" if encoding == "ascii" else "6 \xd7 4")
    assert "\\udce4" in text


def test_a_crash_in_native_code_names_the_line_of_python() -> None:
    code = (
        "from MultimodalImagingLib.jobs.environment import explain_crashes\n"
        "import ctypes\nexplain_crashes()\n"
        "ctypes.string_at(0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == -signal.SIGSEGV
    assert 'File "<string>", line 4' in done.stderr


def parser_of(error: BaseException) -> argparse.ArgumentParser:
    def fail(_options: object, _reporter: object) -> int:
        raise error

    parser = argparse.ArgumentParser()
    parser.set_defaults(command=fail)
    return parser


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "Free space"),
        (errno.ENAMETOOLONG, "shorter names"),
        (errno.EROFS, "can be written"),
        (errno.EIO, "run the command again"),
    ],
)
def test_what_the_system_refuses_is_one_sentence(
    capsys: pytest.CaptureFixture[str], number: int, advice: str
) -> None:
    error = OSError(number, os.strerror(number), "/data/file")
    assert run_command_line(parser_of(error), []) == (2 if number == errno.ENAMETOOLONG else 1)
    said = capsys.readouterr().err
    assert "/data/file" in said
    assert advice in said
    assert "Traceback" not in said


def test_a_reader_that_has_read_enough_is_no_error() -> None:
    code = (
        "import argparse, sys\n"
        "from MultimodalImagingLib.jobs.command_line import run_command_line\n"
        "def write(options, reporter):\n"
        "    for _ in range(100000): print('x' * 100)\n"
        "    return 0\n"
        "parser = argparse.ArgumentParser()\n"
        "parser.set_defaults(command=write)\n"
        "sys.exit(run_command_line(parser))\n"
    )
    command = f'"{sys.executable}" -c "$CODE" | head -1; echo ${{PIPESTATUS[0]}}'
    done = subprocess.run(
        ["bash", "-c", command],
        check=False,
        env={**os.environ, "CODE": code},
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines()[-1] == str(CancelledError.exit_code)
    assert done.stderr == ""


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_told_apart_from_other_refusals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_args: object, **_options: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(NoSpaceError):
        write_bytes(tmp_path / "file", b"x")
    monkeypatch.setattr(Path, "mkdir", refuse)
    writing = new_folder(tmp_path / "folder")
    with pytest.raises(NoSpaceError):
        writing.__enter__()
    number = errno.EACCES
    with pytest.raises(CrossModalError) as caught:
        write_bytes(tmp_path / "file", b"x")
    assert not isinstance(caught.value, NoSpaceError)
    assert list(tmp_path.iterdir()) == []
