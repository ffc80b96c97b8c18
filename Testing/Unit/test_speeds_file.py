"""What is known of the speed of this computer: kept for the next job, never in the way of one."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from MultimodalImagingLib.record import speeds_file
from MultimodalImagingLib.record.speeds_file import SpeedsFile


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / ".crossmodal" / "speeds.json"


def test_what_is_measured_is_kept_half_and_half_with_what_was_known(path: Path) -> None:
    SpeedsFile(path).learn({"select/Check pairing/auto": 4.0})
    SpeedsFile(path).learn({"select/Check pairing/auto": 1.0, "train/Train/cuda": 0.1})
    known = SpeedsFile(path).read()
    assert known == {"select/Check pairing/auto": 2.0, "train/Train/cuda": 0.1}


def test_computers_with_other_cores_have_speeds_of_their_own(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n_cores in (4, 64):
        monkeypatch.setattr(speeds_file, "core_count", lambda n=n_cores: n)
        assert SpeedsFile(path).read() == {}
        SpeedsFile(path).learn({"a": float(n_cores)})
    assert SpeedsFile(path).read() == {"a": 64.0}
    monkeypatch.setattr(speeds_file, "core_count", lambda: 4)
    assert SpeedsFile(path).read() == {"a": 4.0}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b'{"format": 2, "1 cores": {"a": 1.0}}',
        b'{"format": 1, "1 cores": [1, 2]}',
        b'{"format": 1, "1 cores": {"a": "quick", "b": -1, "c": 0, "d": true, "e": NaN}}',
        b"[" * 100_000,
        b" " * 2_000_000,
    ],
    ids=lambda content: repr(content[:30]),
)
def test_what_cannot_be_read_counts_as_nothing_and_is_replaced(
    path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speeds_file, "core_count", lambda: 1)
    path.parent.mkdir()
    path.write_bytes(content)
    assert SpeedsFile(path).read() == {}
    SpeedsFile(path).learn({"a": 3.0})
    assert SpeedsFile(path).read() == {"a": 3.0}
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_where_nothing_can_be_written_nothing_is_kept_and_nothing_fails(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    speeds = SpeedsFile(tmp_path / "file" / "speeds.json")
    speeds.learn({"a": 1.0})
    assert speeds.read() == {}


def test_the_file_is_that_of_the_user_unless_the_environment_names_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv(speeds_file.VARIABLE)
    SpeedsFile().learn({"a": 1.0})
    kept = json.loads((tmp_path / ".crossmodal" / "speeds.json").read_text(encoding="utf-8"))
    assert list(kept) == sorted(kept)
    monkeypatch.setenv(speeds_file.VARIABLE, str(tmp_path / "other.json"))
    assert SpeedsFile().read() == {}
    monkeypatch.setenv(speeds_file.VARIABLE, os.devnull)
    SpeedsFile().learn({"a": 1.0})
    assert SpeedsFile().read() == {}
