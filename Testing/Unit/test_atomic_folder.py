"""Folders appear whole or not at all, and remains of killed processes are mended."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from MultimodalImagingLib.errors import CrossModalError
from MultimodalImagingLib.record.atomic_folder import new_folder, tidy_up


def fill(target: Path, text: str, *, divide_by: int = 1) -> None:
    with new_folder(target) as folder:
        (folder / "file").write_text(text)
        _ = 1 / divide_by


def age(path: Path) -> None:
    two_days_ago = time.time() - 2 * 86400
    os.utime(path, (two_days_ago, two_days_ago))


def test_the_target_appears_at_the_end(tmp_path: Path) -> None:
    with new_folder(tmp_path / "a" / "b") as folder:
        (folder / "file").write_text("x")
        assert not (tmp_path / "a" / "b").exists()
    assert (tmp_path / "a" / "b" / "file").read_text() == "x"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b"]


def test_an_older_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    fill(tmp_path / "a", "old")
    (tmp_path / "a" / "more").write_text("old")
    fill(tmp_path / "a", "new")
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["file"]
    assert (tmp_path / "a" / "file").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_failure_leaves_the_older_folder_and_nothing_else(tmp_path: Path) -> None:
    fill(tmp_path / "a", "old")
    with pytest.raises(ZeroDivisionError):
        fill(tmp_path / "a", "new", divide_by=0)
    assert (tmp_path / "a" / "file").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_folder_that_cannot_be_renamed_keeps_the_older_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path / "a", "old")
    original = Path.rename

    def refuse_new(self: Path, target: Path) -> Path:
        if self.name.startswith(".unfinished"):
            raise PermissionError(13, "Permission denied")
        return original(self, target)

    monkeypatch.setattr(Path, "rename", refuse_new)
    with pytest.raises(CrossModalError, match="Permission denied"):
        fill(tmp_path / "a", "new")
    assert (tmp_path / "a" / "file").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_old_remains_are_removed_and_young_ones_left(tmp_path: Path) -> None:
    for name in (".unfinished-00000000-x", ".unfinished-11111111-y", ".other", "z"):
        (tmp_path / name).mkdir()
    for name in (".unfinished-00000000-x", ".other", "z"):
        age(tmp_path / name)
    tidy_up(tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [".other", ".unfinished-11111111-y", "z"]
    tidy_up(tmp_path / "nowhere")


def test_a_result_whose_successor_never_arrived_comes_back(tmp_path: Path) -> None:
    for name in (".replaced-00000000-lost case", ".replaced-00000000-kept", "kept"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
        age(tmp_path / name)
    tidy_up(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept", "lost case"]
    assert (tmp_path / "kept" / "file").read_text() == "kept"
    assert (tmp_path / "lost case" / "file").read_text() == ".replaced-00000000-lost case"
