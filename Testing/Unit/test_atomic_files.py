from __future__ import annotations

import errno
import json
import os
import signal
import stat
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

from MultimodalImagingLib.errors import CrossModalError
from MultimodalImagingLib.record import atomic_files
from MultimodalImagingLib.record.atomic_files import (
    atomic_path,
    is_writable_folder,
    remove_unfinished_files,
    write_bytes,
    write_json,
    write_text,
)

SOURCE = Path(__file__).parents[2] / "MDALSelector"

# Writes half of a large file through `atomic_path`, says so, and waits to be killed.
HALF_WRITER = """
import sys, time
from contextlib import nullcontext
from pathlib import Path
from MultimodalImagingLib.record.atomic_files import atomic_path
with atomic_path(Path(sys.argv[1])) as temporary:
    with temporary.open("wb") as file:
        file.write(b"new" * 100_000)
        file.flush()
        print("half", flush=True)
        time.sleep(60)
"""


def fail_half_way(path: Path) -> None:
    with atomic_path(path) as temporary:
        temporary.write_bytes(b"half")
        raise RuntimeError


def test_a_written_file_holds_exactly_the_given_bytes_and_nothing_else_remains(
    tmp_path: Path,
) -> None:
    write_bytes(tmp_path / "a.bin", b"\x00\r\n\xff")
    assert (tmp_path / "a.bin").read_bytes() == b"\x00\r\n\xff"
    write_text(tmp_path / "größe.txt", "β\r\nend\n")
    assert (tmp_path / "größe.txt").read_bytes() == "β\r\nend\n".encode()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.bin", "größe.txt"]


def test_content_is_on_the_disk_before_it_gets_its_name_and_the_name_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a power failure could leave an empty file under the name of the old one."""
    calls: list[str] = []
    replace = Path.replace
    monkeypatch.setattr(os, "fsync", lambda handle: calls.append(_kind(handle)))
    monkeypatch.setattr(
        Path, "replace", lambda path, target: (calls.append("rename"), replace(path, target))[1]
    )
    write_bytes(tmp_path / "a.bin", b"new")
    assert calls == ["file", "rename", "folder"]


def _kind(handle: int) -> str:
    return "folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file"


def test_json_is_sorted_and_keeps_floats_exactly(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"b": 0.1 + 0.2, "a": [np.float64(1e-300), np.int64(3)], "p": Path("x/y")})
    assert json.loads(path.read_text()) == {"a": [1e-300, 3], "b": 0.1 + 0.2, "p": "x/y"}
    assert path.read_text().index('"a"') < path.read_text().index('"b"')
    first = path.read_bytes()
    write_json(path, {"p": Path("x/y"), "a": [1e-300, 3], "b": 0.30000000000000004})
    assert path.read_bytes() == first


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_json_refuses_numbers_that_json_does_not_have(tmp_path: Path, value: float) -> None:
    path = tmp_path / "a.json"
    path.write_text("old")
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(path, {"a": value})
    with pytest.raises(TypeError, match="Expected a value that JSON can hold, got set"):
        write_json(path, {"a": {1}})
    assert path.read_text() == "old"


def test_an_exception_while_writing_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "a.nii.gz"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError):
        fail_half_way(path)
    assert path.read_bytes() == b"old"
    assert [item.name for item in tmp_path.iterdir()] == ["a.nii.gz"]


def test_the_temporary_path_is_hidden_in_the_same_folder_and_keeps_all_suffixes(
    tmp_path: Path,
) -> None:
    with atomic_path(tmp_path / "case-1.seg.nrrd") as temporary:
        assert temporary.parent == tmp_path.resolve()
        assert temporary.name.startswith(".")
        assert temporary.name.endswith("case-1.seg.nrrd")
        temporary.write_bytes(b"x")


def test_a_body_that_writes_nothing_is_an_error_and_keeps_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "a"):
        pass
    assert (tmp_path / "a").read_bytes() == b"old"


def test_the_file_behind_a_symbolic_link_is_replaced_not_the_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_text(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


def test_a_process_that_is_killed_while_writing_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("old")
    process = subprocess.Popen(
        [sys.executable, "-c", HALF_WRITER, str(path)],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "half\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert path.read_text() == "old"
    left = [item for item in tmp_path.iterdir() if item != path]
    assert len(left) == 1
    remove_unfinished_files(tmp_path)
    assert left[0].exists()  # too young: might still be written
    os.utime(left[0], (0, time.time() - 90_000))
    remove_unfinished_files(tmp_path)
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_explained_and_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Path) -> None:
        raise OSError(28, "No space left on device")

    write_text(tmp_path / "a.txt", "old")
    monkeypatch.setattr(atomic_files, "_sync", full)
    with pytest.raises(CrossModalError, match=r"a\.txt cannot be written: No space left on device"):
        write_text(tmp_path / "a.txt", "new")
    assert (tmp_path / "a.txt").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_missing_folder_is_explained(tmp_path: Path) -> None:
    with pytest.raises(CrossModalError, match="No such file or directory"):
        write_text(tmp_path / "not" / "there.txt", "x")


def test_a_folder_without_write_permission_is_read_only_even_for_the_superuser(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "cohort"
    folder.mkdir()
    assert is_writable_folder(folder)
    folder.chmod(0o555)
    assert not is_writable_folder(folder)
    folder.chmod(0o755)
    assert is_writable_folder(folder)


def test_what_is_no_folder_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert not is_writable_folder(tmp_path / "file")
    assert not is_writable_folder(tmp_path / "absent")


def test_where_permissions_say_nothing_a_file_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert atomic_files._can_create_file(tmp_path)
    assert not atomic_files._can_create_file(tmp_path / "absent")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("number", "is_written"), [(errno.EINVAL, True), (errno.EIO, False)])
def test_a_drive_that_cannot_sync_folders_takes_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, is_written: bool
) -> None:
    sync = os.fsync

    def of_files_only(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, os.strerror(number))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", of_files_only)
    with nullcontext() if is_written else pytest.raises(CrossModalError):
        write_text(tmp_path / "a", "new")
